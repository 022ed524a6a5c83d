"""`one_euro`: the filter's laws on rotations."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.face.pose import exp_so3, geodesic_rad
from tracker.kernels.backend import choose
from tracker.kernels.one_euro import start_anew, state_size


class Turns:
    """The operator's rotation alone; or a plain number under the same response, as the size's logarithm."""

    def __init__(self) -> None:
        self.state, self.responses = np.zeros(state_size(0)), np.tile([[0.8], [5.0]], 3)
        self.value, self.number = np.eye(3), 0.0

    def reset(self) -> None:
        start_anew(self.state)

    def __call__(self, sample: np.ndarray, dt_seconds: float, number: float = 0.0) -> np.ndarray:
        limits, none = np.array([0.0, 1.0, 1.5, 1.0]), np.zeros(0, np.float32)
        size = choose("numba").one_euro(
            self.responses, limits, none, np.ascontiguousarray(sample, np.float64), np.zeros(2), np.exp(number),
            dt_seconds, self.state, self.value, np.zeros(2), none.copy(),
        )  # fmt: skip
        self.number = np.log(size)
        return self.value


def make() -> Turns:
    return Turns()


def wander(count: int = 60) -> list[np.ndarray]:
    """A head that turns and trembles, up to 2 radians away."""
    rng = np.random.default_rng(3)
    axis = np.array([0.6, -0.64, 0.48])
    return [exp_so3(2 * np.sin(k / 15) * axis) @ exp_so3(rng.normal(0, 0.02, 3)) for k in range(count)]


def test_constant_stays_constant() -> None:
    filter_, rotation = make(), exp_so3(np.array([0.3, -1.2, 2.0]))
    for _ in range(30):
        np.testing.assert_allclose(filter_(rotation, 1 / 30), rotation, atol=1e-14)


@pytest.mark.parametrize("vector", [(0, 0, 0), (3.1, 0, 0), (0, 3.1, 0), (0, 0, 3.1), (1.8, -1.8, 1.8), (1e-9, 0, 0)])
def test_any_rotation_is_taken_as_it_is(vector: tuple[float, ...]) -> None:
    """One for every branch of the conversion to quaternions."""
    rotation = exp_so3(np.array(vector, float))
    np.testing.assert_allclose(make()(rotation, 0.0), rotation, atol=1e-14)


def test_the_estimate_stays_a_rotation() -> None:
    filter_ = make()
    for rotation in wander(300):
        estimate = filter_(rotation.astype(np.float32), 1 / 30)
        np.testing.assert_allclose(estimate @ estimate.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(estimate) == pytest.approx(1)


def test_a_fixed_turn_on_either_side_changes_nothing_else() -> None:
    camera, head = exp_so3(np.array([1.0, 2.0, -0.5])), exp_so3(np.array([-0.4, 0.1, 2.2]))
    plain, turned = make(), make()
    for rotation in wander():
        plain(rotation, 1 / 30)
        turned(camera @ rotation @ head, 1 / 30)
        np.testing.assert_allclose(turned.value, camera @ plain.value @ head, atol=1e-12)


def test_about_one_axis_it_is_the_plain_filter() -> None:
    filter_ = make()
    for k in range(60):
        angle, dt = 2.5 * np.sin(k / 12), 0.02 + 0.01 * (k % 3)
        turned = filter_(exp_so3(np.array([0, 0, angle])), dt, number=angle)
        np.testing.assert_allclose(turned, exp_so3(np.array([0, 0, filter_.number])), atol=1e-9)


def test_turning_round_and_round_is_followed() -> None:
    """No seam at half a turn."""
    filter_ = make()
    for k in range(200):
        rotation = exp_so3(np.array([0, k * 0.1, 0]))
        assert geodesic_rad(filter_(rotation, 1 / 30), rotation) < 0.09


def test_rest_is_calmed() -> None:
    rng, filter_ = np.random.default_rng(4), make()
    samples = [exp_so3(rng.normal(0, 0.003, 3)) for _ in range(500)]
    raw = [geodesic_rad(np.eye(3), sample) for sample in samples[50:]]
    calm = [geodesic_rad(np.eye(3), filter_(sample, 1 / 30).copy()) for sample in samples][50:]
    assert np.mean(calm) < np.mean(raw) / 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_held(bad: float) -> None:
    filter_, rotation = make(), exp_so3(np.array([0.1, 0.2, 0.3]))
    filter_(rotation, 0.0)
    for broken in (
        np.full((3, 3), bad),
        np.where(np.eye(3) > 0, bad, rotation),
        np.where(np.eye(3) > 0, rotation, bad),
    ):
        np.testing.assert_allclose(filter_(broken, 1 / 30), rotation, atol=1e-12)
    np.testing.assert_allclose(filter_(rotation, 1 / 30), rotation, atol=1e-12)


def test_without_a_step_nothing_moves_and_reset_forgets() -> None:
    filter_, first, second = make(), exp_so3(np.array([0.1, 0, 0])), exp_so3(np.array([0, 0.9, 0]))
    filter_(first, 0.0)
    np.testing.assert_allclose(filter_(second, 0.0), first, atol=1e-14)
    filter_.reset()
    np.testing.assert_allclose(filter_(second, 1 / 30), second, atol=1e-14)

"""`imm`: every implementation against the reference, and the filter's laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.face.pose import exp_so3, log_so3
from tracker.kernels.backend import choose
from tracker.kernels.imm import DENSITY, DYNAMICS, EASE, LATE, MEMORY, SPEED, TRAITS, WALK, start_anew, state_size
from tracker.kernels.imm.cases import CASES, TOLERANCE, Case

NOISE = 0.01
STEP = 1 / 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    sizes = choose("reference").imm(*wanted), choose("numba").imm(*found)
    assert sizes[1] == pytest.approx(sizes[0], abs=TOLERANCE)
    for a, b in zip(wanted[-5:], found[-5:], strict=True):  # the state, and what is filled
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=TOLERANCE)
        assert np.isfinite(b).all() or case.bad


@pytest.mark.parametrize("backend", ["numba", "reference"])
@pytest.mark.parametrize("group", [-1, 3])
def test_a_group_that_there_is_not_is_named_and_nothing_done(backend: str, group: int) -> None:
    arguments = list(CASES[0].arguments())
    arguments[1][7] = group
    before = arguments[13].copy()
    with pytest.raises(SettingsError, match=f"groups of .*{group}.*; there are 0 to 2"):
        choose(backend).imm(*arguments)
    assert np.array_equal(arguments[13], before) and np.isnan(arguments[-1]).all()


class Body:
    """One number, a place and a turn, each a group of its own."""

    def __init__(
        self, most: float = 1e9, learn_seconds: float = 1e9, ease: float = 0.0, late: float = 0.0
    ) -> None:  # fmt: skip
        self.dynamics, self.traits = np.zeros((DYNAMICS, 7)), np.ones((TRAITS, 3))
        self.traits[EASE] = ease
        self.dynamics[LATE] = late
        self.dynamics[WALK], self.dynamics[DENSITY], self.dynamics[DENSITY + 1] = 1e-6, 1e-4, 20.0
        self.dynamics[MEMORY : MEMORY + 2], self.dynamics[SPEED], self.dynamics[SPEED + 1] = 2.0, 0.01, 1.0
        self.groups = np.array([0, 1, 1, 1, 2, 2, 2])
        self.rates = np.array([[0, 0.1, 0.1], [0.2, 0, 0.2], [0.5, 0.2, 0]])
        self.limits = np.array([-most, most, 1.0, learn_seconds, 0.05, 20.0])
        self.state, self.turned, self.spot = np.zeros(state_size(1, 3)), np.eye(3), np.zeros(2)
        self.number, self.std, self.size = np.zeros(1, np.float32), np.zeros(7, np.float32), 1.0

    def __call__(
        self, number: float = 0.0, turn: np.ndarray | None = None, place: np.ndarray | None = None, dt: float = STEP,
        noise: float = NOISE, ahead: float = 0.0, seen: bool = True, size: float = 1.0,
    ) -> float:  # fmt: skip
        rotation = np.eye(3) if turn is None else turn
        self.size = choose("numba").imm(
            self.dynamics, self.groups, self.traits, self.rates, self.limits,
            np.array([number], np.float32), rotation, np.zeros(2) if place is None else place, size,
            np.full(7, noise**2), dt, ahead, seen, self.state,
            self.turned, self.spot, self.number, self.std,
        )  # fmt: skip
        return float(self.number[0])


def test_constant_stays_constant() -> None:
    body = Body()
    assert [body(0.375) for _ in range(50)] == pytest.approx([0.375] * 50, abs=1e-7)


def test_the_first_sample_is_taken_as_it_is_and_a_new_start_forgets() -> None:
    body = Body()
    assert body(12.5) == 12.5
    body(12.5)
    start_anew(body.state)
    assert body(-3.0) == -3.0
    # The speed is forgotten too: what follows is what a new filter does.
    fresh = Body()
    fresh(-3.0)
    assert body(-2.9) == pytest.approx(fresh(-2.9), abs=1e-9)


def test_rest_is_calmed_far_below_the_noise_and_the_deviation_says_so() -> None:
    body, rng = Body(), np.random.default_rng(0)
    found = np.array([body(x) for x in rng.normal(0, NOISE, 600)])[100:]
    assert found.std() < NOISE / 5
    assert found.std() / 3 < body.std[0] < NOISE / 3


def trembles(body: Body, dt: float = STEP) -> float:
    """Root mean square of the second difference at rest, of the number and of the turn."""
    rng = np.random.default_rng(6)
    noise = rng.normal(0, NOISE, (300, 4))
    found = [(body(one[0], turn=exp_so3(one[1:]), dt=dt), log_so3(body.turned)[1]) for one in noise]
    return float(np.sqrt((np.diff(found[60:], 2, axis=0) ** 2).mean()))


def test_ease_calms_rest_and_costs_no_time() -> None:
    assert trembles(Body(ease=5.0)) < trembles(Body()) / 2.5
    plain, eased, ramp = Body(), Body(ease=5.0), np.concatenate([np.zeros(30), np.arange(1, 40) * 3 * STEP])
    found = np.array([(plain(x), eased(x)) for x in ramp])
    np.testing.assert_allclose(found[34:, 1], found[34:, 0], atol=NOISE / 20)


def test_what_is_corrected_at_rest_is_not_eased_for_long() -> None:
    """As when a face that was half out of the picture is seen whole."""
    plain, eased = Body(), Body(ease=8.0)
    for body in (plain, eased):
        for _ in range(60):
            body(0.0)
        for _ in range(4):
            body(5 * NOISE)
    settled = [(plain(5 * NOISE), eased(5 * NOISE)) for _ in range(6)][-1]
    assert settled[1] == pytest.approx(settled[0], abs=2 * float(plain.std[0]))


def test_with_few_frames_rest_is_eased_more() -> None:
    assert trembles(Body(ease=5.0), 2 * STEP) / trembles(Body(), 2 * STEP) < trembles(Body(ease=5.0)) / trembles(Body())


def test_late_is_as_late_as_it_says() -> None:
    prompt, late, angles = Body(), Body(late=0.05), np.linspace(0, 4, 60)
    for x in angles:
        prompt(x, turn=exp_so3(np.array([0.1, x, 0.0])), place=np.array([x, -x]))
        late(x, turn=exp_so3(np.array([0.1, x, 0.0])), place=np.array([x, -x]))
    behind = 0.05 * (angles[1] - angles[0]) / STEP
    assert prompt.number[0] - late.number[0] == pytest.approx(behind, rel=0.05)
    assert log_so3(late.turned.T @ prompt.turned)[1] == pytest.approx(behind, rel=0.05)
    np.testing.assert_allclose(prompt.spot - late.spot, [behind, -behind], rtol=0.05)
    assert trembles(Body(late=0.05)) < trembles(Body()) / 2


def test_a_new_start_is_told_at_once() -> None:
    body = Body(ease=5.0, late=0.1)
    for k in range(20):
        body(0.2 * k)
    start_anew(body.state)
    assert body(7.0) == 7.0


def test_motion_is_followed_without_lag() -> None:
    body, rng = Body(), np.random.default_rng(1)
    ramp = np.concatenate([np.zeros(30), np.arange(1, 60) * 3 * STEP])
    found = np.array([body(x) for x in ramp + rng.normal(0, NOISE, len(ramp))])
    # A lag of 3 ms would be as much as the noise at that speed.
    assert abs((found - ramp)[35:]).mean() < NOISE
    assert abs((found - ramp)[35:].mean()) < NOISE * 0.7


def test_a_jump_is_taken_at_once() -> None:
    body = Body()
    for _ in range(30):
        body(0.0)
    assert body(1.0) > 0.9


def test_ahead_carries_on_at_the_speed() -> None:
    body = Body()
    for k in range(60):
        body(3.0 * k * STEP)
    now = body(3.0 * 60 * STEP)
    ahead = Body()
    for k in range(60):
        ahead(3.0 * k * STEP)
    # What is forgotten of the speed in a tenth of a second, of two, is a fortieth of the way.
    assert ahead(3.0 * 60 * STEP, ahead=0.1) - now == pytest.approx(0.3, abs=0.015)
    assert ahead.std[0] > body.std[0]


def test_what_is_not_seen_carries_on_and_grows_unsure() -> None:
    body = Body()
    for k in range(60):
        body(3.0 * k * STEP)
    found, stds = [], []
    for _ in range(10):
        found.append(body(seen=False))
        stds.append(float(body.std[0]))
    assert found[0] - 3.0 * 59 * STEP == pytest.approx(3.0 * STEP, abs=0.01)
    assert (np.diff(found) > 0).all() and (np.diff(stds) > 0).all()


@pytest.mark.parametrize("share", [0.2, 5.0])
def test_the_noise_is_learned(share: float) -> None:
    """What is given may be far off: after a while the deviation at rest is what true noise leaves."""
    rng = np.random.default_rng(2)
    told, truly = Body(learn_seconds=0.5), Body()
    samples = rng.normal(0, NOISE, 400)
    for x in samples:
        told(x, noise=share * NOISE)
        truly(x)
    assert told.std[0] == pytest.approx(truly.std[0], rel=0.35)


def test_half_steps_and_whole_ones_agree_on_what_is_not_seen() -> None:
    one, two = Body(), Body()
    for k in range(40):
        one(0.4 * k * STEP)
        two(0.4 * k * STEP)
    one(seen=False, dt=0.1)
    for _ in range(4):
        two(seen=False, dt=0.025)
    assert two.number[0] == pytest.approx(one.number[0], abs=0.004)
    assert two.std[0] == pytest.approx(one.std[0], rel=0.2)


def test_groups_do_not_touch_each_other() -> None:
    alone, beside, rng = Body(), Body(), np.random.default_rng(3)
    for k in range(40):
        alone(0.1 * k)
        beside(0.1 * k, place=rng.normal(0, 50, 2), turn=exp_so3(rng.normal(0, 0.5, 3)))
    assert beside.number[0] == alone.number[0]


def turns(count: int) -> np.ndarray:
    rng, angle = np.random.default_rng(4), np.linspace(0, 5, count)
    noise = rng.normal(0, 0.002, (count, 3))
    return np.array([exp_so3(np.array([0.2, a, 0])) @ exp_so3(n) for a, n in zip(angle, noise, strict=True)])


def test_a_camera_that_is_turned_turns_the_result() -> None:
    """Beyond half a turn as well: the estimate never leaves the group."""
    left, plain, before = exp_so3(np.array([0.3, -1.0, 2.0])), Body(), Body()
    for sample in turns(90):
        plain(turn=sample, noise=0.002)
        before(turn=np.ascontiguousarray(left @ sample), noise=0.002)
        np.testing.assert_allclose(before.turned, left @ plain.turned, atol=1e-9)
        np.testing.assert_allclose(plain.turned @ plain.turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.norm(log_so3(sample.T @ plain.turned)) < 0.01


def test_the_unit_scales_the_place() -> None:
    """A head of twice the size in the picture, moving twice as far, gives twice the estimate."""
    small, large, rng = Body(), Body(), np.random.default_rng(5)
    for k in range(40):
        place = np.array([np.sin(k / 5), np.cos(k / 7)]) + rng.normal(0, 0.01, 2)
        small(place=place)
        large(place=2 * place, size=2.0)
        np.testing.assert_allclose(large.spot, 2 * small.spot, atol=1e-9)
    np.testing.assert_allclose(large.std[2:4], small.std[2:4], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_carried_on(bad: float) -> None:
    body = Body()
    for _ in range(10):
        body(0.5)
    assert body(bad, turn=np.full((3, 3), bad), place=np.full(2, bad), size=bad) == pytest.approx(0.5, abs=1e-6)
    assert np.isfinite(body.turned).all() and np.isfinite(body.spot).all() and np.isfinite(body.size)
    assert body(0.5) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("dt_seconds", [0.0, -1.0, np.nan])
def test_without_a_step_nothing_moves(dt_seconds: float) -> None:
    body = Body()
    body(1.0)
    assert body(5.0, dt=dt_seconds) == pytest.approx(1.0)


def test_numbers_stay_within_their_limits() -> None:
    body = Body(most=1.0)
    found = [body(x) for x in (*np.zeros(10), 0.5, 1.0, 1.0, 1.5, 1.0, 0.0, 0.0, -0.5)]
    assert min(found) >= -1.0 and max(found) <= 1.0
    body = Body()
    body.limits[0] = 0.0
    found = [body(x) for x in (*np.ones(10), 0.5, 0.0, 0.0, 0.0)]
    assert min(found) >= 0.0

"""`one_euro`: every implementation against the reference, and the filter's laws on numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import choose
from tracker.kernels.one_euro import CHANNELS, PLACE, start_anew, state_size
from tracker.kernels.one_euro.cases import CASES, TOLERANCE, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    sizes = choose("reference").one_euro(*wanted), choose("numba").one_euro(*found)
    assert sizes[1] == pytest.approx(sizes[0], abs=TOLERANCE)
    for a, b in zip(wanted[-4:], found[-4:], strict=True):  # the state, and what is filled
        np.testing.assert_allclose(b, a, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("index", [0, 2, 7, 10])
def test_other_lengths_are_named(index: int) -> None:
    arguments = list(CASES[0].arguments())
    arguments[index] = arguments[index][..., :-1]
    with pytest.raises(SettingsError, match="numbers"):
        choose("numba").one_euro(*arguments)


class One:
    """One part of the operator: the size's logarithm for one channel, the place for two joint ones, else numbers."""

    def __init__(self, min_cutoff_hz: float, beta: float, count: int, joint: bool) -> None:
        self.state = np.zeros(state_size(count))
        self.responses = np.tile([[min_cutoff_hz], [beta]], count + 3).astype(float)
        self.count, self.joint = count, joint

    @property
    def value(self) -> np.ndarray:
        rows = self.state[PLACE : PLACE + 2] if self.joint else self.state[CHANNELS : CHANNELS + self.count + 1]
        return rows[-1:] if self.count == 1 else rows[:2]

    def reset(self) -> None:
        start_anew(self.state)

    def __call__(self, sample: np.ndarray, dt_seconds: float, unit: float = 1.0) -> np.ndarray:
        place = sample if self.joint else np.zeros(2)
        size = float(np.exp(sample[0])) if self.count == 1 else 1.0
        limits, filled = np.array([-np.inf, np.inf, 1.5, unit]), np.zeros(self.count, np.float32)
        choose("numba").one_euro(self.responses, limits, sample.astype(np.float32), np.eye(3), place, size, dt_seconds,
                                 self.state, np.eye(3), np.zeros(2), filled)  # fmt: skip
        return self.value


def one(min_cutoff_hz: float = 1.0, beta: float = 5.0, count: int = 1, joint: bool = False) -> One:
    return One(min_cutoff_hz, beta, count, joint)


def run(signal: object, seconds: np.ndarray, filter_: One | None = None) -> np.ndarray:
    """The estimates at `seconds` of a function of time."""
    filter_ = filter_ or one()
    steps = np.diff(seconds, prepend=seconds[0])
    return np.array([filter_(np.atleast_1d(signal(t)), dt).copy() for t, dt in zip(seconds, steps, strict=True)])


def test_constant_stays_constant() -> None:
    np.testing.assert_allclose(run(lambda t: 0.37, np.arange(50) / 30), 0.37, atol=1e-15)


def test_the_first_sample_is_taken_as_it_is() -> None:
    assert one()(np.array([12.5]), 0.0) == pytest.approx(12.5, abs=1e-12)


def test_a_linear_filter_is_the_textbooks() -> None:
    """Without beta it is a first-order low-pass: after a step of 1 held for t, 1 - exp(-2 pi cutoff t)."""
    seconds = np.arange(1, 40) / 30
    filter_ = one(2.0, 0.0)
    filter_(np.zeros(1), 0.0)
    found = [filter_(np.ones(1), 1 / 30)[0] for _ in seconds]
    np.testing.assert_allclose(found, 1 - np.exp(-2 * np.pi * 2.0 * seconds), atol=1e-12)


def test_half_steps_make_a_whole_one_for_a_held_input() -> None:
    coarse, fine = one(2.0, 0.0), one(2.0, 0.0)
    for filter_ in (coarse, fine):
        filter_(np.zeros(1), 0.0)
    coarse(np.ones(1), 0.2)
    for step in (0.05, 0.12, 0.03):
        fine(np.ones(1), step)
    np.testing.assert_allclose(fine.value, coarse.value, atol=1e-12)


@pytest.mark.parametrize("rate_hz", [60, 120, "irregular"])
def test_the_sampling_rate_does_not_matter(rate_hz: int | str) -> None:
    """A smooth motion sampled in other ways follows the same path."""
    rng = np.random.default_rng(0)
    if rate_hz == "irregular":
        seconds = np.concatenate([[0], np.cumsum(rng.uniform(0.008, 0.04, 300))])
    else:
        seconds = np.arange(4 * int(rate_hz)) / int(rate_hz)
    base = np.arange(30 * 9) / 30

    def signal(t: float) -> float:
        return 0.5 - 0.4 * np.cos(2 * np.pi * 0.4 * t)

    # Sluggish on purpose: a filter that took every step for 1/30 s would be wrong by far more than what is allowed.
    wanted = np.interp(seconds, base, run(signal, base, one(0.5, 0.5))[:, 0])
    found = run(signal, seconds, one(0.5, 0.5))[:, 0]
    lag = abs(wanted - [signal(t) for t in seconds]).max()
    assert lag > 0.12
    # A sample is held until the next one, so half a step of motion (1 per second at most) is in the samples themselves.
    assert abs(found - wanted).max() < 0.5 / 30 * 1.01


def test_a_step_is_followed_without_overshoot() -> None:
    found = run(lambda t: float(t > 0.5), np.arange(90) / 30)[:, 0]
    assert (np.diff(found) >= -1e-12).all()
    assert found.max() <= 1.0 + 1e-12
    assert found[-1] > 0.999


def test_rest_is_calmed_and_motion_is_followed() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 2000)
    seconds = np.arange(2000) / 30
    rest = run(lambda t: noise[round(t * 30)], seconds)[50:, 0]
    assert rest.std() < noise[50:].std() / 2
    ramp = run(lambda t: 4.0 * max(t - 0.5, 0), np.arange(60) / 30)[:, 0]
    assert 4.0 * (59 / 30 - 0.5) - ramp[-1] < 0.01


def test_speed_opens_the_filter() -> None:
    """The same step is followed sooner with beta than without."""
    assert (
        run(lambda t: float(t > 0.1), np.arange(6) / 30, one(1, 5))[-1]
        > 2 * run(lambda t: float(t > 0.1), np.arange(6) / 30, one(1, 0))[-1]
    )


def test_the_unit_scales_the_speed() -> None:
    """A picture of twice the size, measured in twice the unit, gives twice the estimate."""
    small, large = one(count=2, joint=True), one(count=2, joint=True)
    for k in range(20):
        sample = np.array([np.sin(k / 3), np.cos(k / 5)])
        small(sample, 1 / 30, 1.0)
        large(2 * sample, 1 / 30, 2.0)
    np.testing.assert_allclose(large.value, 2 * small.value, atol=1e-12)


def test_joint_channels_know_no_axes() -> None:
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plain, turned = one(count=2, joint=True), one(count=2, joint=True)
    for point in np.random.default_rng(2).normal(0, 1, (40, 2)).cumsum(0):
        plain(point, 1 / 30)
        turned(turn @ point, 1 / 30)
        np.testing.assert_allclose(turned.value, turn @ plain.value, atol=1e-9)


def test_channels_are_independent_unless_joint() -> None:
    alone, beside = one(count=2), one(count=2)
    for k in range(20):
        alone(np.array([k * 0.1, 0.0]), 1 / 30)
        beside(np.array([k * 0.1, (-1) ** k * 9.0]), 1 / 30)
    assert beside.value[0] == alone.value[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_held_and_forgotten(bad: float) -> None:
    filter_ = one(count=2)
    for _ in range(10):
        filter_(np.array([0.5, 0.25]), 1 / 30)
    filter_(np.array([bad, 0.25]), 1 / 30)
    assert filter_.value.tolist() == [0.5, 0.25]
    filter_(np.array([0.5, 0.25]), 1 / 30)
    assert filter_.value.tolist() == [0.5, 0.25]


def test_a_bad_first_sample_does_no_harm() -> None:
    filter_ = one()
    assert filter_(np.array([np.nan]), 0.0) == 0
    for _ in range(300):
        filter_(np.array([0.8]), 1 / 30)
    np.testing.assert_allclose(filter_.value, 0.8, atol=1e-6)


@pytest.mark.parametrize("dt_seconds", [0.0, -1.0, np.nan])
def test_without_a_step_nothing_moves(dt_seconds: float) -> None:
    filter_ = one()
    filter_(np.array([1.0]), 0.0)
    assert filter_(np.array([5.0]), dt_seconds) == pytest.approx(1.0)


def test_reset_forgets() -> None:
    filter_ = one()
    for k in range(10):
        filter_(np.array([float(k)]), 1 / 30)
    filter_.reset()
    assert filter_(np.array([-3.0]), 1 / 30) == pytest.approx(-3.0)
    # The speed is forgotten too: what follows is what a new filter does.
    fresh = one()
    fresh(np.array([-3.0]), 0.0)
    assert filter_(np.array([-2.0]), 1 / 30) == fresh(np.array([-2.0]), 1 / 30)

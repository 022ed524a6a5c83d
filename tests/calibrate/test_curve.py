"""The map of a shape: what rests reads nothing, what is the person's most reads one, and nothing is exaggerated."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.calibrate.curve import LEAST_STRETCH, MOST_GAIN, MOST_NOISE, Curve
from tracker.calibrate.profile import ShapeRange

ANY = [
    ShapeRange(neutral, noise, top)
    for neutral in (0.0, 0.03, 0.2, 0.5, 0.95)
    for noise in (0.0, 0.01, 0.04, 0.3)
    for top in (None, neutral, min(1.0, neutral + 0.15), min(1.0, neutral + 0.4), 1.0)
]


def mapped(shape: ShapeRange, values: np.ndarray) -> np.ndarray:
    curve = Curve([shape])
    rows = [curve(np.array([value], np.float32), np.empty(1, np.float32))[0] for value in values]
    return np.array(rows)


@pytest.mark.parametrize("shape", ANY)
def test_it_never_falls_stays_within_bounds_and_keeps_zero(shape: ShapeRange) -> None:
    values = np.linspace(0, 1, 501)
    got = mapped(shape, values)
    assert got[0] == 0 and got.min() >= 0 and got.max() <= 1
    assert (np.diff(got) >= -1e-6).all()
    assert (np.diff(got) <= MOST_GAIN * (values[1] - values[0]) + 1e-6).all(), "no slope is steeper than allowed"


@pytest.mark.parametrize("shape", ANY)
def test_what_rests_reads_nothing_and_its_noise_is_not_enlarged(shape: ShapeRange) -> None:
    noise = min(shape.noise, MOST_NOISE)
    assert mapped(shape, np.array([shape.neutral, shape.neutral + noise])).max() < 1e-6
    quiet = np.linspace(shape.neutral, shape.neutral + 3 * noise, 100)
    got = mapped(shape, quiet)
    assert (np.diff(got) <= np.diff(quiet) + 1e-6).all()
    wobble = np.random.default_rng(0).normal(shape.neutral, noise, 2000).clip(0, 1)
    assert mapped(shape, wobble).std() <= wobble.std() + 1e-6


@pytest.mark.parametrize(("neutral", "top"), [(0.0, 0.6), (0.1, 0.7), (0.25, 0.95), (0.3, 1.0)])
def test_the_persons_range_reads_one(neutral: float, top: float) -> None:
    shape = ShapeRange(neutral, 0.01, top)
    assert mapped(shape, np.array([top]))[0] == pytest.approx(1, abs=1e-5)
    assert 0.2 < mapped(shape, np.array([(neutral + top) / 2]))[0] < 0.6


def test_a_small_range_is_stretched_only_so_far() -> None:
    shape = ShapeRange(0.0, 0.0, LEAST_STRETCH + 0.01)
    assert mapped(shape, np.array([0.21]))[0] == pytest.approx(MOST_GAIN * 0.21, abs=1e-6)


@pytest.mark.parametrize("top", [None, 0.3])
def test_a_shape_that_was_not_shown_keeps_its_way_to_one(top: float | None) -> None:
    """What hardly moved in the take says nothing of what the person can do."""
    got = mapped(ShapeRange(0.2, 0.01, top), np.array([0.3, 1.0]))
    assert got[1] == pytest.approx(1, abs=1e-5) and got[0] < 0.15


def test_the_map_of_someone_without_a_bias_is_the_identity() -> None:
    curve, values = Curve([ShapeRange(0.0, 0.0, None)] * 52), np.linspace(0, 1, 52, dtype=np.float32)
    assert np.abs(curve(values, np.empty_like(values)) - values).max() < 1e-6

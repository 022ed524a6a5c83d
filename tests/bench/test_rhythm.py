"""Jitter, lag and what is left of a blink, of signals of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench.rhythm import jitter, kept, lag_ms

SECONDS = np.arange(240) / 30


def test_white_noise_has_the_jitter_that_theory_says() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, (240, 200, 2))
    assert jitter(noise, SECONDS, [(1.0, 5.0)]) == pytest.approx(0.5 * np.sqrt(12), rel=0.02)


def test_even_motion_has_none_and_what_is_outside_does_not_count() -> None:
    moving = np.repeat(SECONDS[:, None, None], 3, axis=2)
    moving[200:] += np.random.default_rng(1).normal(0, 1, (40, 1, 3))
    assert jitter(moving, SECONDS, [(0.0, 3.0), (4.0, 6.0)]) < 1e-12
    assert np.isnan(jitter(moving, SECONDS, [(50.0, 60.0)]))


@pytest.mark.parametrize("late_ms", [-20.0, 0.0, 7.0, 60.0])
@pytest.mark.parametrize("irregular", [False, True])
def test_lag_is_found_whatever_the_times(late_ms: float, irregular: bool) -> None:
    def path(t: np.ndarray) -> np.ndarray:
        return np.stack([np.sin(3 * t), np.cos(2 * t) + 0.2 * np.sin(9 * t)], 1)

    rng = np.random.default_rng(2)
    own = np.sort(rng.uniform(0, 8, 200)) if irregular else SECONDS
    values = path(own - late_ms / 1000) + [3.0, -1.0] + rng.normal(0, 0.01, (len(own), 2))
    assert lag_ms(values, own, path(SECONDS), SECONDS, (2.0, 6.0)) == pytest.approx(late_ms, abs=1.5)
    half = lag_ms(0.4 * values, own, path(SECONDS), SECONDS, (2.0, 6.0), scaled=True)
    assert half == pytest.approx(late_ms, abs=1.5)


def test_too_short_a_motion_has_no_lag() -> None:
    assert np.isnan(lag_ms(np.zeros((3, 1)), np.arange(3) / 30, np.zeros((3, 1)), np.arange(3) / 30, (9.0, 9.1)))


def test_half_a_blink_is_half() -> None:
    raw = np.full((240, 2), 0.1)
    raw[210:212] = 0.9
    assert kept(raw, raw, SECONDS, 7.0) == pytest.approx(1.0)
    assert kept(raw, 0.1 + 0.5 * (raw - 0.1), SECONDS, 7.0) == pytest.approx(0.5)
    assert np.isnan(kept(np.full((240, 2), 0.1), raw, SECONDS, 7.0))

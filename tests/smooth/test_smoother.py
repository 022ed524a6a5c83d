"""One track's filters and the stage: time, gaps, tracks, what is clamped and what passes through."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.face.expression import GROUP_OF
from tracker.face.pose import exp_so3
from tracker.smooth import Filtered, Smoother, SmoothSettings, TrackFilter


@dataclass(frozen=True)
class Fit:
    """What the smoother reads of a fit."""

    track_id: int = 0
    expression: np.ndarray = field(default_factory=lambda: np.full(52, 0.25, np.float32))
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    center_px: np.ndarray = field(default_factory=lambda: np.array([320.0, 240.0]))
    scale_px_per_mm: float = 2.0


def other(track_id: int = 0) -> Fit:
    """Far from the default one in everything."""
    return Fit(track_id, np.full(52, 0.9, np.float32), exp_so3(np.array([0, 1.0, 0])), np.array([900.0, 100.0]), 5.0)


def numbers(estimate: Filtered) -> np.ndarray:
    """Everything in one copied array."""
    scale = np.array([estimate.scale_px_per_mm])
    return np.concatenate([estimate.expression, estimate.rotation.ravel(), estimate.center_px, scale])


def same(estimate: Filtered, fit: Fit) -> bool:
    wanted = Filtered(fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm)
    return np.allclose(numbers(estimate), numbers(wanted), atol=1e-5)


SLUGGISH = SmoothSettings(**{
    group: (0.01, 0.0)
    for group in ("lids", "gaze", "brows", "mouth", "jaw", "cheeks", "rotation", "translation")
})  # fmt: skip
"""Barely moves within a second, so that a fresh start cannot be mistaken for a quick filter."""


def steady(smoother: Smoother, fit: Fit, frames: int = 10) -> float:
    """Feed one fit for a while; returns the time of the last frame."""
    for k in range(frames):
        smoother([fit], k / 30)
    return (frames - 1) / 30


def test_a_steady_face_stays_as_it_is() -> None:
    smoother = Smoother()
    last = steady(smoother, Fit())
    assert same(smoother([Fit()], last + 1 / 30)[0], Fit())


def test_a_jump_within_a_second_is_smoothed_and_reached() -> None:
    slow = SmoothSettings(**{g: (0.5, 0.0) for g in ("lids", "rotation", "translation", "jaw")})
    smoother = Smoother(slow)
    last = steady(smoother, Fit())
    estimate = smoother([other()], last + 1 / 30)[0]
    assert 322 < estimate.center_px[0] < 450
    assert 2.05 < estimate.scale_px_per_mm < 3
    assert 0.01 < np.arcsin(estimate.rotation[0, 2]) < 0.3
    for k in range(2, 120):
        estimate = smoother([other()], last + k / 30)[0]
    assert same(estimate, other())


def test_each_group_has_its_own_response() -> None:
    quick = SmoothSettings(mouth=(1000.0, 0.0), lids=(0.001, 0.0), gaze=(0.001, 0.0), brows=(0.001, 0.0),
                           jaw=(0.001, 0.0), cheeks=(0.001, 0.0))  # fmt: skip
    smoother = Smoother(quick)
    last = steady(smoother, Fit())
    found = smoother([other()], last + 1 / 30)[0].expression
    mouth = np.array(GROUP_OF) == "mouth"
    np.testing.assert_allclose(found[mouth], 0.9, atol=1e-3)
    np.testing.assert_allclose(found[~mouth], 0.25, atol=1e-3)


@pytest.mark.parametrize("jump_seconds", [0.6, 1e6, -1 / 30, -50.0])
def test_a_gap_or_time_running_back_starts_anew(jump_seconds: float) -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit())
    assert same(smoother([other()], last + jump_seconds)[0], other())


def test_a_missed_frame_is_no_gap() -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit())
    assert smoother([other()], last + 0.4)[0].center_px[0] < 350


def test_a_repeated_stamp_holds_the_estimate() -> None:
    smoother = Smoother()
    last = steady(smoother, Fit())
    assert same(smoother([other()], last)[0], Fit())
    assert same(smoother([Fit()], last + 1 / 30)[0], Fit())


@pytest.mark.parametrize("stamp", [None, float("nan"), float("inf")])
def test_without_time_fits_pass_through(stamp: float | None) -> None:
    smoother = Smoother(SLUGGISH)
    steady(smoother, Fit())
    assert same(smoother([other()], stamp)[0], other())
    assert same(smoother([Fit()], stamp)[0], Fit())
    assert same(smoother([other()], 5.0)[0], other())


def test_switched_off_fits_pass_through() -> None:
    smoother = Smoother(replace(SLUGGISH, enabled=False))
    last = steady(smoother, Fit())
    assert same(smoother([other()], last + 1 / 30)[0], other())


def test_expression_is_clamped() -> None:
    smoother, wild = Smoother(), np.linspace(-3, 4, 52)
    rng = np.random.default_rng(0)
    for k in range(60):
        found = smoother([Fit(expression=wild + rng.normal(0, 2, 52))], k / 30)[0].expression
        assert (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize("bad", [
    {"expression": np.full(52, np.nan)}, {"rotation": np.full((3, 3), np.nan)}, {"center_px": np.array([np.nan, 3.0])},
    {"scale_px_per_mm": np.nan}, {"scale_px_per_mm": -2.0}, {"scale_px_per_mm": 0.0}, {"scale_px_per_mm": np.inf},
])  # fmt: skip
@pytest.mark.parametrize("at", ["first", "later"])
def test_bad_numbers_never_get_through(bad: dict[str, object], at: str) -> None:
    smoother = Smoother()
    if at == "later":
        steady(smoother, Fit())
    assert np.isfinite(numbers(smoother([replace(Fit(), **bad)], 10 / 30)[0])).all()
    for k in range(11, 200):
        estimate = smoother([Fit()], k / 30)[0]
        assert np.isfinite(numbers(estimate)).all()
    assert np.allclose(numbers(estimate), numbers(TrackFilter(SmoothSettings())(*arguments(Fit()), None)), atol=1e-3)


def arguments(fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    return fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm


def test_tracks_do_not_touch_each_other() -> None:
    together, alone = Smoother(), Smoother()
    rng = np.random.default_rng(1)
    for k in range(30):
        mine = Fit(1, rng.random(52), exp_so3(rng.normal(0, 0.1, 3)), rng.normal(300, 20, 2), float(rng.uniform(2, 3)))
        both = together([other(7), mine] if k % 2 else [mine, other(7)], k / 30)
        np.testing.assert_array_equal(numbers(both[k % 2]), numbers(alone([mine], k / 30)[0]))


def test_a_dropped_track_starts_anew() -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit())
    smoother.drop(0)
    smoother.drop(99)
    assert same(smoother([other()], last + 1 / 30)[0], other())
    smoother.reset()
    assert same(smoother([Fit()], last + 2 / 30)[0], Fit())


def test_the_size_of_the_picture_does_not_matter() -> None:
    small, large = Smoother(), Smoother()
    rng = np.random.default_rng(2)
    for k in range(30):
        center, scale = rng.normal(300, 20, 2), float(rng.uniform(2, 2.2))
        a = small([Fit(center_px=center, scale_px_per_mm=scale)], k / 30)[0]
        b = large([Fit(center_px=3 * center, scale_px_per_mm=3 * scale)], k / 30)[0]
        np.testing.assert_allclose(b.center_px, 3 * a.center_px, rtol=1e-9)
        assert b.scale_px_per_mm == pytest.approx(3 * a.scale_px_per_mm)


def test_the_loop_keeps_no_memory() -> None:
    filter_, fit = TrackFilter(SmoothSettings()), Fit()
    for k in range(5):
        filter_(*arguments(fit), k / 30)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for k in range(5, 50):
            filter_(*arguments(fit), k / 30)
        now, peak = tracemalloc.get_traced_memory()
        assert now - before < 1_000
        assert peak - before < 4_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change,word", [
    ({"lids": (0.0, 1.0)}, "lids"), ({"jaw": (1.0, -1.0)}, "jaw"), ({"rotation": (float("nan"), 1.0)}, "rotation"),
    ({"mouth": (1.0,)}, "mouth"), ({"gap_seconds": 0.0}, "gap_seconds"), ({"derivative_cutoff_hz": -1}, "derivative"),
])  # fmt: skip
def test_bad_settings_are_named(change: dict[str, object], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        SmoothSettings(**change)

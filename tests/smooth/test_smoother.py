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
    doubt: float = 1.0
    """Times what the network says of an ordinary face."""

    @property
    def expression_std(self) -> np.ndarray:
        return np.full(52, 0.08 * self.doubt, np.float32)

    @property
    def rotation_std_rad(self) -> float:
        return 0.05 * self.doubt

    @property
    def centre_std_px(self) -> float:
        return 0.5 * self.scale_px_per_mm * self.doubt

    @property
    def log_scale_std(self) -> float:
        return 0.015 * self.doubt


def other(track_id: int = 0, doubt: float = 1.0) -> Fit:
    """Far from the default one in everything."""
    turned = exp_so3(np.array([0, 1.0, 0]))
    return Fit(track_id, np.full(52, 0.9, np.float32), turned, np.array([900.0, 100.0]), 5.0, doubt)


def numbers(estimate: Filtered) -> np.ndarray:
    """Everything in one copied array."""
    scale = np.array([estimate.scale_px_per_mm])
    return np.concatenate([estimate.expression, estimate.rotation.ravel(), estimate.center_px, scale])


def same(estimate: Filtered, fit: Fit) -> bool:
    wanted = Filtered(fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm, np.zeros(58))
    return np.allclose(numbers(estimate), numbers(wanted), atol=1e-5)


SLUGGISH = SmoothSettings(calm=100.0)
UNSURE = 20.0
"""Fits of so much doubt barely move it within a second: a fresh start cannot be mistaken for a quick filter."""


def steady(smoother: Smoother, fit: Fit, frames: int = 10) -> float:
    """Feed one fit for a while; returns the time of the last frame."""
    for k in range(frames):
        smoother([fit], k / 30)
    return (frames - 1) / 30


def test_a_steady_face_stays_as_it_is() -> None:
    smoother = Smoother()
    last = steady(smoother, Fit())
    assert same(smoother([Fit()], last + 1 / 30)[0], Fit())


def test_a_jump_is_followed_at_once_where_fits_are_sure_and_held_off_where_they_are_not() -> None:
    sure, unsure = Smoother(), Smoother(SLUGGISH)
    last = steady(sure, Fit())
    steady(unsure, Fit(doubt=UNSURE))
    quick, slow = sure([other()], last + 1 / 30)[0], unsure([other(doubt=UNSURE)], last + 1 / 30)[0]
    assert quick.center_px[0] > 880 and quick.expression.min() > 0.85
    assert 320 < slow.center_px[0] < 450 and slow.expression.max() < 0.6


def test_what_stays_is_reached() -> None:
    smoother = Smoother()
    last = steady(smoother, Fit())
    for k in range(1, 120):
        estimate = smoother([other()], last + k / 30)[0]
    assert same(estimate, other())


def test_each_group_has_its_own_calm() -> None:
    calm = dict.fromkeys(("lids", "gaze", "brows", "jaw", "cheeks"), 100.0)
    smoother = Smoother(SmoothSettings(mouth=0.05, **calm))
    last = steady(smoother, Fit(doubt=UNSURE))
    found = smoother([other(doubt=UNSURE)], last + 1 / 30)[0].expression
    mouth = np.array(GROUP_OF) == "mouth"
    assert found[mouth].min() > 0.8
    assert found[~mouth].max() < 0.6


@pytest.mark.parametrize("jump_seconds", [0.6, 1e6, -1 / 30, -50.0])
def test_a_gap_or_time_running_back_starts_anew(jump_seconds: float) -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit(doubt=UNSURE))
    assert same(smoother([other(doubt=UNSURE)], last + jump_seconds)[0], other())


def test_a_missed_frame_is_no_gap() -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit(doubt=UNSURE))
    assert smoother([other(doubt=UNSURE)], last + 0.4)[0].center_px[0] < 700


def test_a_repeated_stamp_holds_the_estimate() -> None:
    smoother = Smoother()
    last = steady(smoother, Fit())
    assert same(smoother([other()], last)[0], Fit())
    assert same(smoother([Fit()], last + 1 / 30)[0], Fit())


@pytest.mark.parametrize("stamp", [None, float("nan"), float("inf")])
def test_without_time_fits_pass_through(stamp: float | None) -> None:
    smoother = Smoother(SLUGGISH)
    steady(smoother, Fit(doubt=UNSURE))
    assert same(smoother([other(doubt=UNSURE)], stamp)[0], other())
    assert same(smoother([Fit(doubt=UNSURE)], stamp)[0], Fit())
    assert same(smoother([other(doubt=UNSURE)], 5.0)[0], other())


def test_switched_off_fits_pass_through() -> None:
    smoother = Smoother(replace(SLUGGISH, enabled=False))
    last = steady(smoother, Fit(doubt=UNSURE))
    assert same(smoother([other(doubt=UNSURE)], last + 1 / 30)[0], other())


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
    assert np.allclose(numbers(estimate), numbers(TrackFilter(SmoothSettings())(Fit(), None)), atol=1e-3)


class Boundless(Fit):
    """Says no number, or too large a one, of how sure it is."""

    @property
    def log_scale_std(self) -> float:
        return self.doubt

    rotation_std_rad = centre_std_px = log_scale_std

    @property
    def expression_std(self) -> np.ndarray:
        return np.full(52, self.doubt, np.float32)


@pytest.mark.parametrize("doubt", [np.nan, np.inf, -np.inf, 1e30, 0.0])
@pytest.mark.parametrize("at", ["first", "later"])
def test_bad_deviations_never_get_through(doubt: float, at: str) -> None:
    smoother = Smoother(SmoothSettings(ahead_ms=20.0))
    if at == "later":
        steady(smoother, Fit())
    found = smoother([Boundless(doubt=doubt)], 10 / 30)[0]
    assert np.isfinite(numbers(found)).all() and np.isfinite(found.std).all()
    for k in range(11, 120):
        found = smoother([other()], k / 30)[0]
        assert np.isfinite(found.std).all()
    np.testing.assert_allclose(found.expression, other().expression, atol=1e-3)
    np.testing.assert_allclose(found.center_px, other().center_px, atol=0.1)


def test_tracks_do_not_touch_each_other() -> None:
    together, alone = Smoother(), Smoother()
    rng = np.random.default_rng(1)
    for k in range(30):
        mine = Fit(1, rng.random(52), exp_so3(rng.normal(0, 0.1, 3)), rng.normal(300, 20, 2), float(rng.uniform(2, 3)))
        both = together([other(7), mine] if k % 2 else [mine, other(7)], k / 30)
        np.testing.assert_array_equal(numbers(both[k % 2]), numbers(alone([mine], k / 30)[0]))


def test_a_dropped_track_starts_anew() -> None:
    smoother = Smoother(SLUGGISH)
    last = steady(smoother, Fit(doubt=UNSURE))
    smoother.drop(0)
    smoother.drop(99)
    assert same(smoother([other(doubt=UNSURE)], last + 1 / 30)[0], other())
    smoother.reset()
    assert same(smoother([Fit(doubt=UNSURE)], last + 2 / 30)[0], Fit())


def moving(seconds: float) -> Fit:
    """A head that crosses the picture at 300 px and turns at half a radian a second."""
    return Fit(rotation=exp_so3(np.array([0, 0.5 * seconds, 0])), center_px=np.array([100 + 300 * seconds, 200.0]))


def steady_motion(smoother: Smoother, frames: int = 20) -> float:
    """Feed that for a while; returns the time of the last frame."""
    for k in range(frames):
        smoother([moving(k / 30)], k / 30)
    return (frames - 1) / 30


def test_ahead_says_where_a_moving_head_will_be() -> None:
    now, ahead = Smoother(), Smoother(SmoothSettings(ahead_ms=50.0))
    for k in range(30):
        here, there = now([moving(k / 30)], k / 30)[0], ahead([moving(k / 30)], k / 30)[0]
    wanted = moving(29 / 30 + 0.05)
    assert abs(here.center_px[0] - moving(29 / 30).center_px[0]) < 1.5
    assert abs(there.center_px[0] - wanted.center_px[0]) < 1.5
    assert np.abs(there.rotation - wanted.rotation).max() < 0.004
    assert (there.std[-5:] > here.std[-5:]).all()


def test_a_face_that_is_not_seen_moves_on_and_is_ever_less_sure() -> None:
    smoother = Smoother()
    last = steady_motion(smoother)
    places, stds = [], []
    for k in range(1, 12):
        estimate = smoother.coast(0, last + k / 30)
        places.append(estimate.center_px[0])
        stds.append(estimate.std.copy())
    assert places[0] > moving(last).center_px[0] + 5
    steps = np.diff(places)
    assert (steps > 0).all() and (np.diff(steps) < 0).all()
    assert (np.diff(np.array(stds), axis=0) > 0).all()
    # Seen again where it would be, it is taken up at once.
    back = smoother([moving(last + 0.4)], last + 0.4)[0]
    assert abs(back.center_px[0] - moving(last + 0.4).center_px[0]) < 5


def test_coasting_without_smoothing_holds() -> None:
    smoother = Smoother(SmoothSettings(enabled=False))
    smoother([other()], 0.0)
    assert same(smoother.coast(0, 0.2), other())


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
        filter_(fit, k / 30)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for k in range(5, 50):
            filter_(fit, k / 30)
        now, peak = tracemalloc.get_traced_memory()
        assert now - before < 1_000
        assert peak - before < 4_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change,word", [
    ({"lids": 0.0}, "lids"), ({"jaw": -1.0}, "jaw"), ({"rotation": float("nan")}, "rotation"), ({"calm": 1e3}, "calm"),
    ({"calm": "2"}, "calm"), ({"ahead_ms": None}, "ahead_ms"), ({"look_ahead_frames": 2.5}, "look_ahead_frames"),
    ({"gap_seconds": "long"}, "gap_seconds"), ({"gap_seconds": 0.0}, "gap_seconds"),
    ({"ahead_ms": -1.0}, "ahead_ms"), ({"ahead_ms": 900.0}, "ahead_ms"),
])  # fmt: skip
def test_bad_settings_are_named(change: dict[str, object], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        SmoothSettings(**change)

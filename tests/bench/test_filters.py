"""Every filter that is compared: what its knob does, and that none is given an unfair start."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench.filters import METHODS, Method
from tracker.bench.rhythm import jitter, lag_ms
from tracker.bench.trace import Sample, Trace, an_estimator
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3, log_so3

SECONDS = np.arange(150) / 30
REST, MOTION = (0.5, 2.0), (2.0, 4.7)


def yaw_at(seconds: np.ndarray) -> np.ndarray:
    return np.where(seconds > REST[1], 0.3 * np.sin(3 * (seconds - REST[1])), 0.0)


def trace() -> Trace:
    """A head that rests, then turns to and fro; noise on everything."""
    rng = np.random.default_rng(0)
    samples = tuple(
        Sample(
            np.clip(0.3 + rng.normal(0, 0.004, 52), 0, 1).astype(np.float32), np.full(52, 0.08, np.float32),
            exp_so3(np.array([0, yaw, 0]) + rng.normal(0, 0.002, 3)), 0.05, np.array([320.0, 240.0]) +
            rng.normal(0, 0.1, 2), 1.0, 2.0 * float(np.exp(rng.normal(0, 0.001))), 0.015,
        )
        for yaw in yaw_at(SECONDS)
    )  # fmt: skip
    columns = (np.array([getattr(s, name) for s in samples]) for name in
               ("expression", "rotation", "center_px", "scale_px_per_mm"))  # fmt: skip
    return Trace(SECONDS, *columns, np.zeros(64, np.float32), samples)


def tremble_and_lag(of: Trace) -> tuple[float, float]:
    turns = np.array([log_so3(one) for one in of.rotation])
    truth = np.stack([np.zeros(150), yaw_at(SECONDS), np.zeros(150)], 1)
    return jitter(turns[:, None], SECONDS, [REST]), lag_ms(turns, SECONDS, truth, SECONDS, MOTION)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_knob_goes_from_quick_to_calm(method: Method) -> None:
    raw = trace()
    before, _ = tremble_and_lag(raw)
    quick, calm = (tremble_and_lag(method.run(raw, setting)) for setting in (method.settings[0], method.settings[-1]))
    assert calm[0] < quick[0] <= 1.01 * before
    assert calm[0] < 0.4 * before
    assert calm[1] > quick[1] - 0.5
    assert abs(quick[1]) < 12
    assert method.default in method.settings


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_calm_calms_the_place_in_the_picture_too(method: Method) -> None:
    """Far from the picture's corner, where noise of the size must not pass for noise of the place."""
    raw = trace()
    quick, calm = (method.run(raw, setting).center_px for setting in (method.settings[0], method.settings[-1]))
    assert jitter(calm[:, None], SECONDS, [REST]) < 0.5 * jitter(quick[:, None], SECONDS, [REST])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_filter_leaves_the_raw_fits_alone_and_starts_at_them(method: Method) -> None:
    raw = trace()
    kept = raw.rotation.copy(), raw.expression.copy()
    of = method.run(raw, method.default)
    np.testing.assert_array_equal(raw.rotation, kept[0])
    np.testing.assert_array_equal(raw.expression, kept[1])
    assert len(of.seconds) == len(of.rotation) == len(raw.samples) and not of.samples
    np.testing.assert_allclose(of.expression[0], raw.expression[0], atol=1e-6)
    np.testing.assert_allclose(of.rotation[0], raw.rotation[0], atol=1e-9)
    np.testing.assert_allclose(of.center_px[0], raw.center_px[0], atol=1e-6)


def test_ours_is_calmer_than_one_euro_and_no_later() -> None:
    raw = trace()
    of = {method.name: tremble_and_lag(method.run(raw, method.default)) for method in METHODS}
    assert of["Facewire"][0] < 0.5 * of["One-Euro"][0]
    assert of["Facewire"][1] < of["One-Euro"][1] + 3


def test_landmarks_follow_the_trace() -> None:
    """Frame by frame, not the last frame again and again."""
    points = trace().landmarks_px(an_estimator(FaceModel.load()))
    assert points.shape == (150, 478, 2)
    noses = points[:, 4, 0]
    assert np.ptp(noses[75:]) > 5 * np.ptp(noses[15:55]) > 0

"""What the default settings promise: calm at rest, lag that nobody sees, and blinks that survive.

Speeds and noises are those of faces on video, in each channel's own unit.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.smooth.test_smoother import Fit
from tracker.face.expression import ARKIT_INDEX
from tracker.face.pose import exp_so3, log_so3
from tracker.smooth import SmoothSettings, TrackFilter

NOISE = {"yaw": 0.002, "place": 0.08, "jawOpen": 0.003, "browInnerUp": 0.004, "eyeBlinkLeft": 0.003}
"""Radians, pixels, coefficients: standard deviation at rest."""
SPEED = {"yaw": 1.5, "place": 150.0, "jawOpen": 5.0, "browInnerUp": 4.0, "eyeBlinkLeft": 8.0}
"""Per second: a quick one. A blink closes in an eighth of a second."""


def measured(kind: str, value: float, noise: np.ndarray) -> Fit:
    """A face at rest with one thing moved; `noise` [58] standard normal, applied to everything."""
    expression = 0.2 + NOISE["browInnerUp"] * noise[:52]
    turn, place = NOISE["yaw"] * noise[55:], np.array([320.0, 240.0]) + NOISE["place"] * noise[53:55]
    if kind == "yaw":
        turn = turn + [0, value, 0]
    elif kind == "place":
        place = place + [value, 0]
    else:
        expression[ARKIT_INDEX[kind]] += value
    return Fit(expression=expression.astype(np.float32), rotation=exp_so3(turn), center_px=place,
               scale_px_per_mm=2.0 * float(np.exp(0.001 * noise[52])))  # fmt: skip


def estimates(kind: str, values: np.ndarray, rate_hz: float = 30.0) -> np.ndarray:
    """The filtered `values`, measured with noise."""
    filter_, rng = TrackFilter(SmoothSettings()), np.random.default_rng(0)
    found = []
    for k, value in enumerate(values):
        of = filter_(measured(kind, value, rng.normal(0, 1, 58)), k / rate_hz)
        if kind == "yaw":
            found.append(log_so3(of.rotation)[1])
        else:
            found.append(of.center_px[0] - 320 if kind == "place" else of.expression[ARKIT_INDEX[kind]] - 0.2)
    return np.array(found)


@pytest.mark.parametrize("kind", NOISE)
def test_jitter_at_rest_is_cut_to_a_quarter(kind: str) -> None:
    found = estimates(kind, np.zeros(600))[60:]
    # Of white noise the second difference has the square root of six times its deviation.
    assert np.diff(found, 2).std() < max(NOISE[kind], 0.004 if kind[0] in "jbe" else 0) * 6**0.5 / 4


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("rate_hz", [15, 30, 60])
def test_quick_motion_is_followed(kind: str, rate_hz: int) -> None:
    length = 0.1 if SPEED[kind] > 3 and kind not in ("yaw", "place") else 0.5
    ramp = SPEED[kind] * np.clip(np.arange(2 * rate_hz) / rate_hz - 1, 0, length)
    found = estimates(kind, ramp, rate_hz)
    late = (ramp - found)[rate_hz + 2 : rate_hz + round(length * rate_hz)] / SPEED[kind]
    assert len(late) == 0 or abs(late).mean() < 0.010  # seconds
    assert abs(found[rate_hz + round(length * rate_hz) + 2] - ramp[-1]) < 0.1 * ramp[-1]


@pytest.mark.parametrize("kind,speed", [("yaw", 0.05), ("place", 5.0)])
def test_slow_motion_neither_sticks_nor_slips(kind: str, speed: float) -> None:
    """A head that turns by three degrees a second: errors stay at the noise, and no step is left standing out."""
    ramp = speed * np.arange(240) / 30
    found = estimates(kind, ramp)[60:]
    assert (found - ramp[60:]).std() < 1.5 * NOISE[kind]
    assert abs(np.diff(found) - speed / 30).max() < 3.5 * NOISE[kind]


@pytest.mark.parametrize("frames", [2, 3])
def test_a_blink_of_two_frames_survives(frames: int) -> None:
    lids = np.zeros(60)
    lids[30 : 30 + frames] = 0.7
    assert estimates("eyeBlinkLeft", lids)[30 : 30 + frames].max() > 0.85 * 0.7

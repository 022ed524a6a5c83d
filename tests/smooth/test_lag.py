"""What the default settings promise: calm at rest by more than half, and lag that nobody sees.

Speeds and noises are those of faces on video, in each channel's own unit; the table in `tracker/smooth/settings.py`
is this file's measurement.
"""

from __future__ import annotations

import numpy as np
import pytest

from tracker.face.pose import exp_so3, log_so3
from tracker.kernels.backend import choose
from tracker.kernels.one_euro import state_size
from tracker.smooth.settings import EXPRESSION_GROUPS, SmoothSettings

SETTINGS = SmoothSettings()
NOISE = {"rotation": 0.0025, "translation": 0.0015} | dict.fromkeys(EXPRESSION_GROUPS, 0.008)
"""Radians, inter-ocular distances, coefficients: standard deviation at rest."""
SPEED = {"rotation": 1.5, "translation": 1.5, "lids": 8.0, "gaze": 6.0, "brows": 4.0, "mouth": 5.0, "jaw": 5.0,
         "cheeks": 3.0}  # fmt: skip
"""Per second: a quick one. A blink closes in an eighth of a second."""
SLACK = {"rotation": 0.003, "translation": 0.003} | dict.fromkeys(EXPRESSION_GROUPS, 0.06)
"""How far behind the estimate may be, once the motion is 0.1 s old. 0.003 inter-ocular distances are 0.2 mm."""


def estimates(group: str, samples: np.ndarray, rate_hz: float = 30.0) -> np.ndarray:
    """The filtered signal of one channel: of a turn, or else as the size's logarithm, which has no limits."""
    one_euro, state = choose().one_euro, np.zeros(state_size(0))
    responses = np.tile(np.array(getattr(SETTINGS, group))[:, None], 3)
    limits, none = np.array([0.0, 1.0, SETTINGS.derivative_cutoff_hz, 1.0]), np.zeros(0, np.float32)
    turned, found = np.eye(3), []
    for x in samples:
        rotation = exp_so3(np.array([0, x if group == "rotation" else 0.0, 0]))
        size = one_euro(responses, limits, none, rotation, np.zeros(2), np.exp(x), 1 / rate_hz, state, turned,
                        np.zeros(2), none)  # fmt: skip
        found.append(log_so3(turned)[1] if group == "rotation" else np.log(size))
    return np.array(found)


def behind(group: str, speed: float, rate_hz: float = 30.0) -> np.ndarray:
    """How far behind the estimate is, frame by frame, from the first frame of a motion at full speed on."""
    samples = np.concatenate([np.zeros(10), speed * np.arange(1, round(rate_hz * 1.5)) / rate_hz])
    return (samples - estimates(group, samples, rate_hz))[10:]


@pytest.mark.parametrize("group", NOISE)
def test_jitter_at_rest_is_cut_by_more_than_half(group: str) -> None:
    noise = np.random.default_rng(0).normal(0, NOISE[group], 1500)
    assert estimates(group, noise)[60:].std() < noise[60:].std() / 2


@pytest.mark.parametrize("group", NOISE)
def test_fast_motion_is_followed(group: str) -> None:
    distance = behind(group, SPEED[group])
    assert distance[3:].max() < SLACK[group]
    assert (distance > -1e-9).all()


@pytest.mark.parametrize("group", NOISE)
def test_lag_is_below_a_frame_and_a_half_at_a_tenth_of_the_speed(group: str) -> None:
    assert behind(group, SPEED[group] / 10)[-1] / (SPEED[group] / 10) < 1.5 / 30


def table() -> str:
    """The table in the settings, for whoever changes a default."""
    rows = []
    for group in NOISE:
        noise = np.random.default_rng(0).normal(0, NOISE[group], 1500)
        left = estimates(group, noise)[60:].std() / noise[60:].std()
        fast = behind(group, SPEED[group]) / SPEED[group] * 1000
        slow = behind(group, SPEED[group] / 10) / SPEED[group] * 10000
        rows.append(
            f"{group:12} {NOISE[group]:7} {left:6.2f} {SPEED[group]:9} {fast[0]:9.1f} {fast[3]:7.1f} {slow[-1]:9.1f}"
        )
    return "\n".join(rows)

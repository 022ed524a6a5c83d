"""Refine, version 1: turn what the network said about a crop into a head in front of the camera.

Given a guess it evaluates nothing against pixels yet: the `lift` kernel makes the rotation orthonormal, carries the
square's coordinates to the source picture and clips the coefficients to what they mean. The refining by rendering will
stand here. It knows neither frames nor sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tracker.detect.roi import Roi
from tracker.kernels.backend import choose
from tracker.kernels.lift import NUMBERS, Lift, Parts
from tracker.regress.outputs import ROI_CENTRE_MM, ROI_SIDE_MM, SLICES
from tracker.regress.regressor import Guess

# A landmark error of this share of the crop halves a region's confidence; about 6% of the inter-ocular distance.
HALF_TRUST = 0.023
PLAUSIBLE_LOG_SCALE = 0.9
# From here to the regions' the logarithms of the standard deviations stand together in the vector.
_LOG_STD = SLICES["expression_log_std"].start
_STD_COUNT = SLICES["region_log_std"].stop - _LOG_STD
_OTHER_STD = slice(52, 56)  # identity, rotation, centre, log scale
_PARTS = Parts(
    SLICES["expression"].start, SLICES["rotation"].start, SLICES["centre"].start, SLICES["log_scale"].start, _LOG_STD,
    ROI_SIDE_MM, ROI_CENTRE_MM, HALF_TRUST,
)  # fmt: skip
assert _STD_COUNT == 52 + 4 + 5


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One head in one frame, before smoothing. Rotation and centre are its own; the other arrays are overwritten when
    the same slot is used again."""

    track_id: int
    expression: np.ndarray
    """float32 [52] in 0..1."""
    identity: np.ndarray
    """float32 [I]."""
    rotation: np.ndarray
    """float64 [3, 3]: head to picture, as seen along the head's own viewing ray (not yet cam_from_head)."""
    center_px: np.ndarray
    """float64 [2]: the head's origin in the picture."""
    scale_px_per_mm: float
    """At the head's depth."""
    presence: float
    """0..1."""
    region_confidence: np.ndarray
    """float32 [5] in the order of `REGIONS`."""
    trust: float
    """Their mean."""
    expression_std: np.ndarray
    """float32 [52]."""
    identity_std: float
    rotation_std_rad: float
    centre_std_px: float
    log_scale_std: float
    plausible: bool
    """False where size or place contradict the square: the guess is not to be followed."""

    def roi(self) -> Roi:
        """The square to look at in the next frame."""
        (a, b, c), (d, e, f), _ = self.rotation.tolist()
        u, v, w = ROI_CENTRE_MM
        x_px, y_px = self.center_px.tolist()
        scale = self.scale_px_per_mm
        x_px, y_px = x_px + scale * (a * u + b * v + c * w), y_px + scale * (d * u + e * v + f * w)
        return Roi(x_px, y_px, scale * ROI_SIDE_MM, math.atan2(d - b, a + e))


class Refiner:
    """Guess to fit, with buffers for `slots` faces."""

    def __init__(self, slots: int, identities: int, lift: Lift | None = None) -> None:
        self._lift = lift or choose().lift
        self._starts, self._constants = _PARTS.starts(), _PARTS.constants()
        self._identity = slice(SLICES["identity"].start, SLICES["identity"].start + identities)
        self._buffers = [
            (np.zeros(52, np.float32), np.zeros(_STD_COUNT, np.float32), np.zeros(5, np.float32)) for _ in range(slots)
        ]

    def __call__(self, guess: Guess, slot: int, track_id: int = 0) -> Fit:
        """Lift one guess. All of the fit but its pose is overwritten when its slot is used again."""
        roi, output = guess.roi, guess.output
        expression, std, regions = self._buffers[slot]
        numbers = np.empty(NUMBERS)
        self._lift(
            self._starts, self._constants, output, roi.x_px, roi.y_px, roi.side_px, roi.roll_rad, guess.presence,
            expression, std, regions, numbers,
        )  # fmt: skip
        scale, trust, x, y, log_scale = numbers[11:].tolist()
        identity_std, rotation_std, centre_std, scale_std = std[_OTHER_STD].tolist()
        return Fit(
            track_id, expression, output[self._identity], numbers[:9].reshape(3, 3), numbers[9:11], scale,
            guess.presence, regions, trust, std[:52], identity_std, rotation_std, centre_std * roi.side_px, scale_std,
            -PLAUSIBLE_LOG_SCALE < log_scale < PLAUSIBLE_LOG_SCALE and -0.5 < x < 0.5 and -0.5 < y < 0.5,
        )  # fmt: skip

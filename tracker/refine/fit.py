"""Refine, version 1: turn what the network said about a crop into a head in front of the camera.

Given a guess and the running identity of its track it evaluates nothing against pixels yet: rotation made orthonormal,
square coordinates carried to the source picture, coefficients clipped to what they mean. The refining by rendering
will stand here. It knows neither frames nor sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tracker.detect.roi import Roi
from tracker.regress.outputs import ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH
from tracker.regress.regressor import Guess

# A landmark error of this share of the crop halves a region's confidence; about 6% of the inter-ocular distance.
HALF_TRUST = 0.023
PLAUSIBLE_LOG_SCALE = 0.9
_ANCHOR = np.array(ROI_CENTRE_MM)
# The logarithms of the standard deviations stand together at the end of the vector: one exponential serves them all.
_LOG_STD = slice(SLICES["expression_log_std"].start, WIDTH)
_OTHER_STD = slice(52, 56)  # identity, rotation, centre, log scale
_REGION_STD = slice(56, 61)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One head in one frame, before smoothing. Arrays are overwritten when the same slot is used again."""

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
        r = self.rotation
        anchor = self.center_px + self.scale_px_per_mm * (r @ _ANCHOR)[:2]
        roll = math.atan2(r[1, 0] - r[0, 1], r[0, 0] + r[1, 1])
        return Roi(float(anchor[0]), float(anchor[1]), self.scale_px_per_mm * ROI_SIDE_MM, roll)


def orthonormal(six: np.ndarray) -> np.ndarray:
    """Rotation float64 [3, 3] from its first two columns [6], Gram-Schmidt (Zhou et al. 2019).

    In plain floats: for three numbers at a time they are several times faster than arrays.
    """
    a, b, c, d, e, f = six.tolist()
    length = max(math.sqrt(a * a + b * b + c * c), 1e-9)
    a, b, c = a / length, b / length, c / length
    along = a * d + b * e + c * f
    d, e, f = d - along * a, e - along * b, f - along * c
    length = max(math.sqrt(d * d + e * e + f * f), 1e-9)
    d, e, f = d / length, e / length, f / length
    return np.array([[a, d, b * f - c * e], [b, e, c * d - a * f], [c, f, a * e - b * d]])


class Refiner:
    """Guess to fit, with buffers for `slots` faces."""

    def __init__(self, slots: int, identities: int) -> None:
        self._expression = np.zeros((slots, 52), np.float32)
        self._identity = np.zeros((slots, identities), np.float32)
        self._regions = np.zeros((slots, 5), np.float32)
        self._std = np.zeros((slots, _LOG_STD.stop - _LOG_STD.start), np.float32)

    def __call__(self, guess: Guess, slot: int, track_id: int = 0) -> Fit:
        """Lift one guess. The fit stays valid until its slot is used again."""
        roi = guess.roi
        expression, identity = self._expression[slot], self._identity[slot]
        np.clip(guess.part("expression"), 0, 1, out=expression)
        np.copyto(identity, guess.part("identity"))
        c, s = math.cos(roi.roll_rad), math.sin(roi.roll_rad)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        rotation = turn @ orthonormal(guess.part("rotation"))
        log_scale = float(guess.part("log_scale")[0])
        scale = roi.side_px / ROI_SIDE_MM * math.exp(min(max(log_scale, -1.5), 1.5))
        offset = guess.part("centre")
        anchor = np.array([roi.x_px, roi.y_px]) + turn[:2, :2] @ offset * roi.side_px
        std, regions = self._std[slot], self._regions[slot]
        np.clip(guess.output[_LOG_STD], -7, 1, out=std)
        np.exp(std, out=std)
        np.divide(std[_REGION_STD], HALF_TRUST, out=regions)
        np.multiply(regions, regions, out=regions)
        regions += 1
        np.divide(guess.presence, regions, out=regions)
        identity_std, rotation_std, centre_std, scale_std = std[_OTHER_STD].tolist()
        return Fit(
            track_id=track_id, expression=expression, identity=identity, rotation=rotation,
            center_px=anchor - scale * (rotation @ _ANCHOR)[:2], scale_px_per_mm=scale, presence=guess.presence,
            region_confidence=regions, expression_std=std[:52],
            identity_std=identity_std, rotation_std_rad=rotation_std, centre_std_px=centre_std * roi.side_px,
            log_scale_std=scale_std,
            plausible=abs(log_scale) < PLAUSIBLE_LOG_SCALE and float(np.abs(offset).max()) < 0.5,
        )  # fmt: skip

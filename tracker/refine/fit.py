"""Turn what the network said about a crop into a head in front of the camera.

Given a guess it looks at no pixel (see `compare`). The `lift` kernel clips the coefficients to what they mean and
carries the pose that the network regresses to the source picture; the `align` kernel then replaces that pose by the one
that puts the face model's own points where the network points at them. It
knows neither frames nor sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.topology import GUIDES
from tracker.kernels.align import Align
from tracker.kernels.backend import choose
from tracker.kernels.lift import NUMBERS, Lift, Parts
from tracker.regress.guides import guides_at_rest
from tracker.regress.outputs import ROI_CENTRE_MM, ROI_SIDE_MM, SLICES
from tracker.regress.regressor import Guess

# A landmark error of this share of the crop halves a region's confidence; about 4% of the inter-ocular distance.
HALF_TRUST = 0.015
PLAUSIBLE_LOG_SCALE = 0.9
# In sides: a head whose middle is on the square's edge or beyond was not what the square showed.
FURTHEST = 0.5
# How much the guides' depth counts in the pose, beside their place in the picture.
DEPTH_SHARE = 0.3
# From here to the regions' the logarithms of the standard deviations stand together in the vector.
_LOG_STD = SLICES["expression_log_std"].start
_STD_COUNT = SLICES["region_log_std"].stop - _LOG_STD
_IDENTITY, _GUIDES, _GUIDES_STD = SLICES["identity"], SLICES["guides"], SLICES["guides_log_std"]
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

    def within(self, roi: Roi, side_px: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Rotation, centre and px per mm as a crop of that square sees the head, the crop `side_px` wide."""
        cos, sin, zoom = math.cos(roi.roll_rad), math.sin(roi.roll_rad), side_px / roi.side_px
        crop_from_picture = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        aside = self.center_px - (roi.x_px, roi.y_px)
        center_px = zoom * crop_from_picture[:2, :2] @ aside + side_px / 2
        return crop_from_picture @ self.rotation, center_px, self.scale_px_per_mm * zoom

    def placed(
        self, roi: Roi, side_px: int, rotation: np.ndarray, center_px: np.ndarray, scale: float, **others: Any
    ) -> Fit:  # fmt: skip
        """The same head with the pose that a crop of that square sees (undoes `within`), and `others` replaced."""
        cos, sin, zoom = math.cos(roi.roll_rad), math.sin(roi.roll_rad), roi.side_px / side_px
        picture_from_crop = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        middle = zoom * picture_from_crop[:2, :2] @ (center_px - side_px / 2)
        return replace(
            self, rotation=picture_from_crop @ rotation, center_px=middle + (roi.x_px, roi.y_px),
            scale_px_per_mm=scale * zoom, **others,
        )  # fmt: skip

    def roi(self) -> Roi:
        """The square to look at in the next frame."""
        return _square(self.rotation, self.center_px, self.scale_px_per_mm)


def _square(rotation: np.ndarray, center_px: np.ndarray, scale_px_per_mm: float) -> Roi:
    """Around a head of that pose."""
    (a, b, c), (d, e, f), _ = rotation.tolist()
    u, v, w = ROI_CENTRE_MM
    x_px, y_px = center_px.tolist()
    x_px, y_px = x_px + scale_px_per_mm * (a * u + b * v + c * w), y_px + scale_px_per_mm * (d * u + e * v + f * w)
    return Roi(x_px, y_px, scale_px_per_mm * ROI_SIDE_MM, math.atan2(d - b, a + e))


def _plausible(found: Roi, looked_at: Roi) -> bool:
    """Is that about the size and the place of the square in which it was seen?"""
    away = math.hypot(found.x_px - looked_at.x_px, found.y_px - looked_at.y_px)
    ratio = found.side_px / looked_at.side_px
    return away < FURTHEST * looked_at.side_px and abs(math.log(max(ratio, 1e-9))) < PLAUSIBLE_LOG_SCALE


def unseen(fit: Fit, face: Face) -> Fit:
    """The last fit of a track that is not seen now, from what was published of it: nothing of it is to be trusted."""
    return replace(
        fit, expression=face.blendshapes_raw, expression_std=face.deviation.expression, presence=0.0, trust=0.0,
        region_confidence=np.zeros_like(fit.region_confidence),
    )  # fmt: skip


class Refiner:
    """Guess to fit, with buffers for `slots` faces. Where no pose follows from the guides, the regressed one stays."""

    def __init__(self, slots: int, model: FaceModel, lift: Lift | None = None, align: Align | None = None) -> None:
        self._lift, self._align = lift or choose().lift, align or choose().align
        self._starts, self._constants = _PARTS.starts(), _PARTS.constants()
        at = list(GUIDES)
        self._mean, self._rest = np.ascontiguousarray(model.mean_mm[at], np.float32), guides_at_rest(model)
        basis = np.concatenate([model.expression_mm[:, at], model.identity_mm[:, at]])  # in the order of the buffers
        self._basis = np.ascontiguousarray(basis, np.float32)
        self._buffers = [
            tuple(np.zeros(count, np.float32) for count in (len(basis), _STD_COUNT, 5)) for _ in range(slots)
        ]

    def __call__(self, guess: Guess, slot: int, track_id: int = 0) -> Fit:
        """Lift one guess. All of the fit but its pose is overwritten when its slot is used again."""
        roi, output = guess.roi, guess.output
        coefficients, std, regions = self._buffers[slot]
        expression, identity = coefficients[:52], coefficients[52:]
        identity[:] = output[_IDENTITY]
        numbers = np.empty(NUMBERS)
        self._lift(
            self._starts, self._constants, output, roi.x_px, roi.y_px, roi.side_px, roi.roll_rad, guess.presence,
            expression, std, regions, numbers,
        )  # fmt: skip
        self._align(
            self._mean, self._basis, coefficients, self._rest, output[_GUIDES], output[_GUIDES_STD], DEPTH_SHARE,
            (roi.x_px, roi.y_px, roi.side_px, roi.roll_rad), numbers[:12],
        )  # fmt: skip
        scale, trust = numbers[11:13].tolist()
        rotation, center_px = numbers[:9].reshape(3, 3), numbers[9:11]
        identity_std, rotation_std, centre_std, scale_std = std[_OTHER_STD].tolist()
        return Fit(
            track_id, expression, identity, rotation, center_px, scale,
            guess.presence, regions, trust, std[:52], identity_std, rotation_std, centre_std * roi.side_px, scale_std,
            _plausible(_square(rotation, center_px, scale), roi),
        )  # fmt: skip

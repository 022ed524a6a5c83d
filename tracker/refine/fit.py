"""Turn what the network said about a crop into a head in front of the camera.

Given a guess it looks at no pixel (see `compare`). The `locate` kernel clips the coefficients to what they mean,
carries the pose that the network regresses to the source picture, and replaces it by the one that puts the face model's
own points where the network points at them. It knows neither frames nor sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.topology import GUIDES
from tracker.kernels.backend import choose
from tracker.kernels.heads import STARTS, Shape
from tracker.kernels.locate import NUMBERS, Locate
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
_OTHER_STD = slice(52, 56)  # identity, rotation, centre, log scale
_PARTS = {"moving": "expression", "lasting": "identity", "offset": "centre", "log_std": "expression_log_std",
          "points": "guides", "points_log_std": "guides_log_std"}  # fmt: skip
"""What the student calls the parts that the kernels have other names for."""
PART_STARTS = tuple(SLICES[_PARTS.get(name, name)].start for name in STARTS)
LIFT_NUMBERS = (ROI_SIDE_MM, *ROI_CENTRE_MM, HALF_TRUST, DEPTH_SHARE, FURTHEST, PLAUSIBLE_LOG_SCALE)
"""Both as `kernels.heads.Shape` takes them."""
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
    """False where size or place contradict the square or the network said a number that is none: the guess is not to be
    followed, nor remembered."""

    def seen_as(self, expression: np.ndarray, region_confidence: np.ndarray, pose: np.ndarray) -> Fit:
        """The same head as its pixels showed it; `pose` is that of `kernels.resemble`, trust included."""
        scale, trust = pose[11:].tolist()
        return Fit(
            self.track_id, expression, self.identity, pose[:9].reshape(3, 3), pose[9:11], scale, self.presence,
            region_confidence, trust, self.expression_std, self.identity_std, self.rotation_std_rad,
            self.centre_std_px, self.log_scale_std, self.plausible,
        )  # fmt: skip

    def roi(self) -> Roi:
        """The square to look at in the next frame."""
        (a, b, c), (d, e, f), _ = self.rotation.tolist()
        (u, v, w), scale = ROI_CENTRE_MM, self.scale_px_per_mm
        x_px, y_px = self.center_px.tolist()
        x_px, y_px = x_px + scale * (a * u + b * v + c * w), y_px + scale * (d * u + e * v + f * w)
        return Roi(x_px, y_px, scale * ROI_SIDE_MM, math.atan2(d - b, a + e))


def unseen(fit: Fit, face: Face) -> Fit:
    """The last fit of a track that is not seen now, from what was published of it: nothing of it is to be trusted."""
    return replace(
        fit, expression=face.blendshapes_raw, expression_std=face.deviation.expression, presence=0.0, trust=0.0,
        region_confidence=np.zeros_like(fit.region_confidence),
    )  # fmt: skip


class Refiner:
    """Guess to fit, with buffers for `slots` faces. Where no pose follows from the guides, the regressed one stays."""

    def __init__(self, slots: int, model: FaceModel, locate: Locate | None = None) -> None:
        self._locate, at = locate or choose().locate, list(GUIDES)
        basis = np.concatenate([model.expression_mm[:, at], model.identity_mm[:, at]])  # in the order of the buffers
        self._shape = Shape(
            np.ascontiguousarray(model.mean_mm[at], np.float32), np.ascontiguousarray(basis, np.float32),
            guides_at_rest(model), len(model.expression_mm), np.array(PART_STARTS, np.int32), np.array(LIFT_NUMBERS),
        )  # fmt: skip
        self._buffers = [
            tuple(np.zeros(count, np.float32) for count in (len(basis), _STD_COUNT, 5)) for _ in range(slots)
        ]

    def __call__(self, guess: Guess, slot: int, track_id: int = 0) -> Fit:
        """Lift one guess. All of the fit but its pose is overwritten when its slot is used again."""
        roi, numbers = guess.roi, np.empty(NUMBERS)
        coefficients, std, regions = self._buffers[slot]
        plausible = self._locate(
            guess.output, self._shape, (roi.x_px, roi.y_px, roi.side_px, roi.roll_rad), guess.presence, coefficients,
            std, regions, numbers,
        )  # fmt: skip
        scale, trust = numbers[11:13].tolist()
        identity_std, rotation_std, centre_std, scale_std = std[_OTHER_STD].tolist()
        return Fit(
            track_id, coefficients[:52], coefficients[52:], numbers[:9].reshape(3, 3), numbers[9:11], scale,
            guess.presence, regions, trust, std[:52], identity_std, rotation_std, centre_std * roi.side_px, scale_std,
            plausible,
        )  # fmt: skip

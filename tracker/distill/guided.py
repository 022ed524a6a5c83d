"""Where the landmarks that the network points at put the head, for many crops: what the run time does, in batches.

Given output vectors and the face model it returns poses and the mesh under them. It compares them with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.face import topology
from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.refine.fit import DEPTH_SHARE
from tracker.regress.guides import guides_at_rest
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, SLICES

_SQUARE = (CROP_PX / 2, CROP_PX / 2, float(CROP_PX), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Guided:
    """N heads in their crops."""

    rotation: np.ndarray
    """float64 [N, 3, 3]; the identity where no pose follows from the guides."""
    origin: np.ndarray
    """float64 [N, 2]: the head's origin, crop pixels."""
    scale: np.ndarray
    """float64 [N]: crop pixels per millimetre."""
    points: np.ndarray
    """float64 [N, 478, 3]: the mesh, crop pixels."""

    def centre(self) -> np.ndarray:
        """float64 [N, 2]: `ROI_CENTRE_MM` in crop pixels."""
        place: np.ndarray = self.origin + self.scale[:, None] * (self.rotation @ ROI_CENTRE_MM)[:, :2]
        return place


def guided(vectors: np.ndarray, model: FaceModel) -> Guided:
    """Poses from the guides of output vectors [N, WIDTH]."""
    at, align, rest = list(topology.GUIDES), choose().align, guides_at_rest(model)
    mean = np.ascontiguousarray(model.mean_mm[at], np.float32)
    whole = np.concatenate([model.expression_mm, model.identity_mm])
    basis = np.ascontiguousarray(whole[:, at], np.float32)
    vectors = np.ascontiguousarray(vectors, np.float32)
    weights = np.concatenate([vectors[:, SLICES["expression"]].clip(0, 1), vectors[:, SLICES["identity"]]], 1)
    poses = np.tile([1.0, 0, 0, 0, 1, 0, 0, 0, 1, CROP_PX / 2, CROP_PX / 2, 1], (len(vectors), 1))
    for vector, weight, pose in zip(vectors, weights, poses, strict=True):
        offset, log_std = vector[SLICES["guides"]], vector[SLICES["guides_log_std"]]
        align(mean, basis, weight, rest, offset, log_std, DEPTH_SHARE, _SQUARE, pose)
    rotation, origin, scale = poses[:, :9].reshape(-1, 3, 3), poses[:, 9:11], poses[:, 11]
    shape = model.mean_mm + np.tensordot(weights, whole, 1)
    points = scale[:, None, None] * (shape @ rotation.transpose(0, 2, 1))
    points[:, :, :2] += origin[:, None]
    return Guided(rotation, origin, scale, points)

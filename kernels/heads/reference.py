"""`heads` in plain float64, face by face, by the references of what it joins. Given checked arrays."""

from __future__ import annotations

import math

import numpy as np

from tracker.kernels.align.reference import align
from tracker.kernels.heads import Seen, Shape
from tracker.kernels.lift import LOG_SCALE_LIMIT, LOG_STD_LIMITS
from tracker.kernels.lift.reference import orthonormal


def heads(vectors: np.ndarray, shape: Shape, seen: Seen) -> None:
    """Fill `seen`."""
    for face, vector in enumerate(vectors):
        _one(vector, shape, seen, face)


def _one(vector: np.ndarray, shape: Shape, seen: Seen, face: int) -> None:
    moving, lasting, six, offset, log_scale, logit, log_std, points, points_std = shape.starts.tolist()
    side_mm, *anchor, half_trust, depth_share, furthest, most_log_scale = shape.numbers.tolist()
    coefficients, std, trust, pose = seen.coefficients[face], seen.std[face], seen.trust[face], seen.pose[face]
    coefficients[: shape.moving] = np.clip(vector[moving : moving + shape.moving], 0, 1)
    coefficients[shape.moving :] = vector[lasting : lasting + len(coefficients) - shape.moving]
    std[:] = np.exp(np.clip(vector[log_std : log_std + len(std)].astype(np.float64), *LOG_STD_LIMITS))
    seen.presence[face] = 1 / (1 + math.exp(-min(max(float(vector[logit]), -30.0), 30.0)))
    trust[:] = seen.presence[face] / (1 + (std[len(std) - len(trust) :].astype(np.float64) / half_trust) ** 2)
    rotation = orthonormal(vector[six : six + 6])
    held = min(max(float(vector[log_scale]), -LOG_SCALE_LIMIT), LOG_SCALE_LIMIT)
    scale = math.exp(held) / side_mm
    middle = 0.5 + vector[offset : offset + 2].astype(np.float64)
    pose[:9], pose[11] = rotation.reshape(-1), scale
    pose[9:11] = middle - scale * (rotation @ anchor)[:2]
    count = len(shape.mean)
    offsets, doubts = vector[points : points + 3 * count], vector[points_std : points_std + count]
    align(shape.mean, shape.basis, coefficients, shape.rest, offsets, doubts, depth_share, 0.5, 0.5, 1.0, 0.0, pose)
    middle = pose[9:11] + pose[11] * (pose[:9].reshape(3, 3) @ anchor)[:2]
    ratio = max(pose[11] * side_mm, 1e-9)
    near = np.hypot(*(middle - 0.5)) < furthest and abs(math.log(ratio)) < most_log_scale
    seen.plausible[face] = near and np.isfinite(vector).all()

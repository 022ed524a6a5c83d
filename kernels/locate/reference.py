"""`locate` in plain float64: the references of what it joins. Given checked arrays."""

from __future__ import annotations

import math

import numpy as np

from tracker.kernels.align.reference import align
from tracker.kernels.heads import Shape
from tracker.kernels.lift.reference import lift


def locate(
    vector: np.ndarray, shape: Shape, x_px: float, y_px: float, side_px: float, roll_rad: float, presence: float,
    coefficients: np.ndarray, std: np.ndarray, trust: np.ndarray, numbers: np.ndarray,
) -> bool:  # fmt: skip
    """Fill the last four; returns whether the pose is plausible."""
    moving, lasting, rotation, offset, log_scale, _, log_std, points, points_std = shape.starts.tolist()
    side_mm, *anchor, _, depth_share, furthest, most_log_scale = shape.numbers.tolist()
    starts, count = np.array([moving, rotation, offset, log_scale, log_std]), len(shape.mean)
    square = (x_px, y_px, side_px, roll_rad)
    coefficients[shape.moving :] = vector[lasting : lasting + len(coefficients) - shape.moving]
    lift(starts, shape.numbers[:5], vector, *square, presence, coefficients[: shape.moving], std, trust, numbers)
    align(
        shape.mean, shape.basis, coefficients, shape.rest, vector[points : points + 3 * count],
        vector[points_std : points_std + count], depth_share, *square, numbers[:12],
    )  # fmt: skip
    middle = numbers[9:11] + numbers[11] * (numbers[:9].reshape(3, 3) @ anchor)[:2]
    ratio = max(numbers[11] * side_mm / side_px, 1e-9)
    away = math.hypot(middle[0] - x_px, middle[1] - y_px)
    near = away < furthest * side_px and abs(math.log(ratio)) < most_log_scale
    return near and bool(np.isfinite(vector).all())

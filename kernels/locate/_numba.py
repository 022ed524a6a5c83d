"""`locate` for the CPU, compiled by numba: the compiled `lift`, then the compiled `align`."""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, types

from tracker.kernels.align import _numba as align_
from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.heads import Shape
from tracker.kernels.lift import _numba as lift_
from tracker.kernels.locate import NUMBERS

lift, align = lift_.lift, align_.align
_F1, _F2, _F3 = (types.Array(float32, rank, "C", readonly=True) for rank in (1, 2, 3))
_STARTS, _NUMBERS = types.Array(int32, 1, "C", readonly=True), types.Array(float64, 1, "C", readonly=True)


@part
def _plausible(numbers, pose, x, y, side):
    """Is that about the size and the place of the square?"""
    u, v = pose[9] - x, pose[10] - y
    for k in range(3):
        u += pose[11] * pose[k] * numbers[1 + k]
        v += pose[11] * pose[3 + k] * numbers[1 + k]
    ratio = max(pose[11] * numbers[0] / side, 1e-9)
    return np.sqrt(u * u + v * v) < numbers[6] * side and abs(np.log(ratio)) < numbers[7]


@part
def _finite(vector):
    astray = 0
    for k in range(vector.size):
        astray += not np.isfinite(vector[k])
    return astray == 0


@compiled(
    int64(
        _F1, _F2, _F3, _F2, int64, _STARTS, _NUMBERS, float64, float64, float64, float64, float64, float32[::1],
        float32[::1], float32[::1], float64[::1],
    )
)  # fmt: skip
def locate(
    vector, mean, basis, rest, moving, starts, numbers, x, y, side, roll, presence, coefficients, std, trust, out
):  # fmt: skip
    """Fill the last four; returns whether the pose is plausible."""
    points, lasting = len(mean), len(basis) - moving
    ends = max(
        starts[0] + moving, starts[1] + lasting, starts[2] + 6, starts[3] + 2, starts[4] + 1, starts[5] + 1,
        starts[6] + std.size, starts[7] + 3 * points, starts[8] + points,
    )  # fmt: skip
    if vector.size < ends or coefficients.size != len(basis) or trust.size > std.size or out.size != NUMBERS:
        return MISFIT
    for k in range(moving, coefficients.size):
        coefficients[k] = vector[starts[1] + k - moving]
    parts = np.empty(5, np.int64)
    parts[0], parts[1], parts[2], parts[3], parts[4] = starts[0], starts[2], starts[3], starts[4], starts[6]
    lift(parts, numbers[:5], vector, x, y, side, roll, presence, coefficients[:moving], std, trust, out)
    count = len(mean)
    align(mean, basis, coefficients, rest, vector[starts[7] : starts[7] + 3 * count],
          vector[starts[8] : starts[8] + count], numbers[5], x, y, side, roll, out[:12])  # fmt: skip
    return int(_plausible(numbers, out, x, y, side) and _finite(vector))


@sees_misfits
def join(
    vector: np.ndarray, shape: Shape, x_px: float, y_px: float, side_px: float, roll_rad: float, presence: float,
    coefficients: np.ndarray, std: np.ndarray, trust: np.ndarray, numbers: np.ndarray,
) -> int:  # fmt: skip
    """Fill the last four."""
    found: int = locate(
        vector, shape.mean, shape.basis, shape.rest, shape.moving, shape.starts, shape.numbers, x_px, y_px, side_px,
        roll_rad, presence, coefficients, std, trust, numbers,
    )  # fmt: skip
    return found

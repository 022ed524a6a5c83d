"""`lift` for the CPU, compiled by numba. Given checked arrays."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, types

from tracker.kernels.compiled import compiled, part
from tracker.kernels.lift import LOG_SCALE_LIMIT, LOG_STD_LIMITS

_LOWEST, _HIGHEST = LOG_STD_LIMITS
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@part
def _upright(vector, at, c, s, rotation):
    """Gram-Schmidt on the six numbers from `at` on, turned by the roll, into `rotation` [3, 3]."""
    a, b, h = np.float64(vector[at]), np.float64(vector[at + 1]), np.float64(vector[at + 2])
    length = max(np.sqrt(a * a + b * b + h * h), 1e-9)
    a, b, h = a / length, b / length, h / length
    d, e, f = np.float64(vector[at + 3]), np.float64(vector[at + 4]), np.float64(vector[at + 5])
    along = a * d + b * e + h * f
    d, e, f = d - along * a, e - along * b, f - along * h
    length = max(np.sqrt(d * d + e * e + f * f), 1e-9)
    d, e, f = d / length, e / length, f / length
    x, y, z = b * f - h * e, h * d - a * f, a * e - b * d
    rotation[0, 0], rotation[0, 1], rotation[0, 2] = c * a - s * b, c * d - s * e, c * x - s * y
    rotation[1, 0], rotation[1, 1], rotation[1, 2] = s * a + c * b, s * d + c * e, s * x + c * y
    rotation[2, 0], rotation[2, 1], rotation[2, 2] = h, f, z


@part
def _trusts(vector, at, presence, half_trust, std, trust):
    """Standard deviations and what they are worth; returns the mean trust."""
    for i in range(std.size):
        std[i] = np.exp(min(max(np.float64(vector[at + i]), _LOWEST), _HIGHEST))
    total, regions = 0.0, std.size - trust.size
    for i in range(trust.size):
        share = np.float64(std[regions + i]) / half_trust
        trust[i] = presence / (1.0 + share * share)
        total += trust[i]
    return total / trust.size


_IN = types.Array(float32, 1, "C", readonly=True)
_STARTS, _CONSTANTS = types.Array(int64, 1, "C", readonly=True), types.Array(float64, 1, "C", readonly=True)


@compiled(
    types.void(
        _STARTS, _CONSTANTS, _IN, float64, float64, float64, float64, float64, float32[::1], float32[::1], float32[::1],
        float64[::1],
    )
)  # fmt: skip
def lift(starts, constants, vector, x, y, side, roll, presence, coefficients, std, trust, numbers):
    """Fill the last four."""
    for i in range(coefficients.size):
        value = vector[starts[0] + i]
        value = value if value > _ZERO else _ZERO
        coefficients[i] = value if value < _ONE else _ONE
    c, s = np.cos(roll), np.sin(roll)
    rotation = numbers[:9].reshape((3, 3))
    _upright(vector, starts[1], c, s, rotation)
    log_scale = np.float64(vector[starts[3]])
    scale = side / constants[0] * np.exp(min(max(log_scale, -LOG_SCALE_LIMIT), LOG_SCALE_LIMIT))
    u, v = side * vector[starts[2]], side * vector[starts[2] + 1]
    for row in range(2):
        anchor = x + c * u - s * v if row == 0 else y + s * u + c * v
        for k in range(3):
            anchor -= scale * rotation[row, k] * constants[1 + k]
        numbers[9 + row] = anchor
    numbers[11] = scale
    numbers[13], numbers[14], numbers[15] = vector[starts[2]], vector[starts[2] + 1], log_scale
    numbers[12] = _trusts(vector, starts[4], presence, constants[4], std, trust)

"""`halve` for the CPU, compiled by numba. Given checked arrays."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, types, uint8

from tracker.kernels.compiled import compiled

_QUARTER, _HALF, _ZERO, _MOST = np.float32(0.25), np.float32(0.5), np.float32(0), np.float32(255)


@compiled(types.void(types.Array(float32, 3, "C", readonly=True), uint8[:, :, ::1]))
def halve(picture, out):
    """Fill `out` [H, W, C]."""
    high, wide, channels = out.shape
    for i in range(high):
        for c in range(channels):
            above, below = picture[c, 2 * i], picture[c, 2 * i + 1]
            for j in range(wide):
                four = (above[2 * j] + above[2 * j + 1]) + (below[2 * j] + below[2 * j + 1])
                out[i, j, c] = np.uint8(min(max(four * _QUARTER + _HALF, _ZERO), _MOST))

"""`morph` for the CPU, compiled by numba: one shape after the other, which vectorises; a weight of zero costs nothing.

Given checked arrays.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from numba import float32, types

from tracker.kernels.compiled import compiled

_V3 = types.Array(float32, 2, "C", readonly=True)
_BV3 = types.Array(float32, 3, "C", readonly=True)
_B = types.Array(float32, 1, "C", readonly=True)


@compiled(types.void(_V3, _BV3, _B, float32[:, ::1]))
def morph(mean, basis, weights, out):
    """Fill `out` [V, 3]."""
    total = out.reshape(-1)
    start = mean.reshape(-1)
    for i in range(total.size):
        total[i] = start[i]
    for b in range(weights.size):
        weight = weights[b]
        if weight != 0:
            shape = basis[b].reshape(-1)
            for i in range(total.size):
                total[i] += weight * shape[i]

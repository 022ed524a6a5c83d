"""`project` for the CPU, compiled by numba. Given checked arrays."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from numba import float32, float64, types

from tracker.kernels.compiled import compiled

_V3 = types.Array(float32, 2, "C", readonly=True)


@compiled(types.void(_V3, float64[:, ::1], float64, float64[::1], float32[:, ::1]))
def project(vertices, rotation, scale, center, out):
    """Fill `out` [V, 3]."""
    for row in range(3):
        a, b, c = scale * rotation[row, 0], scale * rotation[row, 1], scale * rotation[row, 2]
        shift = center[row]
        for v in range(len(vertices)):
            out[v, row] = a * vertices[v, 0] + b * vertices[v, 1] + c * vertices[v, 2] + shift

"""`normals` for the CPU, compiled by numba: triangle after triangle, then one root per vertex. Given checked arrays."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, int32, int64, types

from tracker.kernels.compiled import compiled

_BV3 = types.Array(float32, 3, "C", readonly=True)
_T3 = types.Array(int32, 2, "C", readonly=True)
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled(int64(_BV3, _T3, float32[:, :, ::1]))
def normals(vertices, triangles, out):
    """Fill `out` [B, V, 3]; returns how many triangles were left out."""
    wrong = 0
    for one in range(len(vertices)):
        at, to = vertices[one], out[one]
        to[:] = _ZERO
        count = np.uintp(len(at))
        for t in range(len(triangles)):
            # Unsigned, so that a negative number is too large, and numba wraps no index.
            a, b, c = np.uintp(triangles[t, 0]), np.uintp(triangles[t, 1]), np.uintp(triangles[t, 2])
            if max(a, b, c) >= count:
                wrong += one == 0
                continue
            ux, uy, uz = at[b, 0] - at[a, 0], at[b, 1] - at[a, 1], at[b, 2] - at[a, 2]
            vx, vy, vz = at[c, 0] - at[a, 0], at[c, 1] - at[a, 1], at[c, 2] - at[a, 2]
            x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            for corner in (a, b, c):
                to[corner, 0] += x
                to[corner, 1] += y
                to[corner, 2] += z
        for v in range(count):
            length = np.sqrt(to[v, 0] * to[v, 0] + to[v, 1] * to[v, 1] + to[v, 2] * to[v, 2])
            unit = _ONE / length if length > _ZERO else _ZERO
            to[v, 0] *= unit
            to[v, 1] *= unit
            to[v, 2] *= unit
    return wrong

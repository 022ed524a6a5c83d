"""`normals` for a GPU, in Triton: a lane per vertex, which sums over the triangles that meet there.

Given a device's arrays, checked. Triangles come in the order of their numbers and every operation rounds once, as in
numba's loop, so it has numba's bits, without atomics. Not contracted and counts not specialized, as in `rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import triton
import triton.language as tl

from tracker.kernels.fans import Fans
from tracker.kernels.interop import placed

OPTIONS = {"num_warps": 1, "enable_fp_fusion": False}
"""Of every launch: one warp, so that one face keeps many multiprocessors busy."""
VERTICES = 32
"""Per program."""
_AT_ONCE = tl.constexpr(4)
"""Triangles whose corners are on their way together."""


@triton.jit(do_not_specialize=["corners"])
def normals(vertices, triangles, starts, fans, out, corners, VERTICES: tl.constexpr):
    """One mesh's normals; program (vertices, mesh)."""
    vertex = tl.program_id(0) * VERTICES + tl.arange(0, VERTICES)
    there = vertex < corners
    mesh = vertices + tl.program_id(1).to(tl.int64) * corners * 3
    first = tl.load(starts + vertex, mask=there, other=0)
    count = tl.load(starts + vertex + 1, mask=there, other=0) - first
    x, y, z = tl.zeros([VERTICES], tl.float32), tl.zeros([VERTICES], tl.float32), tl.zeros([VERTICES], tl.float32)
    for number in tl.range(0, tl.max(count), loop_unroll_factor=_AT_ONCE):
        meets = number < count
        t = tl.load(fans + first + number, mask=meets, other=0) // 3
        ax, ay, az = _corner(mesh, triangles + 3 * t, meets)
        bx, by, bz = _corner(mesh, triangles + 3 * t + 1, meets)
        cx, cy, cz = _corner(mesh, triangles + 3 * t + 2, meets)
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        x += tl.where(meets, uy * vz - uz * vy, 0.0)
        y += tl.where(meets, uz * vx - ux * vz, 0.0)
        z += tl.where(meets, ux * vy - uy * vx, 0.0)
    length = tl.sqrt_rn(x * x + y * y + z * z)
    long = length > 0.0
    unit = tl.where(long, tl.div_rn(tl.full([VERTICES], 1.0, tl.float32), tl.where(long, length, 1.0)), 0.0)
    to = out + tl.program_id(1).to(tl.int64) * corners * 3 + 3 * vertex
    tl.store(to, x * unit, mask=there)
    tl.store(to + 1, y * unit, mask=there)
    tl.store(to + 2, z * unit, mask=there)


@triton.jit
def _corner(mesh, name, meets):
    """Where the vertex is that is named there."""
    at = mesh + 3 * tl.load(name, mask=meets, other=0)
    return (tl.load(at, mask=meets, other=0.0), tl.load(at + 1, mask=meets, other=0.0),
            tl.load(at + 2, mask=meets, other=0.0))  # fmt: skip


class VertexNormals:
    """The implementation, with the list of which triangles meet where, kept for one mesh."""

    on_device = True

    def __init__(self, placed: Callable[[np.ndarray, Any], Any] = placed) -> None:
        """`placed` puts a numpy array where another lies."""
        self._fans = Fans(placed)

    def __call__(self, vertices: Any, triangles: Any, out: Any) -> int:
        """Launch what fills `out`; waits for the device when a mesh comes for the first time."""
        batch, corners, _ = vertices.shape
        self._fans.see(triangles, corners)
        normals[(triton.cdiv(corners, VERTICES), batch)](
            vertices, triangles, self._fans.starts, self._fans.corners, out, corners, VERTICES=VERTICES, **OPTIONS
        )
        return self._fans.refused

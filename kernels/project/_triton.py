"""`project` for a GPU, in Triton: a lane per vertex, in double and rounded once, so that it has numba's bits.

Given a device's arrays, checked. Not contracted and counts not specialized, as in `rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
VERTICES = 128
"""Per program."""


@triton.jit(do_not_specialize=["corners", "given"])
def project(vertices, rotation, scale, center, out, corners, given, VERTICES: tl.constexpr):
    """One face's vertices; program (vertices, face). `given` is how many numbers a center has."""
    vertex = tl.program_id(0) * VERTICES + tl.arange(0, VERTICES)
    there = vertex < corners
    face = tl.program_id(1).to(tl.int64)
    at = face * corners * 3 + vertex * 3
    x = tl.load(vertices + at, mask=there, other=0.0).to(tl.float64)
    y = tl.load(vertices + at + 1, mask=there, other=0.0).to(tl.float64)
    z = tl.load(vertices + at + 2, mask=there, other=0.0).to(tl.float64)
    size = tl.load(scale + face).to(tl.float64)
    for row in tl.static_range(3):
        turn = rotation + face * 9 + 3 * row
        a = size * tl.load(turn).to(tl.float64)
        b = size * tl.load(turn + 1).to(tl.float64)
        c = size * tl.load(turn + 2).to(tl.float64)
        shift = tl.load(center + face * given + row, mask=row < given, other=0.0).to(tl.float64)
        tl.store(out + at + row, (a * x + b * y + c * z + shift).to(tl.float32), mask=there)


class Projector:
    """The implementation. Needs no memory."""

    on_device = True

    def __call__(self, vertices: Any, rotation: Any, scale: Any, center: Any, out: Any) -> None:
        """Launch what fills `out` [B, V, 3]; waits for nothing."""
        batch, corners, _ = vertices.shape
        project[(triton.cdiv(corners, VERTICES), batch)](
            vertices, rotation, scale, center, out, corners, center.shape[1], VERTICES=VERTICES, **OPTIONS
        )

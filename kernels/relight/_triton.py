"""`relight` for a GPU, in Triton: a lane per vertex for what is seen, a program per row of the sums, one per solution.

Given a device's arrays, checked. Sums of some hundred terms are kept in double, and so are the nine equations, which
Gauss and Jordan's elimination solves in one tile: the matrix is positive definite, so no pivot is looked for. Sums have
one order, without atomics. Not contracted, counts not specialized and nothing tuned at run time, as in `rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from tracker.kernels.interop import full
from tracker.kernels.relight import DARKEST, LEAST_FACING, RIDGE, Relit
from tracker.kernels.scratch import Scratch
from tracker.kernels.shade import HARMONICS, Surface

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
VERTICES = 128
"""Per program, or at a time."""
_FACING, _DARKEST = tl.constexpr(LEAST_FACING), tl.constexpr(DARKEST)
_WHITE, _THIRD = tl.constexpr(1 / 255), tl.constexpr(1 / 3)
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (tl.constexpr(value) for value in HARMONICS)
_FLAT, _FIRST, _SECOND = (tl.constexpr(RIDGE[k]) for k in (0, 1, 4))


@triton.jit
def _triple(of, at, there):
    """Three numbers that lie together."""
    return (tl.load(of + at, mask=there, other=0.0), tl.load(of + at + 1, mask=there, other=0.0),
            tl.load(of + at + 2, mask=there, other=0.0))  # fmt: skip


@triton.jit
def _basis(x, y, z):
    """The nine functions."""
    return (x * 0.0 + _Y0, y * _Y1, z * _Y2, x * _Y3, x * _Y4 * y, y * _Y5 * z, (3.0 * z * z - 1.0) * _Y6,
            x * _Y7 * z, (x * x - y * y) * _Y8)  # fmt: skip


@triton.jit(do_not_specialize=["corners", "high", "wide", "slack", "soft"])
def look(
    vertices, normals, albedo, lighting, depth, target, seen, weight, corners, high, wide, slack, soft,
    VERTICES: tl.constexpr,
):  # fmt: skip
    """What each vertex shows, and how much it counts; program (vertices, picture)."""
    vertex = tl.program_id(0) * VERTICES + tl.arange(0, VERTICES)
    there = vertex < corners
    one = tl.program_id(1).to(tl.int64)
    at = one * corners * 3 + vertex * 3
    x, y, z = _triple(vertices, at, there)
    x, y = tl.floor(x), tl.floor(y)
    inside = there & (x >= 0.0) & (y >= 0.0) & (x < wide.to(tl.float32)) & (y < high.to(tl.float32))
    pixel = tl.where(inside, y, 0.0).to(tl.int32) * wide + tl.where(inside, x, 0.0).to(tl.int32)
    pixel += one * high * wide
    red = tl.load(target + pixel * 3, mask=inside, other=0).to(tl.float32) * _WHITE
    green = tl.load(target + pixel * 3 + 1, mask=inside, other=0).to(tl.float32) * _WHITE
    blue = tl.load(target + pixel * 3 + 2, mask=inside, other=0).to(tl.float32) * _WHITE
    tl.store(seen + at, red, mask=there)
    tl.store(seen + at + 1, green, mask=there)
    tl.store(seen + at + 2, blue, mask=there)
    of_red, of_green, of_blue = _triple(albedo, at, there)
    nx, ny, nz = _triple(normals, at, there)
    facing = -nz - _FACING
    shown = inside & (z <= tl.load(depth + pixel, mask=inside, other=0.0) + slack) & (facing > 0.0)
    shown &= (of_red >= _DARKEST) & (of_green >= _DARKEST) & (of_blue >= _DARKEST)
    b0, b1, b2, b3, b4, b5, b6, b7, b8 = _basis(nx, ny, nz)
    squared = tl.zeros([VERTICES], tl.float32)
    for channel in tl.static_range(3):
        of = lighting + one * 27 + channel
        lit = b0 * tl.load(of) + b1 * tl.load(of + 3) + b2 * tl.load(of + 6) + b3 * tl.load(of + 9)
        lit += b4 * tl.load(of + 12) + b5 * tl.load(of + 15) + b6 * tl.load(of + 18)
        lit += b7 * tl.load(of + 21) + b8 * tl.load(of + 24)
        if channel == 0:
            away = red - of_red * lit
        elif channel == 1:
            away = green - of_green * lit
        else:
            away = blue - of_blue * lit
        squared += away * away
    share = tl.div_rn(tl.full([VERTICES], 1.0, tl.float32), 1.0 + soft * squared)
    tl.store(weight + one * corners + vertex, tl.where(shown, facing * share * share, 0.0), mask=there)


@triton.jit(do_not_specialize=["corners"])
def sum_up(normals, albedo, seen, weight, sums, corners, VERTICES: tl.constexpr):
    """One row of the matrix and of the three right sides, twelve numbers; program (row, picture)."""
    row = tl.program_id(0)
    one = tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, VERTICES)
    nothing = tl.zeros([VERTICES], tl.float64)
    s0, s1, s2, s3, s4, s5 = nothing, nothing, nothing, nothing, nothing, nothing
    s6, s7, s8, red, green, blue = nothing, nothing, nothing, nothing, nothing, nothing
    for first in range(0, corners, VERTICES):
        there = first + lane < corners
        vertex = one * corners + first + lane
        x, y, z = _triple(normals, vertex * 3, there)
        b0, b1, b2, b3, b4, b5, b6, b7, b8 = _basis(x, y, z)
        mine = tl.where(row == 0, b0, tl.where(row == 1, b1, tl.where(row == 2, b2, tl.where(row == 3, b3, b4))))
        rest = tl.where(row == 5, b5, tl.where(row == 6, b6, tl.where(row == 7, b7, b8)))
        counts = tl.load(weight + vertex, mask=there, other=0.0)
        shown = counts > 0.0
        of_red, of_green, of_blue = _triple(albedo, vertex * 3, shown)
        is_red, is_green, is_blue = _triple(seen, vertex * 3, shown)
        mean = (of_red + of_green + of_blue) * _THIRD
        part = tl.where(shown, counts * mean * mean * tl.where(row < 5, mine, rest), 0.0)
        s0 += (part * b0).to(tl.float64)
        s1 += (part * b1).to(tl.float64)
        s2 += (part * b2).to(tl.float64)
        s3 += (part * b3).to(tl.float64)
        s4 += (part * b4).to(tl.float64)
        s5 += (part * b5).to(tl.float64)
        s6 += (part * b6).to(tl.float64)
        s7 += (part * b7).to(tl.float64)
        s8 += (part * b8).to(tl.float64)
        red += (part * tl.div_rn(is_red, tl.where(shown, of_red, 1.0))).to(tl.float64)
        green += (part * tl.div_rn(is_green, tl.where(shown, of_green, 1.0))).to(tl.float64)
        blue += (part * tl.div_rn(is_blue, tl.where(shown, of_blue, 1.0))).to(tl.float64)
    to = sums + (one * 9 + row) * 12
    tl.store(to, tl.sum(s0))
    tl.store(to + 1, tl.sum(s1))
    tl.store(to + 2, tl.sum(s2))
    tl.store(to + 3, tl.sum(s3))
    tl.store(to + 4, tl.sum(s4))
    tl.store(to + 5, tl.sum(s5))
    tl.store(to + 6, tl.sum(s6))
    tl.store(to + 7, tl.sum(s7))
    tl.store(to + 8, tl.sum(s8))
    tl.store(to + 9, tl.sum(red))
    tl.store(to + 10, tl.sum(green))
    tl.store(to + 11, tl.sum(blue))


@triton.jit
def solve(sums, lighting):
    """The lighting of one picture; program (picture)."""
    one = tl.program_id(0).to(tl.int64)
    index = tl.arange(0, 16)
    row, column = index[:, None], index[None, :]
    known = (row < 9) & (column < 12)
    tile = tl.load(sums + one * 108 + row * 12 + column, mask=known, other=0.0)
    ridge = tl.where(row == 0, _FLAT, tl.where(row < 4, _FIRST, _SECOND))
    tile += tl.where((row == column) & (row < 9), ridge, 0.0).to(tl.float64)
    for k in tl.static_range(9):
        across = tl.sum(tl.where(row == k, tile, 0.0), axis=0)
        down = tl.sum(tl.where(column == k, tile, 0.0), axis=1)
        pivot = tl.sum(tl.where(index == k, down, 0.0), axis=0)
        # The row itself is divided by the pivot; the others lose what they have in this column.
        share = tl.where(index == k, pivot - 1.0, down) / pivot
        tile -= share[:, None] * across[None, :]
    to = lighting + one * 27 + row * 3 + (column - 9)
    tl.store(to, tile.to(tl.float32), mask=known & (column >= 9))


class Relighter:
    """The implementation with its scratch memory: the sums."""

    on_device = True

    def __init__(self, full: Callable[[int, int, str, Any], Any] = full) -> None:
        """`full` makes an array of a size, value and type where another lies."""
        self._scratch = Scratch(full)

    def __call__(
        self, surface: Surface, depth: Any, target: Any, slack: float, inverse_square: float, out: Relit
    ) -> None:  # fmt: skip
        """Launch what fills `out`; waits for nothing."""
        batch, high, wide = depth.shape
        corners = surface.vertices_px.shape[1]
        sums = self._scratch("sums", batch * 108, "float64", depth)
        look[(triton.cdiv(corners, VERTICES), batch)](
            surface.vertices_px, surface.normals, surface.albedo, surface.lighting, depth, target, out.seen, out.weight,
            corners, high, wide, slack, float(inverse_square), VERTICES=VERTICES, **OPTIONS,
        )  # fmt: skip
        sum_up[(9, batch)](
            surface.normals, surface.albedo, out.seen, out.weight, sums, corners, VERTICES=VERTICES, **OPTIONS
        )
        solve[(batch,)](sums, out.lighting, **OPTIONS)

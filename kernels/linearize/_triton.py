"""`linearize` for a GPU, in Triton: a lane per vertex and landmark for the residuals, a lane per entry of the Jacobian.

Given a device's arrays, checked. How fast the picture's luma rises at a vertex is kept between the two kernels, since
every entry of a row needs it. Not contracted, counts not specialized and nothing tuned at run time, as in `rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from tracker.kernels.gauss_newton import Problem
from tracker.kernels.interop import full
from tracker.kernels.linearize import LUMA, POSE, Balance
from tracker.kernels.scratch import Scratch

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
ROWS, ENTRIES = 128, 256
"""Per program of the two kernels."""
_POSE = tl.constexpr(POSE)
_R, _G, _B = (tl.constexpr(share) for share in LUMA)
_RED, _GREEN, _BLUE = (tl.constexpr(share / 255) for share in LUMA)


@triton.jit
def _luma(target, pixel, there):
    red = tl.load(target + 3 * pixel, mask=there, other=0).to(tl.float32)
    green = tl.load(target + 3 * pixel + 1, mask=there, other=0).to(tl.float32)
    blue = tl.load(target + 3 * pixel + 2, mask=there, other=0).to(tl.float32)
    return red * _RED + green * _GREEN + blue * _BLUE


@triton.jit
def _held(value, most):
    """Between 0 and `most`, 0 where it is not a number, and whether it was there."""
    inside = (value >= 0.0) & (value <= most)
    return tl.where(value >= 0.0, tl.minimum(value, most), 0.0), inside


@triton.jit(do_not_specialize=["count", "landmarks", "high", "wide", "photometric", "unit", "landmark", "least"])
def read(
    vertices, colours, counts, target, at, places, std, slopes, residual, weight,
    count, landmarks, high, wide, photometric, unit, landmark, least, ROWS: tl.constexpr,
):  # fmt: skip
    """Residuals and weights, and the slopes under the vertices; program (vertices and landmarks, face)."""
    lane = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    face = tl.program_id(1).to(tl.int64)
    rows = face * (count + 2 * landmarks)

    there = lane < count
    vertex = face * count + lane
    x = tl.load(vertices + 3 * vertex, mask=there, other=0.0) - 0.5
    y = tl.load(vertices + 3 * vertex + 1, mask=there, other=0.0) - 0.5
    right, bottom = (wide - 1).to(tl.float32), (high - 1).to(tl.float32)
    x, inside_x = _held(x, right)
    y, inside_y = _held(y, bottom)
    column, row = tl.minimum(tl.floor(x), right - 1.0), tl.minimum(tl.floor(y), bottom - 1.0)
    p, q = x - column, y - row
    pixel = face * high * wide + row.to(tl.int32) * wide + column.to(tl.int32)
    a, b = _luma(target, pixel, there), _luma(target, pixel + 1, there)
    c, d = _luma(target, pixel + wide, there), _luma(target, pixel + wide + 1, there)
    above, below = a + p * (b - a), c + p * (d - c)
    shown = tl.load(colours + 3 * vertex, mask=there, other=0.0) * _R
    shown += tl.load(colours + 3 * vertex + 1, mask=there, other=0.0) * _G
    shown += tl.load(colours + 3 * vertex + 2, mask=there, other=0.0) * _B
    tl.store(residual + rows + lane, (above + q * (below - above) - shown) * unit, mask=there)
    tl.store(weight + rows + lane, photometric * tl.load(counts + vertex, mask=there, other=0.0), mask=there)
    across, down = (b - a) + q * ((d - c) - (b - a)), below - above
    tl.store(slopes + 2 * vertex, tl.where(inside_x, across * unit, 0.0), mask=there)
    tl.store(slopes + 2 * vertex + 1, tl.where(inside_y, down * unit, 0.0), mask=there)

    n = lane - count
    there = (n >= 0) & (n < landmarks)
    v = tl.load(at + n, mask=there, other=-1)
    known = there & (v >= 0) & (v < count)
    unit_px = tl.div_rn(tl.full([ROWS], 1.0, tl.float32), _spread(std, face * landmarks + n, there, least))
    place = places + 2 * (face * landmarks + n)
    corner = vertices + 3 * (face * count + v)
    to = rows + count + 2 * n
    for axis in tl.static_range(2):
        away = tl.load(corner + axis, mask=known, other=0.0) - tl.load(place + axis, mask=known, other=0.0)
        tl.store(residual + to + axis, away * unit_px, mask=there)
        tl.store(weight + to + axis, tl.where(known, landmark, 0.0), mask=there)


@triton.jit
def _spread(std, at, there, least):
    return tl.maximum(tl.load(std + at, mask=there, other=1.0), least)


@triton.jit(do_not_specialize=["count", "landmarks", "parameters", "least"])
def fill(
    vertices, about, view, shapes, at, std, slopes, jacobian, count, landmarks, parameters, least,
    ENTRIES: tl.constexpr,
):  # fmt: skip
    """Entries of the Jacobian; program (entries, face)."""
    entry = tl.program_id(0) * ENTRIES + tl.arange(0, ENTRIES)
    row, p = entry // parameters, entry % parameters
    face = tl.program_id(1).to(tl.int64)
    there = row < count + 2 * landmarks
    n, down_too = (row - count) // 2, (row - count) % 2
    of_picture = there & (row < count)
    of_landmark = there & (row >= count)
    v = tl.where(of_picture, row, tl.load(at + n, mask=of_landmark, other=-1))
    known = there & (v >= 0) & (v < count)
    unit_px = tl.div_rn(tl.full([ENTRIES], 1.0, tl.float32), _spread(std, face * landmarks + n, of_landmark, least))
    slope = slopes + 2 * (face * count + row)
    right = tl.where(of_picture, tl.load(slope, mask=of_picture, other=0.0), tl.where(down_too == 0, unit_px, 0.0))
    below = tl.where(of_picture, tl.load(slope + 1, mask=of_picture, other=0.0), tl.where(down_too == 1, unit_px, 0.0))

    corner = vertices + 3 * (face * count + v)
    x = tl.load(corner, mask=known, other=0.0) - tl.load(about + 3 * face)
    y = tl.load(corner + 1, mask=known, other=0.0) - tl.load(about + 3 * face + 1)
    z = tl.load(corner + 2, mask=known, other=0.0) - tl.load(about + 3 * face + 2)
    across = tl.where(p == 1, z, tl.where(p == 2, -y, tl.where(p == 3, 1.0, tl.where(p == 5, x, 0.0))))
    down = tl.where(p == 0, -z, tl.where(p == 2, x, tl.where(p == 4, 1.0, tl.where(p == 5, y, 0.0))))
    moved = known & (p >= _POSE)
    shape = shapes + ((p - _POSE).to(tl.int64) * count + v) * 3
    a = tl.load(shape, mask=moved, other=0.0)
    b = tl.load(shape + 1, mask=moved, other=0.0)
    c = tl.load(shape + 2, mask=moved, other=0.0)
    by = view + 6 * face
    across = tl.where(moved, tl.load(by) * a + tl.load(by + 1) * b + tl.load(by + 2) * c, across)
    down = tl.where(moved, tl.load(by + 3) * a + tl.load(by + 4) * b + tl.load(by + 5) * c, down)
    to = jacobian + face * (count + 2 * landmarks) * parameters + entry
    tl.store(to, tl.where(known, right * across + below * down, 0.0), mask=there)


class Linearizer:
    """The implementation with its scratch memory: the slopes."""

    on_device = True

    def __init__(self, full: Callable[[int, int, str, Any], Any] = full) -> None:
        """`full` makes an array of a size, value and type where another lies."""
        self._scratch = Scratch(full)

    def __call__(
        self, vertices: Any, about: Any, view: Any, shapes: Any, colours: Any, counts: Any, target: Any, at: Any,
        landmarks: Any, std: Any, balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Launch what fills the rows of `problem`; waits for nothing."""
        batch, high, wide, _ = target.shape
        count, marks = vertices.shape[1], at.shape[0]
        parameters = problem.jacobian.shape[2]
        slopes = self._scratch("slopes", 2 * batch * count, "float32", vertices)
        # As Python's, whatever they are: Triton takes none of numpy's, and would compile anew for a whole number.
        photometric, unit, landmark, least = (
            float(one) for one in (balance.photometric, 1 / balance.spread, balance.landmark, balance.least_std_px)
        )
        read[(triton.cdiv(count + marks, ROWS), batch)](
            vertices, colours, counts, target, at, landmarks, std, slopes, problem.residual, problem.weight,
            count, marks, high, wide, photometric, unit, landmark, least, ROWS=ROWS, **OPTIONS,
        )  # fmt: skip
        fill[(triton.cdiv((count + 2 * marks) * parameters, ENTRIES), batch)](
            vertices, about, view, shapes, at, std, slopes, problem.jacobian, count, marks, parameters, least,
            ENTRIES=ENTRIES, **OPTIONS,
        )  # fmt: skip

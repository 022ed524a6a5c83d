"""The silhouettes of `shade_gradient` in Triton: a lane per pixel and direction walks to the edge and adds to its ends.

Which edge that is shows only at the end of the walk, so lanes scatter: to 64-bit integers, whose sum does not depend on
the order. What an edge takes is at most twice the largest weight, and counts in 2^-36 of that. Every decision on the
way is numba's, so the same edges are found.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import triton
import triton.language as tl

from tracker.kernels.shade_gradient import MOST_STEPS
from tracker.kernels.shade_gradient._triton_parts import clipped, exponent_of, place_of, triangle_at

_STEPS = tl.constexpr(MOST_STEPS)


@triton.jit
def _facing(ax, ay, bx, by, cx, cy):
    """1, -1 or 0: which way a triangle turns."""
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return tl.where(area > 0.0, 1.0, tl.where(area < 0.0, -1.0, 0.0))


@triton.jit
def _leaves(ax, ay, bx, by, x, y, right, down, sign, allowed, nearest):
    """Where along the line to the next pixel it leaves the triangle by the edge a -> b: infinite if not nearer."""
    dx, dy = bx - ax, by - ay
    inner = (dx * (y - ay) - dy * (x - ax)) * sign
    outer = inner + (dx * down - dy * right) * sign
    inner = tl.maximum(inner, 0.0)
    good = allowed & (outer < 0.0)
    way = tl.div_rn(inner, tl.where(good, inner - outer, 1.0))
    return good & (way < nearest), way


@triton.jit(do_not_specialize=["first", "faces", "corners", "high", "wide", "places"])
def outline(
    vertices, triangles, neighbours, ids, weights, energy, sums,
    first, faces, corners, high, wide, places, PIXELS: tl.constexpr,
):  # fmt: skip
    """Walk from each pixel to the silhouette before the next one and add to its corners; program (pixels, picture,
    direction)."""
    way = tl.program_id(2)
    forward = 1 - 2 * (way % 2)
    right, down = tl.where(way < 2, forward, 0), tl.where(way < 2, 0, forward)
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    i, j = at // wide, at % wide
    pair = (at < high * wide) & (i + down >= 0) & (i + down < high) & (j + right >= 0) & (j + right < wide)
    one = (first + tl.program_id(1)).to(tl.int64)
    step = down * wide + right
    t = tl.load(ids + one * high * wide + at, mask=pair, other=-1)
    next = tl.load(ids + one * high * wide + at + step, mask=pair, other=-1)
    walks = pair & (t >= 0) & (t < faces) & (next != t)
    mesh = vertices + one * corners * 3
    a, b, c, known = triangle_at(triangles, t, corners, walks)
    walks &= known
    ax, ay = place_of(mesh, a, walks)
    bx, by = place_of(mesh, b, walks)
    cx, cy = place_of(mesh, c, walks)
    x, y = j.to(tl.float32) + 0.5, i.to(tl.float32) + 0.5
    to_right, to_down = right.to(tl.float32), down.to(tl.float32)
    entered = tl.full([PIXELS], -1, tl.int32)
    found = at < 0
    p, q = a, b
    px, py, qx, qy = ax, ay, bx, by
    number = 0
    while (number < _STEPS) & (tl.max(walks.to(tl.int32)) > 0):
        sign = _facing(ax, ay, bx, by, cx, cy)
        # By the edge opposite each corner, the first of the nearest ones.
        nearest = tl.full([PIXELS], float("inf"), tl.float32)
        by_a, far = _leaves(bx, by, cx, cy, x, y, to_right, to_down, sign, walks & (entered != 0), nearest)
        nearest = tl.where(by_a, far, nearest)
        by_b, far = _leaves(cx, cy, ax, ay, x, y, to_right, to_down, sign, walks & (entered != 1), nearest)
        nearest = tl.where(by_b, far, nearest)
        by_c, far = _leaves(ax, ay, bx, by, x, y, to_right, to_down, sign, walks & (entered != 2), nearest)
        crossed = tl.where(by_c, 2, tl.where(by_b, 1, 0))
        walks &= by_a | by_b | by_c
        behind = tl.load(neighbours + 3 * t + crossed, mask=walks, other=-1)
        behind = tl.where(behind < faces, behind, -1)
        on = walks & (behind >= 0)
        a2, b2, c2, known = triangle_at(triangles, behind, corners, on)
        on &= known
        ax2, ay2 = place_of(mesh, a2, on)
        bx2, by2 = place_of(mesh, b2, on)
        cx2, cy2 = place_of(mesh, c2, on)
        ends = walks & ((on == 0) | (_facing(ax2, ay2, bx2, by2, cx2, cy2) * sign <= 0.0))
        found |= ends
        p = tl.where(ends, tl.where(crossed == 0, b, tl.where(crossed == 1, c, a)), p)
        q = tl.where(ends, tl.where(crossed == 0, c, tl.where(crossed == 1, a, b)), q)
        px = tl.where(ends, tl.where(crossed == 0, bx, tl.where(crossed == 1, cx, ax)), px)
        py = tl.where(ends, tl.where(crossed == 0, by, tl.where(crossed == 1, cy, ay)), py)
        qx = tl.where(ends, tl.where(crossed == 0, cx, tl.where(crossed == 1, ax, bx)), qx)
        qy = tl.where(ends, tl.where(crossed == 0, cy, tl.where(crossed == 1, ay, by)), qy)
        walks &= (ends == 0) & (behind != next)
        came = neighbours + 3 * behind
        of_a, of_b = tl.load(came, mask=walks, other=-1), tl.load(came + 1, mask=walks, other=-1)
        entered = tl.where(of_a == t, 0, tl.where(of_b == t, 1, 2))
        t = behind
        a, b, c = a2, b2, c2
        ax, ay, bx, by, cx, cy = ax2, ay2, bx2, by2, cx2, cy2
        number += 1
    dx, dy = qx - px, qy - py
    level = way < 2
    found &= (tl.abs(dy) >= tl.abs(dx)) == level
    rise, run = tl.where(level, dy, dx), tl.where(level, dx, dy)
    rise = tl.where(found, rise, 1.0)
    share = clipped(tl.div_rn(tl.where(level, y - py, x - px), rise))
    slope = tl.div_rn(run, rise)
    mine = energy + tl.program_id(1).to(tl.int64) * high * wide + at
    jump = tl.load(mine, mask=found, other=0.0) - tl.load(mine + step, mask=found, other=0.0)
    jump *= forward.to(tl.float32)
    # Powers of two: the product is exact.
    fine = ((289 - exponent_of(weights + one * places, places)) << 23).to(tl.float32, bitcast=True)
    axis = tl.where(level, 0, 1)
    to = sums + tl.program_id(1).to(tl.int64) * corners * 2
    of_p, of_q = jump * (1.0 - share), jump * share
    _add(to + 2 * p + axis, of_p * fine, found)
    _add(to + 2 * q + axis, of_q * fine, found)
    _add(to + 2 * p + 1 - axis, -of_p * slope * fine, found)
    _add(to + 2 * q + 1 - axis, -of_q * slope * fine, found)


@triton.jit
def _add(to, value, found):
    """Add whole numbers. What is not a number is left out, and shows inside."""
    found = found & (tl.abs(value) < 1e15)
    tl.atomic_add(to, tl.where(found, value, 0.0).to(tl.int64), mask=found, sem="relaxed")

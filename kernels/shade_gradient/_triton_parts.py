"""What several of the kernels of `shade_gradient` are made of. It launches nothing."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import triton
import triton.language as tl

from tracker.kernels.shade import MOST_REGIONS

_PLACES = tl.constexpr(MOST_REGIONS)


@triton.jit
def triangle_at(triangles, t, corners, there):
    """The three vertices of a triangle, and whether they are vertices; what is not is read nowhere."""
    a = tl.load(triangles + 3 * t, mask=there, other=-1)
    b = tl.load(triangles + 3 * t + 1, mask=there, other=-1)
    c = tl.load(triangles + 3 * t + 2, mask=there, other=-1)
    return a, b, c, (a >= 0) & (a < corners) & (b >= 0) & (b < corners) & (c >= 0) & (c < corners)


@triton.jit
def place_of(mesh, v, there):
    return tl.load(mesh + 3 * v, mask=there, other=0.0), tl.load(mesh + 3 * v + 1, mask=there, other=0.0)


@triton.jit
def clipped(value):
    return tl.minimum(tl.maximum(value, 0.0), 1.0)


@triton.jit
def exponent_of(weights, places):
    """Of the largest weight, biased, within what can be turned over; every weight is below 2^(this - 126)."""
    lane = tl.arange(0, _PLACES)
    largest = tl.max(tl.abs(tl.load(weights + lane, mask=lane < places, other=0.0)))
    return tl.minimum(tl.maximum(largest.to(tl.int32, bitcast=True) >> 23, 40), 250)

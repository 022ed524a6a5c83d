"""`rasterize` for a GPU, in Triton: one lane per triangle and pixel of a 4 x 4 window, one 64-bit minimum per pixel.

Given a device's arrays, checked. A program takes a few triangles and sweeps windows over their boxes; where a triangle
covers a pixel the lane offers the key (bits of the depth, number of the triangle) to an image of keys with an integer
`atomic_min`, whose result does not depend on the order. `resolve` takes the keys apart and leaves the image empty for
the next call. Pictures go in chunks whose keys stay in the cache. Coverage is in 32-bit integers; depth is never
contracted to fused multiply-adds (`enable_fp_fusion=False` on every launch) and divides with rounding, so it has
numba's bits. Lanes are one-dimensional: two-dimensional blocks replicate a triangle's values and spill. Counts are
not specialized and nothing is tuned at run time, so no call compiles after the first.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from tracker.kernels.interop import full
from tracker.kernels.rasterize import EXTENT_PX, FARTHEST
from tracker.kernels.scratch import Scratch

EMPTY = tl.constexpr((0x7F800000 << 32) | 0xFFFFFFFF)
"""The key of nothing: infinitely far, number -1."""
_FARTHEST, _EXTENT_PX = tl.constexpr(FARTHEST), tl.constexpr(EXTENT_PX)
CHUNK_BYTES = 32 << 20
"""Of keys in use at once: half of an H200's second-level cache."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
PIXELS = 512
"""Per program of the kernels that go over pixels."""


@triton.jit
def _edge(ax, ay, bx, by, x, y):
    """The edge function of a -> b at (x, y), less one where a pixel on the edge is the neighbour's, and that one."""
    dx, dy = bx - ax, by - ay
    bias = tl.where((dy < 0) | ((dy == 0) & (dx > 0)), 0, -1)
    return dx * (y - ay) - dy * (x - ax) + bias, bias


@triton.jit
def _is_finite(value):
    return tl.abs(value) < float("inf")


@triton.jit(do_not_specialize=["first", "faces", "corners", "high", "wide"])
def cover(
    vertices, triangles, keys, refused, first, faces, corners, high, wide,
    KEEP_BACK: tl.constexpr, TRIANGLES: tl.constexpr,
):  # fmt: skip
    """Offer every covered pixel's key; program (triangles, picture of the chunk)."""
    lane = tl.arange(0, TRIANGLES * 16)
    t = tl.program_id(0) * TRIANGLES + lane // 16
    there = t < faces
    a = tl.load(triangles + 3 * t, mask=there, other=0)
    b = tl.load(triangles + 3 * t + 1, mask=there, other=0)
    c = tl.load(triangles + 3 * t + 2, mask=there, other=0)
    known = (a >= 0) & (a < corners) & (b >= 0) & (b < corners) & (c >= 0) & (c < corners)
    read = there & known
    mesh = vertices + (first + tl.program_id(1)).to(tl.int64) * corners * 3
    ax, bx, cx = _coordinates(mesh, a, b, c, 0, read)
    ay, by, cy = _coordinates(mesh, a, b, c, 1, read)
    az, bz, cz = _coordinates(mesh, a, b, c, 2, read)

    near, far = tl.minimum(az, tl.minimum(bz, cz)), tl.maximum(az, tl.maximum(bz, cz))
    # A comparison with NaN is false, but a minimum may drop it: so each is asked.
    finite = (az > 0) & (bz > 0) & (cz > 0) & (far < _FARTHEST)
    finite &= _is_finite(ax) & _is_finite(bx) & _is_finite(cx) & _is_finite(ay) & _is_finite(by) & _is_finite(cy)
    guard = tl.maximum(high, wide).to(tl.float32) * -0.5 + _EXTENT_PX / 2
    right, bottom = wide.to(tl.float32) + guard, high.to(tl.float32) + guard
    within = (tl.minimum(ax, tl.minimum(bx, cx)) >= -guard) & (tl.maximum(ax, tl.maximum(bx, cx)) <= right)
    within &= (tl.minimum(ay, tl.minimum(by, cy)) >= -guard) & (tl.maximum(ay, tl.maximum(by, cy)) <= bottom)
    bad = there & ((known == 0) | (finite & (within == 0))) & (lane % 16 == 0)
    count = tl.sum(bad.to(tl.int32))
    tl.atomic_add(refused, count, mask=count > 0, sem="relaxed")

    good = read & finite & within
    ax, bx, cx = _snap(ax, good), _snap(bx, good), _snap(cx, good)
    ay, by, cy = _snap(ay, good), _snap(by, good), _snap(cy, good)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    front = area < 0
    good &= (front | (area > 0)) if KEEP_BACK else front
    bx, cx = tl.where(front, cx, bx), tl.where(front, bx, cx)
    by, cy = tl.where(front, cy, by), tl.where(front, by, cy)
    bz, cz = tl.where(front, cz, bz), tl.where(front, bz, cz)
    size = tl.where(good, tl.abs(area), 1).to(tl.float32)
    unit = tl.div_rn(tl.full([TRIANGLES * 16], 1.0, tl.float32), size)

    low_x = tl.maximum((tl.minimum(ax, tl.minimum(bx, cx)) + 7) >> 4, 0)
    low_y = tl.maximum((tl.minimum(ay, tl.minimum(by, cy)) + 7) >> 4, 0)
    top_x = tl.where(good, tl.minimum((tl.maximum(ax, tl.maximum(bx, cx)) - 8) >> 4, wide - 1), low_x - 1)
    top_y = tl.where(good, tl.minimum((tl.maximum(ay, tl.maximum(by, cy)) - 8) >> 4, high - 1), low_y - 1)
    across = tl.max(tl.maximum(top_x - low_x + 4, 0) // 4)
    down = tl.max(tl.where(top_x < low_x, 0, tl.maximum(top_y - low_y + 4, 0) // 4))
    image = keys + tl.program_id(1).to(tl.int64) * high * wide
    for window_y in range(0, down):
        i = low_y + 4 * window_y + lane // 4 % 4
        # A small triangle beside a large one is asked far outside its box: held back, so that nothing overflows.
        y = 16 * tl.minimum(i, high - 1) + 8
        for window_x in range(0, across):
            j = low_x + 4 * window_x + lane % 4
            x = 16 * tl.minimum(j, wide - 1) + 8
            of_a, _ = _edge(bx, by, cx, cy, x, y)
            of_b, bias_b = _edge(cx, cy, ax, ay, x, y)
            of_c, bias_c = _edge(ax, ay, bx, by, x, y)
            inside = (j <= top_x) & (i <= top_y) & ((of_a | of_b | of_c) >= 0)
            share_b, share_c = (of_b - bias_b).to(tl.float32) * unit, (of_c - bias_c).to(tl.float32) * unit
            z = tl.maximum(az + (share_b * (bz - az) + share_c * (cz - az)), near)
            key = (z.to(tl.int32, bitcast=True).to(tl.int64) << 32) | t.to(tl.int64)
            tl.atomic_min(image + i * wide + j, key, mask=inside, sem="relaxed")


@triton.jit
def _coordinates(mesh, a, b, c, axis, read):
    """One coordinate of three corners; NaN, which draws nothing, where there is none."""
    nothing = float("nan")
    return (tl.load(mesh + 3 * a + axis, mask=read, other=nothing),
            tl.load(mesh + 3 * b + axis, mask=read, other=nothing),
            tl.load(mesh + 3 * c + axis, mask=read, other=nothing))  # fmt: skip


@triton.jit
def _snap(value, good):
    """Sixteenths of a pixel; 0 where the triangle is not drawn, since only what is in range can be cast."""
    return tl.floor(tl.where(good, value, 0.0) * 16.0 + 0.5).to(tl.int32)


@triton.jit(do_not_specialize=["first", "size", "picture"])
def resolve(keys, ids, depth, first, size, picture, PIXELS: tl.constexpr):
    """Take a chunk's keys apart into the pictures from `first` on, of `picture` pixels each, and empty them."""
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    there = at < size
    key = tl.load(keys + at, mask=there, other=EMPTY)
    to = first.to(tl.int64) * picture + at
    tl.store(ids + to, (key & 0xFFFFFFFF).to(tl.int32), mask=there)
    tl.store(depth + to, (key >> 32).to(tl.int32).to(tl.float32, bitcast=True), mask=there)
    tl.store(keys + at, tl.full([PIXELS], EMPTY, tl.int64), mask=there)


@triton.jit
def _share(x, y):
    return tl.minimum(tl.maximum(tl.div_rn(x, y), 0.0), 1.0)


@triton.jit
def corner_shares(mesh, a, b, c, x, y, shown):
    """Barycentrics of the corners as given, clipped to the triangle."""
    ax, ay = tl.load(mesh + 3 * a, mask=shown, other=0.0) - x, tl.load(mesh + 3 * a + 1, mask=shown, other=0.0) - y
    bx, by = tl.load(mesh + 3 * b, mask=shown, other=0.0) - x, tl.load(mesh + 3 * b + 1, mask=shown, other=0.0) - y
    cx, cy = tl.load(mesh + 3 * c, mask=shown, other=0.0) - x, tl.load(mesh + 3 * c + 1, mask=shown, other=0.0) - y
    of_a, of_b, of_c = bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay
    total = of_a + of_b + of_c
    flat = (total == 0.0) | (shown == 0)
    of_a, of_b, of_c = tl.where(flat, 1.0, of_a), tl.where(flat, 1.0, of_b), tl.where(flat, 1.0, of_c)
    total = tl.where(flat, 3.0, total)
    of_a, of_b, of_c = _share(of_a, total), _share(of_b, total), _share(of_c, total)
    total = of_a + of_b + of_c
    return tl.div_rn(of_a, total), tl.div_rn(of_b, total), tl.div_rn(of_c, total)


@triton.jit(do_not_specialize=["corners", "high", "wide"])
def weigh(vertices, triangles, ids, barycentrics, corners, high, wide, PIXELS: tl.constexpr):
    """Barycentrics of the corners as given; program (pixels, picture)."""
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    there = at < high * wide
    image = tl.program_id(1).to(tl.int64)
    t = tl.load(ids + image * high * wide + at, mask=there, other=-1)
    shown = there & (t >= 0)
    mesh = vertices + image * corners * 3
    a = tl.load(triangles + 3 * t, mask=shown, other=0)
    b = tl.load(triangles + 3 * t + 1, mask=shown, other=0)
    c = tl.load(triangles + 3 * t + 2, mask=shown, other=0)
    x, y = (at % wide).to(tl.float32) + 0.5, (at // wide).to(tl.float32) + 0.5
    of_a, of_b, of_c = corner_shares(mesh, a, b, c, x, y, shown)
    out = barycentrics + (image * high * wide + at) * 3
    tl.store(out, tl.where(shown, of_a, 0.0), mask=there)
    tl.store(out + 1, tl.where(shown, of_b, 0.0), mask=there)
    tl.store(out + 2, tl.where(shown, of_c, 0.0), mask=there)


class Raster:
    """The implementation with its scratch memory: keys of a chunk, kept empty between calls."""

    on_device = True

    def __init__(self, full: Callable[[int, int, str, Any], Any] = full, triangles: int = 8) -> None:
        """`full` makes an array of a size, value and type where another lies; `triangles` are in each program."""
        self._scratch, self._triangles = Scratch(full), triangles
        self._refused: Any = None

    def __call__(self, vertices: Any, triangles: Any, ids: Any, depth: Any, barycentrics: Any, keep_back: bool) -> int:
        """Launch what fills the arrays; waits for nothing. Returns 0: see `take_refused`."""
        batch, high, wide = ids.shape
        corners, faces = vertices.shape[1], triangles.shape[0]
        chunk = max(1, min(batch, CHUNK_BYTES // (8 * high * wide)))
        keys = self._scratch("keys", chunk * high * wide, "int64", ids, EMPTY.value)
        self._refused = self._scratch("refused", 1, "int32", ids)
        for first in range(0, batch, chunk):
            count = min(chunk, batch - first)
            size = count * high * wide
            if faces:
                cover[(triton.cdiv(faces, self._triangles), count)](
                    vertices, triangles, keys, self._refused, first, faces, corners, high, wide,
                    KEEP_BACK=keep_back, TRIANGLES=self._triangles, **OPTIONS,
                )  # fmt: skip
            resolve[(triton.cdiv(size, PIXELS),)](keys, ids, depth, first, size, high * wide, PIXELS=PIXELS, **OPTIONS)
        if barycentrics is not None:
            weigh[(triton.cdiv(high * wide, PIXELS), batch)](
                vertices, triangles, ids, barycentrics, corners, high, wide, PIXELS=PIXELS, **OPTIONS
            )
        return 0

    def take_refused(self) -> int:
        """How many triangles were refused since the last time; waits for the device."""
        if self._refused is None:
            return 0
        count = int(self._refused[0])
        self._refused[0] = 0
        return count

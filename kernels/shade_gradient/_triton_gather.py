"""The end of `shade_gradient` in Triton: vertices sum what their triangles and silhouettes have, the light all.

A lane is a vertex; triangles come in the order of their numbers. Arithmetic is numba's but for the order of the sums.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import triton
import triton.language as tl

from tracker.kernels.shade import HARMONICS
from tracker.kernels.shade_gradient._triton_parts import exponent_of

_AT_ONCE = tl.constexpr(4)
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (tl.constexpr(value) for value in HARMONICS)


@triton.jit(do_not_specialize=["first", "faces", "corners", "places"])
def gather(
    normals, albedo, lighting, weights, starts, fans, parts, sums, lit, places_out, normals_out, albedo_out,
    first, faces, corners, places, VERTICES: tl.constexpr,
):  # fmt: skip
    """Sum at each vertex what its triangles have, turn dE by its colour into dE by what made it, and empty the
    silhouettes' sums for the next call; program (vertices, picture of the chunk)."""
    vertex = tl.program_id(0) * VERTICES + tl.arange(0, VERTICES)
    there = vertex < corners
    one = (first + tl.program_id(1)).to(tl.int64)
    here = tl.program_id(1).to(tl.int64)
    begin = tl.load(starts + vertex, mask=there, other=0)
    count = tl.load(starts + vertex + 1, mask=there, other=0) - begin
    nothing = tl.zeros([VERTICES], tl.float32)
    aside, above = nothing, nothing
    red, green, blue = nothing, nothing, nothing
    for number in tl.range(0, tl.max(count), loop_unroll_factor=_AT_ONCE):
        meets = number < count
        corner = tl.load(fans + begin + number, mask=meets, other=0)
        of = parts + (here * faces * 3 + corner) * 5
        aside += tl.load(of, mask=meets, other=0.0)
        above += tl.load(of + 1, mask=meets, other=0.0)
        red += tl.load(of + 2, mask=meets, other=0.0)
        green += tl.load(of + 3, mask=meets, other=0.0)
        blue += tl.load(of + 4, mask=meets, other=0.0)
    coarse = ((exponent_of(weights + one * places, places) - 35) << 23).to(tl.float32, bitcast=True).to(tl.float64)
    sum = sums + (here * corners + vertex) * 2
    aside += (tl.load(sum, mask=there, other=0).to(tl.float64) * coarse).to(tl.float32)
    above += (tl.load(sum + 1, mask=there, other=0).to(tl.float64) * coarse).to(tl.float32)
    tl.debug_barrier()  # nothing is emptied before all of the program have read
    tl.store(sum, tl.zeros([VERTICES], tl.int64), mask=there)
    tl.store(sum + 1, tl.zeros([VERTICES], tl.int64), mask=there)
    to = one * corners + vertex
    tl.store(places_out + 2 * to, aside, mask=there)
    tl.store(places_out + 2 * to + 1, above, mask=there)
    x = tl.load(normals + 3 * to, mask=there, other=0.0)
    y = tl.load(normals + 3 * to + 1, mask=there, other=0.0)
    z = tl.load(normals + 3 * to + 2, mask=there, other=0.0)
    by_x, by_y, by_z = nothing, nothing, nothing
    for channel in tl.static_range(3):
        of = lighting + one * 27 + channel
        l1, l2, l3, l4 = tl.load(of + 3), tl.load(of + 6), tl.load(of + 9), tl.load(of + 12)
        l5, l6, l7, l8 = tl.load(of + 15), tl.load(of + 18), tl.load(of + 21), tl.load(of + 24)
        seen = _Y0 * tl.load(of) + _Y1 * y * l1 + _Y2 * z * l2 + _Y3 * x * l3 + _Y4 * x * y * l4 + _Y5 * y * z * l5
        seen += _Y6 * (3.0 * z * z - 1.0) * l6 + _Y7 * x * z * l7 + _Y8 * (x * x - y * y) * l8
        by_colour = red if channel == 0 else (green if channel == 1 else blue)
        tl.store(albedo_out + 3 * to + channel, by_colour * seen, mask=there)
        by_light = by_colour * tl.load(albedo + 3 * to + channel, mask=there, other=0.0)
        tl.store(lit + (here * corners + vertex) * 3 + channel, by_light, mask=there)
        by_x += by_light * (_Y3 * l3 + _Y4 * y * l4 + _Y7 * z * l7 + 2.0 * _Y8 * x * l8)
        by_y += by_light * (_Y1 * l1 + _Y4 * x * l4 + _Y5 * z * l5 - 2.0 * _Y8 * y * l8)
        by_z += by_light * (_Y2 * l2 + _Y5 * y * l5 + _Y7 * x * l7 + 6.0 * _Y6 * z * l6)
    tl.store(normals_out + 3 * to, by_x, mask=there)
    tl.store(normals_out + 3 * to + 1, by_y, mask=there)
    tl.store(normals_out + 3 * to + 2, by_z, mask=there)


@triton.jit(do_not_specialize=["first", "corners"])
def gather_light(normals, lit, lighting_out, first, corners, SUMMED: tl.constexpr):
    """Sum over the vertices for one channel of the lighting; program (channel, picture of the chunk)."""
    channel = tl.program_id(0)
    one = (first + tl.program_id(1)).to(tl.int64)
    here = tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, SUMMED)
    nothing = tl.zeros([SUMMED], tl.float32)
    s0, s1, s2, s3, s4, s5, s6, s7, s8 = (nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
                                          nothing)  # fmt: skip
    for begin in range(0, corners, SUMMED):
        vertex = begin + lane
        there = vertex < corners
        of = normals + (one * corners + vertex) * 3
        x = tl.load(of, mask=there, other=0.0)
        y = tl.load(of + 1, mask=there, other=0.0)
        z = tl.load(of + 2, mask=there, other=0.0)
        by = tl.load(lit + (here * corners + vertex) * 3 + channel, mask=there, other=0.0)
        s0 += by
        s1 += by * y
        s2 += by * z
        s3 += by * x
        s4 += by * x * y
        s5 += by * y * z
        s6 += by * (3.0 * z * z - 1.0)
        s7 += by * x * z
        s8 += by * (x * x - y * y)
    to = lighting_out + one * 27 + channel
    tl.store(to, tl.sum(s0) * _Y0)
    tl.store(to + 3, tl.sum(s1) * _Y1)
    tl.store(to + 6, tl.sum(s2) * _Y2)
    tl.store(to + 9, tl.sum(s3) * _Y3)
    tl.store(to + 12, tl.sum(s4) * _Y4)
    tl.store(to + 15, tl.sum(s5) * _Y5)
    tl.store(to + 18, tl.sum(s6) * _Y6)
    tl.store(to + 21, tl.sum(s7) * _Y7)
    tl.store(to + 24, tl.sum(s8) * _Y8)

"""The inside of `shade_gradient` in Triton: each pixel's energy, and the chain rule summed per triangle and corner.

A lane is a pixel, or a triangle and a pixel of a 4 x 4 window that sweeps over the triangle's box, as in `rasterize`;
it keeps what lies in the pixels that show the triangle, so that nothing is scattered. Arithmetic is numba's.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import triton
import triton.language as tl

from tracker.kernels.shade_gradient._triton_parts import clipped, place_of, triangle_at

_WHITE = tl.constexpr(1 / 255)
# A pixel's centre may lie so far outside of a triangle that owns it, because corners are snapped: half of 1/16 px, and
# as much again for rounding.
_MARGIN = tl.constexpr(1 / 16)


@triton.jit
def _colour(colours, v, there):
    return (tl.load(colours + 3 * v, mask=there, other=0.0), tl.load(colours + 3 * v + 1, mask=there, other=0.0),
            tl.load(colours + 3 * v + 2, mask=there, other=0.0))  # fmt: skip


@triton.jit
def _inverse(value):
    return tl.div_rn(tl.full(value.shape, 1.0, tl.float32), value)


@triton.jit
def _shares(ax, ay, bx, by, cx, cy, shown):
    """Of a pixel's centre, from which corners are given: barycentrics before clipping and after, one over the area and
    over the clipped ones' sum, and whether there is an area."""
    raw_a, raw_b, raw_c = bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay
    area = raw_a + raw_b + raw_c
    flat = (area == 0.0) | (shown == 0)
    unit = _inverse(tl.where(flat, 1.0, area))
    raw_a, raw_b, raw_c = raw_a * unit, raw_b * unit, raw_c * unit
    of_a, of_b, of_c = clipped(raw_a), clipped(raw_b), clipped(raw_c)
    of_a, of_b, of_c = tl.where(flat, 1.0, of_a), tl.where(flat, 1.0, of_b), tl.where(flat, 1.0, of_c)
    whole = _inverse(of_a + of_b + of_c)
    return raw_a, raw_b, raw_c, of_a * whole, of_b * whole, of_c * whole, unit, whole, flat


@triton.jit
def _seen(target, pixel, shown):
    """The photograph's colour."""
    at = target + pixel * 3
    return (tl.load(at, mask=shown, other=0).to(tl.float32) * _WHITE,
            tl.load(at + 1, mask=shown, other=0).to(tl.float32) * _WHITE,
            tl.load(at + 2, mask=shown, other=0).to(tl.float32) * _WHITE)  # fmt: skip


@triton.jit(do_not_specialize=["first", "faces", "corners", "high", "wide", "places", "soft"])
def energies(
    vertices, triangles, regions, colours, ids, target, weights, energy,
    first, faces, corners, high, wide, places, soft, PIXELS: tl.constexpr,
):  # fmt: skip
    """Each pixel's weighed rho, 0 where nothing counts; program (pixels, picture of the chunk)."""
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    there = at < high * wide
    one = (first + tl.program_id(1)).to(tl.int64)
    pixel = one * high * wide + at
    t = tl.load(ids + pixel, mask=there, other=-1)
    a, b, c, known = triangle_at(triangles, t, corners, there & (t >= 0) & (t < faces))
    region = tl.load(regions + t, mask=known, other=-1)
    shown = known & (region >= 0) & (region < places)
    weight = tl.load(weights + one * places + region, mask=shown, other=0.0)
    x, y = (at % wide).to(tl.float32) + 0.5, (at // wide).to(tl.float32) + 0.5
    mesh, of = vertices + one * corners * 3, colours + one * corners * 3
    ax, ay = place_of(mesh, a, shown)
    bx, by = place_of(mesh, b, shown)
    cx, cy = place_of(mesh, c, shown)
    _, _, _, of_a, of_b, of_c, _, _, _ = _shares(ax - x, ay - y, bx - x, by - y, cx - x, cy - y, shown)
    a_red, a_green, a_blue = _colour(of, a, shown)
    b_red, b_green, b_blue = _colour(of, b, shown)
    c_red, c_green, c_blue = _colour(of, c, shown)
    red, green, blue = _seen(target, pixel, shown)
    red = of_a * a_red + of_b * b_red + of_c * c_red - red
    green = of_a * a_green + of_b * b_green + of_c * c_green - green
    blue = of_a * a_blue + of_b * b_blue + of_c * c_blue - blue
    squared = red * red + green * green + blue * blue
    rho = weight * squared * _inverse(squared + soft)
    tl.store(energy + tl.program_id(1).to(tl.int64) * high * wide + at, tl.where(shown, rho, 0.0), mask=there)


@triton.jit
def _summed(lanes, TRIANGLES: tl.constexpr):
    """Per triangle, over its sixteen lanes."""
    return tl.sum(tl.reshape(lanes, [TRIANGLES, 16]), axis=1)


@triton.jit(do_not_specialize=["first", "faces", "corners", "high", "wide", "places", "soft"])
def inside(
    vertices, triangles, regions, colours, ids, target, weights, parts,
    first, faces, corners, high, wide, places, soft, TRIANGLES: tl.constexpr,
):  # fmt: skip
    """By the chain rule, dE by place and colour of each corner, five numbers; program (triangles, picture)."""
    lane = tl.arange(0, TRIANGLES * 16)
    t = tl.program_id(0) * TRIANGLES + lane // 16
    one = (first + tl.program_id(1)).to(tl.int64)
    a, b, c, known = triangle_at(triangles, t, corners, t < faces)
    region = tl.load(regions + t, mask=known, other=-1)
    counts = known & (region >= 0) & (region < places)
    weight = tl.load(weights + one * places + region, mask=counts, other=0.0)
    mesh, of = vertices + one * corners * 3, colours + one * corners * 3
    ax, ay = place_of(mesh, a, counts)
    bx, by = place_of(mesh, b, counts)
    cx, cy = place_of(mesh, c, counts)
    a_red, a_green, a_blue = _colour(of, a, counts)
    b_red, b_green, b_blue = _colour(of, b, counts)
    c_red, c_green, c_blue = _colour(of, c, counts)
    shows, photograph = ids + one * high * wide, target + one * high * wide * 3
    low_x, top_x = _span(ax, bx, cx, wide, counts)
    low_y, top_y = _span(ay, by, cy, high, counts)
    across = tl.max(tl.maximum(top_x - low_x + 4, 0) // 4)
    down = tl.max(tl.where(top_x < low_x, 0, tl.maximum(top_y - low_y + 4, 0) // 4))
    nothing = tl.zeros([TRIANGLES * 16], tl.float32)
    place_ax, place_ay, place_bx, place_by, place_cx, place_cy = nothing, nothing, nothing, nothing, nothing, nothing
    red_a, green_a, blue_a = nothing, nothing, nothing
    red_b, green_b, blue_b = nothing, nothing, nothing
    red_c, green_c, blue_c = nothing, nothing, nothing
    for window_y in range(0, down):
        i = low_y + 4 * window_y + lane // 4 % 4
        for window_x in range(0, across):
            j = low_x + 4 * window_x + lane % 4
            pixel = i * wide + j
            near = counts & (i <= top_y) & (j <= top_x)
            own = near & (tl.load(shows + pixel, mask=near, other=-1) == t)
            x, y = j.to(tl.float32) + 0.5, i.to(tl.float32) + 0.5
            aside_a, above_a, aside_b, above_b, aside_c, above_c = ax - x, ay - y, bx - x, by - y, cx - x, cy - y
            raw_a, raw_b, raw_c, of_a, of_b, of_c, unit, whole, flat = _shares(
                aside_a, above_a, aside_b, above_b, aside_c, above_c, own
            )
            red, green, blue = _seen(photograph, pixel, own)
            red = of_a * a_red + of_b * b_red + of_c * c_red - red
            green = of_a * a_green + of_b * b_green + of_c * c_green - green
            blue = of_a * a_blue + of_b * b_blue + of_c * c_blue - blue
            under = _inverse(red * red + green * green + blue * blue + soft)
            steep = tl.where(own, 2.0 * weight * soft * under * under, 0.0)
            red, green, blue = steep * red, steep * green, steep * blue
            red_a += of_a * red
            green_a += of_a * green
            blue_a += of_a * blue
            red_b += of_b * red
            green_b += of_b * green
            blue_b += of_b * blue
            red_c += of_c * red
            green_c += of_c * green
            blue_c += of_c * blue
            # From here on by the barycentrics: clipped, before clipping, and as edges.
            by_a = red * a_red + green * a_green + blue * a_blue
            by_b = red * b_red + green * b_green + blue * b_blue
            by_c = red * c_red + green * c_green + blue * c_blue
            mean = by_a * of_a + by_b * of_b + by_c * of_c
            by_a = tl.where(raw_a == clipped(raw_a), (by_a - mean) * whole, 0.0)
            by_b = tl.where(raw_b == clipped(raw_b), (by_b - mean) * whole, 0.0)
            by_c = tl.where(raw_c == clipped(raw_c), (by_c - mean) * whole, 0.0)
            mean = by_a * raw_a + by_b * raw_b + by_c * raw_c
            by_a = tl.where(flat, 0.0, (by_a - mean) * unit)
            by_b = tl.where(flat, 0.0, (by_b - mean) * unit)
            by_c = tl.where(flat, 0.0, (by_c - mean) * unit)
            place_ax += by_c * above_b - by_b * above_c
            place_ay += by_b * aside_c - by_c * aside_b
            place_bx += by_a * above_c - by_c * above_a
            place_by += by_c * aside_a - by_a * aside_c
            place_cx += by_b * above_a - by_a * above_b
            place_cy += by_a * aside_b - by_b * aside_a
    group = tl.program_id(0) * TRIANGLES + tl.arange(0, TRIANGLES)
    to = parts + (tl.program_id(1).to(tl.int64) * faces + group) * 15
    _keep(to, place_ax, place_ay, red_a, green_a, blue_a, group < faces, TRIANGLES)
    _keep(to + 5, place_bx, place_by, red_b, green_b, blue_b, group < faces, TRIANGLES)
    _keep(to + 10, place_cx, place_cy, red_c, green_c, blue_c, group < faces, TRIANGLES)


@triton.jit
def _span(a, b, c, side, counts):
    """The first and the last pixel that a triangle may own along one axis; none where it is not finite."""
    low, top = tl.minimum(a, tl.minimum(b, c)), tl.maximum(a, tl.maximum(b, c))
    finite = counts & (tl.abs(a) + tl.abs(b) + tl.abs(c) < 1e30)  # not so where one is not a number
    limit = side.to(tl.float32)
    low = tl.minimum(tl.maximum(tl.ceil(tl.where(finite, low, 0.0) - (0.5 + _MARGIN)), 0.0), limit)
    top = tl.minimum(tl.maximum(tl.floor(tl.where(finite, top, 0.0) - (0.5 - _MARGIN)), -1.0), limit - 1.0)
    low = low.to(tl.int32)
    return low, tl.where(finite, top.to(tl.int32), low - 1)


@triton.jit
def _keep(to, x, y, red, green, blue, there, TRIANGLES: tl.constexpr):
    """Five numbers of one corner of each triangle."""
    tl.store(to, _summed(x, TRIANGLES), mask=there)
    tl.store(to + 1, _summed(y, TRIANGLES), mask=there)
    tl.store(to + 2, _summed(red, TRIANGLES), mask=there)
    tl.store(to + 3, _summed(green, TRIANGLES), mask=there)
    tl.store(to + 4, _summed(blue, TRIANGLES), mask=there)

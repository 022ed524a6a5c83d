"""`shade` for a GPU, in Triton: a lane per vertex for the colours, a lane per pixel for the rest, sums without atomics.

Given a device's arrays, checked. A program sums its pixels by region into its own places, and a last kernel sums the
programs' in a fixed order, so that the bits are the same on every run. Nothing but colours at vertices and sums is
written, unless the picture is asked for. Not contracted, counts not specialized and nothing tuned at run time, as in
`rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from tracker.kernels.interop import full
from tracker.kernels.rasterize._triton import corner_shares
from tracker.kernels.scratch import Scratch
from tracker.kernels.shade import HARMONICS, Shaded, Surface

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
VERTICES, PIXELS, PROGRAMS = 128, 256, 128
"""Per program of the three kernels."""
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (tl.constexpr(value) for value in HARMONICS)


@triton.jit(do_not_specialize=["corners"])
def light(normals, albedo, lighting, colours, corners, VERTICES: tl.constexpr):
    """Colours of the vertices; program (vertices, picture)."""
    vertex = tl.program_id(0) * VERTICES + tl.arange(0, VERTICES)
    there = vertex < corners
    image = tl.program_id(1).to(tl.int64)
    at = image * corners * 3 + vertex * 3
    x = tl.load(normals + at, mask=there, other=0.0)
    y = tl.load(normals + at + 1, mask=there, other=0.0)
    z = tl.load(normals + at + 2, mask=there, other=0.0)
    for channel in tl.static_range(3):
        of = lighting + image * 27 + channel
        sum = _Y0 * tl.load(of) + _Y1 * y * tl.load(of + 3) + _Y2 * z * tl.load(of + 6) + _Y3 * x * tl.load(of + 9)
        sum += _Y4 * x * y * tl.load(of + 12) + _Y5 * y * z * tl.load(of + 15)
        sum += _Y6 * (3.0 * z * z - 1.0) * tl.load(of + 18) + _Y7 * x * z * tl.load(of + 21)
        sum += _Y8 * (x * x - y * y) * tl.load(of + 24)
        tl.store(colours + at + channel, tl.load(albedo + at + channel, mask=there, other=0.0) * sum, mask=there)


@triton.jit(do_not_specialize=["faces", "corners", "high", "wide", "places", "soft"])
def compare(
    vertices, triangles, regions, colours, ids, target, image, part_error, part_pixels,
    faces, corners, high, wide, places, soft, DRAWN: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """A program's sums by region, and its piece of the picture where asked for; program (pixels, picture)."""
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    there = at < high * wide
    one = tl.program_id(1).to(tl.int64)
    pixel = one * high * wide + at
    t = tl.load(ids + pixel, mask=there, other=-1)
    shown = there & (t >= 0) & (t < faces)
    a = tl.load(triangles + 3 * t, mask=shown, other=0)
    b = tl.load(triangles + 3 * t + 1, mask=shown, other=0)
    c = tl.load(triangles + 3 * t + 2, mask=shown, other=0)
    # Numbers that name no vertex cannot come from `rasterize`, and are not followed.
    shown &= (a >= 0) & (a < corners) & (b >= 0) & (b < corners) & (c >= 0) & (c < corners)
    region = tl.load(regions + t, mask=shown, other=-1)
    x, y = (at % wide).to(tl.float32) + 0.5, (at // wide).to(tl.float32) + 0.5
    of_a, of_b, of_c = corner_shares(vertices + one * corners * 3, a, b, c, x, y, shown)
    squared = tl.zeros([PIXELS], tl.float32)
    for channel in tl.static_range(3):
        of = colours + one * corners * 3 + channel
        seen = of_a * tl.load(of + 3 * a, mask=shown, other=0.0)
        seen += of_b * tl.load(of + 3 * b, mask=shown, other=0.0)
        seen += of_c * tl.load(of + 3 * c, mask=shown, other=0.0)
        if DRAWN:
            tl.store(image + pixel * 3 + channel, tl.where(shown, seen, 0.0), mask=there)
        away = seen - tl.load(target + pixel * 3 + channel, mask=shown, other=0).to(tl.float32) * (1 / 255)
        squared += away * away
    rho = tl.div_rn(squared, squared + soft)
    to = (one * tl.num_programs(0) + tl.program_id(0)) * places
    for place in range(0, places):
        here = shown & (region == place)
        tl.store(part_error + to + place, tl.sum(tl.where(here, rho, 0.0)))
        tl.store(part_pixels + to + place, tl.sum(here.to(tl.int32)))


@triton.jit(do_not_specialize=["parts", "places"])
def total(part_error, part_pixels, error, pixels, parts, places, PROGRAMS: tl.constexpr):
    """Sum the programs' parts in their order; program (region, picture)."""
    place, one = tl.program_id(0), tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, PROGRAMS)
    sum, count = tl.zeros([PROGRAMS], tl.float32), tl.zeros([PROGRAMS], tl.int32)
    for first in range(0, parts, PROGRAMS):
        there = first + lane < parts
        at = (one * parts + first + lane) * places + place
        sum += tl.load(part_error + at, mask=there, other=0.0)
        count += tl.load(part_pixels + at, mask=there, other=0)
    tl.store(error + one * places + place, tl.sum(sum))
    tl.store(pixels + one * places + place, tl.sum(count))


class Shader:
    """The implementation with its scratch memory: the programs' sums."""

    on_device = True

    def __init__(self, full: Callable[[int, int, str, Any], Any] = full) -> None:
        """`full` makes an array of a size, value and type where another lies."""
        self._scratch = Scratch(full)

    def __call__(self, surface: Surface, ids: Any, target: Any, softness: float, out: Shaded) -> None:
        """Launch what fills the arrays; waits for nothing."""
        batch, high, wide = ids.shape
        softness = float(softness)  # Triton takes no number of numpy's
        corners, faces, places = surface.vertices_px.shape[1], surface.triangles.shape[0], out.error.shape[1]
        parts = triton.cdiv(high * wide, PIXELS)
        error = self._scratch("error", batch * parts * places, "float32", ids)
        pixels = self._scratch("pixels", batch * parts * places, "int32", ids)
        light[(triton.cdiv(corners, VERTICES), batch)](
            surface.normals, surface.albedo, surface.lighting, out.colours, corners, VERTICES=VERTICES, **OPTIONS
        )
        compare[(parts, batch)](
            surface.vertices_px, surface.triangles, surface.regions, out.colours, ids, target,
            out.colours if out.image is None else out.image, error, pixels, faces, corners, high, wide,
            places, softness * softness, DRAWN=out.image is not None, PIXELS=PIXELS, **OPTIONS,
        )  # fmt: skip
        total[(places, batch)](error, pixels, out.error, out.pixels, parts, places, PROGRAMS=PROGRAMS, **OPTIONS)

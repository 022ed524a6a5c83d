"""`shade` for the CPU, compiled by numba: the vertices' colours, then pixel after pixel along the rows.

Given a checked surface and arrays of the types it is compiled for, it looks at their shapes itself. A corner's place
and colour are laid side by side first, because reading corners is most of a pixel's work. Pixels of one region lie side
by side too, so a region's sum is kept at hand until another begins. Barycentrics are computed once more than in
`rasterize`: nine numbers that are at hand here cost less than three to read.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.shade import HARMONICS, Shaded, Surface

_BV3 = types.Array(float32, 3, "C", readonly=True)
_T3 = types.Array(int32, 2, "C", readonly=True)
_T = types.Array(int32, 1, "C", readonly=True)
_BHW = types.Array(int32, 3, "C", readonly=True)
_BHW3 = types.Array(uint8, 4, "C", readonly=True)
_ZERO, _HALF, _ONE, _THIRD = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1 / 3)
_INFINITE = np.float32(np.inf)
_THREE, _WHITE = np.float32(3), np.float32(1 / 255)
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (np.float32(value) for value in HARMONICS)


@part
def _light(vertices, normals, albedo, lighting, colours, corners):
    """Colours of the vertices of one picture, and beside each its place."""
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        y1, y2, y3, y4, y5 = _Y1 * y, _Y2 * z, _Y3 * x, _Y4 * x * y, _Y5 * y * z
        y6, y7, y8 = _Y6 * (_THREE * z * z - _ONE), _Y7 * x * z, _Y8 * (x * x - y * y)
        for channel in range(3):
            light = _Y0 * lighting[0, channel] + y1 * lighting[1, channel] + y2 * lighting[2, channel]
            light += y3 * lighting[3, channel] + y4 * lighting[4, channel] + y5 * lighting[5, channel]
            light += y6 * lighting[6, channel] + y7 * lighting[7, channel] + y8 * lighting[8, channel]
            colours[v, channel] = corners[v, 4 + channel] = albedo[v, channel] * light
        corners[v, 0], corners[v, 1] = vertices[v, 0], vertices[v, 1]


@part
def _held(a, b, c):
    """Barycentrics outside the triangle clipped to it; thirds where it has no area."""
    if not abs(a + b + c) < _INFINITE:
        return _THIRD, _THIRD, _THIRD
    a, b, c = min(max(a, _ZERO), _ONE), min(max(b, _ZERO), _ONE), min(max(c, _ZERO), _ONE)
    total = a + b + c
    return a / total, b / total, c / total


@part
def _compare(corners, triangles, regions, ids, target, soft, totals, pixels, image):
    """Sums per region of one picture, and the picture unless it is empty."""
    faces, places = np.uintp(len(triangles)), np.uintp(len(totals))
    now, total, count = np.uintp(places), 0.0, 0
    for i in range(np.uintp(ids.shape[0])):
        y = np.float32(np.int32(i)) + _HALF
        for j in range(np.uintp(ids.shape[1])):
            # Unsigned, so that -1 is one of the many that are too large, and numba wraps no index.
            t = np.uintp(ids[i, j])
            if t >= faces:
                continue
            a, b, c = np.uintp(triangles[t, 0]), np.uintp(triangles[t, 1]), np.uintp(triangles[t, 2])
            x = np.float32(np.int32(j)) + _HALF
            ax, ay = corners[a, 0] - x, corners[a, 1] - y
            bx, by = corners[b, 0] - x, corners[b, 1] - y
            cx, cy = corners[c, 0] - x, corners[c, 1] - y
            of_a, of_b, of_c = bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay
            unit = _ONE / (of_a + of_b + of_c)
            of_a, of_b, of_c = of_a * unit, of_b * unit, of_c * unit
            if not min(of_a, of_b, of_c) >= _ZERO:
                of_a, of_b, of_c = _held(of_a, of_b, of_c)
            red = of_a * corners[a, 4] + of_b * corners[b, 4] + of_c * corners[c, 4]
            green = of_a * corners[a, 5] + of_b * corners[b, 5] + of_c * corners[c, 5]
            blue = of_a * corners[a, 6] + of_b * corners[b, 6] + of_c * corners[c, 6]
            if image.size:
                image[i, j, 0], image[i, j, 1], image[i, j, 2] = red, green, blue
            region = np.uintp(regions[t])
            if region != now:
                if now < places:
                    totals[now] += total
                    pixels[now] += count
                now, total, count = region, 0.0, 0
            red -= np.float32(target[i, j, 0]) * _WHITE
            green -= np.float32(target[i, j, 1]) * _WHITE
            blue -= np.float32(target[i, j, 2]) * _WHITE
            squared = red * red + green * green + blue * blue
            total += squared / (squared + soft)
            count += 1
    if now < places:
        totals[now] += total
        pixels[now] += count


@compiled(int64(_BV3, _T3, _BV3, _BV3, _BV3, _T, _BHW, _BHW3, float32, float32[:, ::1], float64[::1],
                     float32[:, :, ::1], float32[:, ::1], int32[:, ::1], float32[:, :, :, ::1]))  # fmt: skip
def shade(vertices, triangles, normals, albedo, lighting, regions, ids, target, soft, corners, totals, colours, error,
          pixels, image):  # fmt: skip
    """Fill `colours`, `error`, `pixels` and, unless it is empty, `image`; `soft` is the softness squared.
    `MISFIT` for pictures that do not fit each other or the surface."""
    batch, high, wide = ids.shape
    if not (target.shape == (batch, high, wide, 3) and len(vertices) == batch and colours.shape == vertices.shape):
        return MISFIT
    image[:] = 0
    for one in range(len(ids)):
        _light(vertices[one], normals[one], albedo[one], lighting[one], colours[one], corners)
        totals[:] = 0
        pixels[one] = 0
        _compare(corners, triangles, regions, ids[one], target[one], soft, totals, pixels[one],
                 image[one if image.size else 0])  # fmt: skip
        for region in range(len(totals)):
            error[one, region] = totals[region]
    return 0


@sees_misfits
class Shader:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._corners = np.empty((0, 8), np.float32)
        self._totals = np.empty(0)

    def __call__(self, surface: Surface, ids: np.ndarray, target: np.ndarray, softness: float, out: Shaded) -> int:
        """Fill `out`, or say what the contract does; grows the scratch when the mesh is bigger than any before."""
        if len(self._totals) != out.error.shape[1]:
            self._totals = np.empty(out.error.shape[1])
        if len(self._corners) < surface.vertices_px.shape[1]:
            self._corners = np.zeros((surface.vertices_px.shape[1], 8), np.float32)
        image = _NONE if out.image is None else out.image
        found: int = shade(
            surface.vertices_px, surface.triangles, surface.normals, surface.albedo, surface.lighting, surface.regions,
            ids, target, softness * softness, self._corners, self._totals, out.colours, out.error, out.pixels, image,
        )  # fmt: skip
        return found


# Numba reads no row of an empty array, so the empty picture is a row of none.
_NONE = np.empty((1, 0, 0, 3), np.float32)

"""`shade_gradient` for the CPU, compiled by numba: one pass over all pixels, one over those at a silhouette.

Given checked arrays. Pixels come in a fixed order on one thread, so sums need no care to repeat themselves. The
scratch holds the vertices' colours and light, what is summed for them, and each pixel's weighed rho.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, int32, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.shade import HARMONICS, Surface
from tracker.kernels.shade_gradient import MOST_STEPS, Gradient

_BV3 = types.Array(float32, 3, "C", readonly=True)
_T3 = types.Array(int32, 2, "C", readonly=True)
_T = types.Array(int32, 1, "C", readonly=True)
_BHW = types.Array(int32, 3, "C", readonly=True)
_BHW3 = types.Array(uint8, 4, "C", readonly=True)
_BR = types.Array(float32, 2, "C", readonly=True)
_ZERO, _HALF, _ONE, _TWO, _THREE, _SIX = (np.float32(value) for value in (0, 0.5, 1, 2, 3, 6))
_WHITE, _THIRD, _INFINITE = np.float32(1 / 255), np.float32(1 / 3), np.float32(np.inf)
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (np.float32(value) for value in HARMONICS)
# What is kept of a vertex: its colour, the light it sees, and dE by its colour.
_COLOUR, _LIGHT, _SUM = 0, 3, 6


@part
def _harmonics(x, y, z):
    return (_Y0, _Y1 * y, _Y2 * z, _Y3 * x, _Y4 * x * y, _Y5 * y * z, _Y6 * (_THREE * z * z - _ONE), _Y7 * x * z,
            _Y8 * (x * x - y * y))  # fmt: skip


@part
def _light(normals, albedo, lighting, kept):
    """Colour and light of the vertices of one picture."""
    for v in range(len(normals)):
        basis = _harmonics(normals[v, 0], normals[v, 1], normals[v, 2])
        for channel in range(3):
            light = _ZERO
            for k in range(9):
                light += basis[k] * lighting[k, channel]
            kept[v, _LIGHT + channel] = light
            kept[v, _COLOUR + channel] = albedo[v, channel] * light
            kept[v, _SUM + channel] = _ZERO


@part
def _clipped(value):
    return min(max(value, _ZERO), _ONE)


@part
def _inside(vertices, kept, triangle, x, y, red, green, blue, soft, weight, places):
    """The chain rule at one pixel; returns its weighed rho. The colours are the photograph's."""
    a, b, c = np.uintp(triangle[0]), np.uintp(triangle[1]), np.uintp(triangle[2])
    ax, ay = vertices[a, 0] - x, vertices[a, 1] - y
    bx, by = vertices[b, 0] - x, vertices[b, 1] - y
    cx, cy = vertices[c, 0] - x, vertices[c, 1] - y
    raw_a, raw_b, raw_c = bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay
    area = raw_a + raw_b + raw_c
    flat = area == _ZERO
    unit = _ONE / (_ONE if flat else area)
    raw_a, raw_b, raw_c = raw_a * unit, raw_b * unit, raw_c * unit
    of_a, of_b, of_c = _clipped(raw_a), _clipped(raw_b), _clipped(raw_c)
    free_a, free_b, free_c = of_a == raw_a, of_b == raw_b, of_c == raw_c
    if flat:
        of_a, of_b, of_c = _ONE, _ONE, _ONE
    whole = _ONE / (of_a + of_b + of_c)
    of_a, of_b, of_c = of_a * whole, of_b * whole, of_c * whole
    red = of_a * kept[a, 0] + of_b * kept[b, 0] + of_c * kept[c, 0] - red
    green = of_a * kept[a, 1] + of_b * kept[b, 1] + of_c * kept[c, 1] - green
    blue = of_a * kept[a, 2] + of_b * kept[b, 2] + of_c * kept[c, 2] - blue
    squared = red * red + green * green + blue * blue
    under = _ONE / (squared + soft)
    steep = _TWO * weight * soft * under * under
    red, green, blue = steep * red, steep * green, steep * blue
    for v, share in ((a, of_a), (b, of_b), (c, of_c)):
        kept[v, _SUM] += share * red
        kept[v, _SUM + 1] += share * green
        kept[v, _SUM + 2] += share * blue
    if not flat:
        by_a = red * kept[a, 0] + green * kept[a, 1] + blue * kept[a, 2]
        by_b = red * kept[b, 0] + green * kept[b, 1] + blue * kept[b, 2]
        by_c = red * kept[c, 0] + green * kept[c, 1] + blue * kept[c, 2]
        mean = by_a * of_a + by_b * of_b + by_c * of_c
        by_a = (by_a - mean) * whole if free_a else _ZERO
        by_b = (by_b - mean) * whole if free_b else _ZERO
        by_c = (by_c - mean) * whole if free_c else _ZERO
        mean = by_a * raw_a + by_b * raw_b + by_c * raw_c
        by_a, by_b, by_c = (by_a - mean) * unit, (by_b - mean) * unit, (by_c - mean) * unit
        places[a, 0] += by_c * by - by_b * cy
        places[a, 1] += by_b * cx - by_c * bx
        places[b, 0] += by_a * cy - by_c * ay
        places[b, 1] += by_c * ax - by_a * cx
        places[c, 0] += by_b * ay - by_a * by
        places[c, 1] += by_a * bx - by_b * ax
    return weight * squared * under


@part
def _area(vertices, triangle):
    a, b, c = np.uintp(triangle[0]), np.uintp(triangle[1]), np.uintp(triangle[2])
    ax, ay = vertices[a, 0], vertices[a, 1]
    return (vertices[b, 0] - ax) * (vertices[c, 1] - ay) - (vertices[b, 1] - ay) * (vertices[c, 0] - ax)


@part
def _outlines(vertices, triangles, neighbours, signs, outlines):
    """Per triangle which way it faces, and a bit for each edge that is a silhouette."""
    for t in range(len(triangles)):
        signs[t] = np.sign(_area(vertices, triangles[t]))
    for t in range(len(triangles)):
        outlines[t] = 0
        for k in range(3):
            behind = neighbours[t, k]
            if behind < 0 or signs[behind] * signs[t] <= _ZERO:
                outlines[t] |= 1 << k


@part
def _crossed(vertices, triangles, sign, t, x, y, right, down, entered):
    """The edge by which the line to the next pixel leaves triangle t: its corner, or -1; not the one it came by."""
    nearest, crossed = _INFINITE, -1
    for k in range(3):
        a, b = np.uintp(triangles[t, (k + 1) % 3]), np.uintp(triangles[t, (k + 2) % 3])
        dx, dy = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        inner = (dx * (y - vertices[a, 1]) - dy * (x - vertices[a, 0])) * sign
        outer = inner + (dx * down - dy * right) * sign
        inner = max(inner, _ZERO)
        if k != entered and outer < _ZERO and inner / (inner - outer) < nearest:
            nearest, crossed = inner / (inner - outer), k
    return crossed


@part
def _silhouette(vertices, triangles, neighbours, outlines, signs, t, next, x, y, right, down, jump, places):
    """What moving the outline between the pixel centred at (x, y) and the next one, which shows `next`, does."""
    crossed, entered = -1, -1
    for _ in range(MOST_STEPS):
        crossed = _crossed(vertices, triangles, signs[t], t, x, y, right, down, entered)
        if crossed < 0 or outlines[t] >> crossed & 1:
            break
        behind = np.uintp(neighbours[t, crossed])
        if behind == np.uintp(next):
            return
        entered = 0 if neighbours[behind, 0] == t else (1 if neighbours[behind, 1] == t else 2)
        t = behind
    if crossed < 0 or not outlines[t] >> crossed & 1:
        return
    a, b = np.uintp(triangles[t, (crossed + 1) % 3]), np.uintp(triangles[t, (crossed + 2) % 3])
    dx, dy = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
    if (abs(dy) >= abs(dx)) != (right != _ZERO):
        return
    if right != _ZERO:
        share, slope, jump = _clipped((y - vertices[a, 1]) / dy), dx / dy, jump * right
        places[a, 0] += jump * (_ONE - share)
        places[b, 0] += jump * share
        places[a, 1] -= jump * (_ONE - share) * slope
        places[b, 1] -= jump * share * slope
    else:
        share, slope, jump = _clipped((x - vertices[a, 0]) / dx), dy / dx, jump * down
        places[a, 1] += jump * (_ONE - share)
        places[b, 1] += jump * share
        places[a, 0] -= jump * (_ONE - share) * slope
        places[b, 0] -= jump * share * slope


@part
def _all_inside(vertices, triangles, regions, ids, target, soft, weights, kept, energy, places):
    """Every pixel's rho, and what follows from it without the silhouettes."""
    for i in range(np.uintp(ids.shape[0])):
        for j in range(np.uintp(ids.shape[1])):
            energy[i, j] = _ZERO
            t = np.uintp(ids[i, j])
            if t >= np.uintp(len(triangles)):
                continue
            region = np.uintp(regions[t])
            if region < np.uintp(len(weights)):
                x, y = np.float32(np.int32(j)) + _HALF, np.float32(np.int32(i)) + _HALF
                red, green = np.float32(target[i, j, 0]) * _WHITE, np.float32(target[i, j, 1]) * _WHITE
                blue = np.float32(target[i, j, 2]) * _WHITE
                energy[i, j] = _inside(
                    vertices, kept, triangles[t], x, y, red, green, blue, soft, weights[region], places
                )


@part
def _all_silhouettes(vertices, triangles, neighbours, outlines, signs, ids, energy, places):
    """Every pixel against its four neighbours."""
    high, wide = ids.shape
    for i in range(high):
        for j in range(wide):
            t = np.uintp(ids[i, j])
            if t >= np.uintp(len(triangles)):
                continue
            x, y = np.float32(np.int32(j)) + _HALF, np.float32(np.int32(i)) + _HALF
            for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                row, column = i + down, j + right
                if 0 <= row < high and 0 <= column < wide and ids[row, column] != ids[i, j]:
                    _silhouette(vertices, triangles, neighbours, outlines, signs, t, ids[row, column], x, y,
                                np.float32(right), np.float32(down), energy[i, j] - energy[row, column],
                                places)  # fmt: skip


@part
def _of_light(normals, albedo, lighting, kept, of_normals, of_albedo, of_lighting):
    """From dE by the vertices' colours to dE by what they were made of."""
    of_lighting[:] = 0
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        basis = _harmonics(x, y, z)
        nx, ny, nz = _ZERO, _ZERO, _ZERO
        for channel in range(3):
            of_albedo[v, channel] = kept[v, _SUM + channel] * kept[v, _LIGHT + channel]
            by = kept[v, _SUM + channel] * albedo[v, channel]
            for k in range(9):
                of_lighting[k, channel] += by * basis[k]
            l3, l4, l5, l7 = lighting[3, channel], lighting[4, channel], lighting[5, channel], lighting[7, channel]
            l8 = lighting[8, channel]
            nx += by * (_Y3 * l3 + _Y4 * y * l4 + _Y7 * z * l7 + _TWO * _Y8 * x * l8)
            ny += by * (_Y1 * lighting[1, channel] + _Y4 * x * l4 + _Y5 * z * l5 - _TWO * _Y8 * y * l8)
            nz += by * (_Y2 * lighting[2, channel] + _Y5 * y * l5 + _Y7 * x * l7)
            nz += by * _SIX * _Y6 * z * lighting[6, channel]
        of_normals[v, 0], of_normals[v, 1], of_normals[v, 2] = nx, ny, nz


@compiled(types.void(_BV3, _T3, _BV3, _BV3, _BV3, _T, _T3, _BHW, _BHW3, float32, _BR, float32[:, ::1],
                     float32[::1], uint8[::1], float32[:, ::1], float32[:, :, ::1], float32[:, :, ::1],
                     float32[:, :, ::1], float32[:, :, ::1]))  # fmt: skip
def shade_gradient(vertices, triangles, normals, albedo, lighting, regions, neighbours, ids, target, soft, weights,
                   kept, signs, outlines, energy, places, of_normals, of_albedo, of_lighting):  # fmt: skip
    """Fill the last four."""
    for one in range(len(ids)):
        places[one] = 0
        _light(normals[one], albedo[one], lighting[one], kept)
        _all_inside(vertices[one], triangles, regions, ids[one], target[one], soft, weights[one], kept, energy,
                    places[one])  # fmt: skip
        _outlines(vertices[one], triangles, neighbours, signs, outlines)
        _all_silhouettes(vertices[one], triangles, neighbours, outlines, signs, ids[one], energy, places[one])
        _of_light(normals[one], albedo[one], lighting[one], kept, of_normals[one], of_albedo[one], of_lighting[one])


class ShaderGradient:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._kept = np.empty((0, 9), np.float32)
        self._signs, self._outlines = np.empty(0, np.float32), np.empty(0, np.uint8)
        self._energy = np.empty((0, 0), np.float32)

    def __call__(
        self, surface: Surface, neighbours: np.ndarray, ids: np.ndarray, target: np.ndarray, softness: float,
        weights: np.ndarray, out: Gradient,
    ) -> None:  # fmt: skip
        """Fill `out`; makes new scratch for another size of picture and for a larger mesh."""
        if len(self._kept) < surface.vertices_px.shape[1]:
            self._kept = np.empty((surface.vertices_px.shape[1], 9), np.float32)
        if len(self._signs) < len(neighbours):
            self._signs, self._outlines = np.empty(len(neighbours), np.float32), np.empty(len(neighbours), np.uint8)
        if self._energy.shape != ids.shape[1:]:
            self._energy = np.empty(ids.shape[1:], np.float32)
        shade_gradient(surface.vertices_px, surface.triangles, surface.normals, surface.albedo, surface.lighting,
                       surface.regions, neighbours, ids, target, softness * softness, weights, self._kept,
                       self._signs, self._outlines, self._energy, out.places, out.normals, out.albedo,
                       out.lighting)  # fmt: skip

"""`rasterize` for the CPU, compiled by numba: triangle after triangle, row after row of its box, edges stepped.

Given arrays of the types it is compiled for, it looks at their shapes itself, which costs nothing here. Triangles come
in the order of their numbers, so "nearer, else the smaller number" is one comparison. The scratch holds the snapped
corners; it grows when a bigger mesh comes, and is kept. Products of snapped coordinates fit 32 bits by the guard band;
here they are 64-bit, which costs nothing.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import boolean, float32, int32, int64, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.rasterize import EXTENT_PX, FARTHEST, LARGEST_BATCH, LARGEST_SIDE_PX, MOST_TRIANGLES, SUBPIXELS

_BV3 = types.Array(float32, 3, "C", readonly=True)
_T3 = types.Array(int32, 2, "C", readonly=True)
_SUBPIXELS, _HALF = np.float32(SUBPIXELS), np.float32(0.5)
_ZERO, _ONE, _THIRD = np.float32(0), np.float32(1), np.float32(1 / 3)
_FARTHEST = np.float32(FARTHEST)
_INFINITE = np.float32(np.inf)
_LOST, _BEYOND = 1, 2


@part
def _snap(vertices, high, wide, snapped, state):
    """Corners in sixteenths of a pixel, and what is wrong with each."""
    guard = np.float32((EXTENT_PX - max(high, wide)) / 2)
    right, bottom = np.float32(wide) + guard, np.float32(high) + guard
    for v in range(len(vertices)):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        found = (abs(x) < _INFINITE) & (abs(y) < _INFINITE) & (z > _ZERO) & (z < _FARTHEST)
        within = (x >= -guard) & (x <= right) & (y >= -guard) & (y <= bottom)
        good = found & within
        state[v] = 0 if good else (_BEYOND if found else _LOST)
        snapped[v, 0] = np.int32(np.floor((x if good else _ZERO) * _SUBPIXELS + _HALF))
        snapped[v, 1] = np.int32(np.floor((y if good else _ZERO) * _SUBPIXELS + _HALF))


@part
def _paint(t, ax, ay, az, bx, by, bz, cx, cy, cz, area, ids, depth):
    """One triangle of positive area."""
    high, wide = ids.shape
    left, right = max((min(ax, bx, cx) + 7) >> 4, 0), min((max(ax, bx, cx) - 8) >> 4, wide - 1)
    top, bottom = max((min(ay, by, cy) + 7) >> 4, 0), min((max(ay, by, cy) - 8) >> 4, high - 1)
    if left > right or top > bottom:
        return
    # Per edge, opposite a, b, c: its step to the right and down, and one less where its pixels are the neighbour's.
    a_x, a_y = cx - bx, cy - by
    b_x, b_y = ax - cx, ay - cy
    c_x, c_y = bx - ax, by - ay
    a_bias = np.int64((a_y < 0) | ((a_y == 0) & (a_x > 0))) - 1
    b_bias = np.int64((b_y < 0) | ((b_y == 0) & (b_x > 0))) - 1
    c_bias = np.int64((c_y < 0) | ((c_y == 0) & (c_x > 0))) - 1
    x, y = 16 * left + 8, 16 * top + 8
    a_row = a_x * (y - by) - a_y * (x - bx) + a_bias
    b_row = b_x * (y - cy) - b_y * (x - cx) + b_bias
    c_row = c_x * (y - ay) - c_y * (x - ax) + c_bias
    unit = _ONE / np.float32(area)
    b_deep, c_deep, nearest = bz - az, cz - az, min(az, bz, cz)
    for i in range(np.uintp(top), np.uintp(bottom + 1)):  # unsigned: numba wraps no index
        a, b, c = a_row, b_row, c_row
        for j in range(np.uintp(left), np.uintp(right + 1)):
            if (a | b | c) >= 0:
                b_share, c_share = np.float32(b - b_bias) * unit, np.float32(c - c_bias) * unit
                z = az + (b_share * b_deep + c_share * c_deep)
                z = z if z > nearest else nearest
                if z < depth[i, j]:
                    depth[i, j] = z
                    ids[i, j] = t
            a, b, c = a - 16 * a_y, b - 16 * b_y, c - 16 * c_y
        a_row, b_row, c_row = a_row + 16 * a_x, b_row + 16 * b_x, c_row + 16 * c_x


@part
def _draw(vertices, triangles, keep_back, snapped, state, ids, depth):
    """All triangles of one picture; returns how many were refused."""
    count = np.uintp(len(vertices))
    refused = 0
    for t in range(np.uintp(len(triangles))):
        # Unsigned, so that a negative number is too large, and numba wraps no index.
        a, b, c = np.uintp(triangles[t, 0]), np.uintp(triangles[t, 1]), np.uintp(triangles[t, 2])
        if max(a, b, c) >= count:
            refused += 1
            continue
        wrong = state[a] | state[b] | state[c]
        if wrong:
            refused += wrong == _BEYOND
            continue
        ax, ay = np.int64(snapped[a, 0]), np.int64(snapped[a, 1])
        bx, by = np.int64(snapped[b, 0]), np.int64(snapped[b, 1])
        cx, cy = np.int64(snapped[c, 0]), np.int64(snapped[c, 1])
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        az, bz, cz = vertices[a, 2], vertices[b, 2], vertices[c, 2]
        if area < 0:
            _paint(t, ax, ay, az, cx, cy, cz, bx, by, bz, -area, ids, depth)
        elif area > 0 and keep_back:
            _paint(t, ax, ay, az, bx, by, bz, cx, cy, cz, area, ids, depth)
    return refused


@part
def _clip(value):
    value = value if value > _ZERO else _ZERO
    return value if value < _ONE else _ONE


@part
def _weigh(vertices, triangles, ids, barycentrics):
    """Barycentrics of one picture, from the corners as given."""
    high, wide = ids.shape
    for i in range(high):
        for j in range(wide):
            t = ids[i, j]
            if t < 0:
                barycentrics[i, j, 0], barycentrics[i, j, 1], barycentrics[i, j, 2] = _ZERO, _ZERO, _ZERO
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x, y = np.float32(j) + _HALF, np.float32(i) + _HALF
            ax, ay = vertices[a, 0] - x, vertices[a, 1] - y
            bx, by = vertices[b, 0] - x, vertices[b, 1] - y
            cx, cy = vertices[c, 0] - x, vertices[c, 1] - y
            of_a, of_b, of_c = bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay
            total = of_a + of_b + of_c
            if total == _ZERO:
                of_a, of_b, of_c, total = _ONE, _ONE, _ONE, np.float32(3)
            of_a, of_b, of_c = _clip(of_a / total), _clip(of_b / total), _clip(of_c / total)
            total = of_a + of_b + of_c
            barycentrics[i, j, 0] = of_a / total
            barycentrics[i, j, 1] = of_b / total
            barycentrics[i, j, 2] = of_c / total


@compiled(int64(_BV3, _T3, boolean, int32[:, ::1], uint8[::1], int32[:, :, ::1], float32[:, :, ::1],
                float32[:, :, :, ::1]))  # fmt: skip
def rasterize(vertices, triangles, keep_back, snapped, state, ids, depth, barycentrics):
    """Fill `ids`, `depth` and, unless it is empty, `barycentrics`."""
    batch, high, wide = ids.shape
    whole = 1 <= batch <= LARGEST_BATCH and 1 <= high <= LARGEST_SIDE_PX and 1 <= wide <= LARGEST_SIDE_PX
    alike = len(vertices) == batch and depth.shape == ids.shape
    if not (whole and alike and vertices.shape[2] == triangles.shape[1] == 3 and len(triangles) <= MOST_TRIANGLES):
        return MISFIT
    refused = 0
    for image in range(len(ids)):
        ids[image] = -1
        depth[image] = _INFINITE
        _snap(vertices[image], ids.shape[1], ids.shape[2], snapped, state)
        refused += _draw(vertices[image], triangles, keep_back, snapped, state, ids[image], depth[image])
        if barycentrics.size:
            _weigh(vertices[image], triangles, ids[image], barycentrics[image])
    return refused


@sees_misfits
class Raster:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._snapped = np.empty((0, 2), np.int32)
        self._state = np.empty(0, np.uint8)

    def __call__(
        self, vertices: np.ndarray, triangles: np.ndarray, ids: np.ndarray, depth: np.ndarray,
        barycentrics: np.ndarray | None, keep_back: bool,
    ) -> int:  # fmt: skip
        """Fill what the contract says; grows the scratch when the mesh is bigger than any before."""
        count = vertices.shape[1]
        if len(self._state) < count:
            self._snapped, self._state = np.empty((count, 2), np.int32), np.empty(count, np.uint8)
        asked = _NONE if barycentrics is None else barycentrics
        refused: int = rasterize(vertices, triangles, keep_back, self._snapped, self._state, ids, depth, asked)
        return refused


_NONE = np.empty((0, 0, 0, 0), np.float32)

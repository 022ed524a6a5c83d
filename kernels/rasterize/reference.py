"""`rasterize` in plain numpy, triangle by triangle: the text to read. Given checked arrays.

Coverage is in integers and barycentrics in float64. Depth alone is float32, step by step as the contract says, because
its bits decide who is nearer.
"""

from __future__ import annotations

import numpy as np

from tracker.kernels.rasterize import FARTHEST, SUBPIXELS, guard_px


def rasterize(
    vertices: np.ndarray, triangles: np.ndarray, ids: np.ndarray, depth: np.ndarray, barycentrics: np.ndarray | None,
    keep_back: bool,
) -> int:  # fmt: skip
    """Fill `ids`, `depth` and `barycentrics`; returns how many triangles name no vertex or reach too far."""
    refused = 0
    for image in range(len(ids)):
        refused += _draw(vertices[image], triangles, ids[image], depth[image], keep_back)
        if barycentrics is not None:
            shown = ids[image] >= 0
            barycentrics[image] = 0
            barycentrics[image][shown] = weights(vertices[image], triangles[ids[image][shown]], np.argwhere(shown))
    return refused


def weights(vertices: np.ndarray, corners: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Barycentrics [N, 3] at pixels `at` [N, 2] (row, column) in triangles with `corners` [N, 3].

    Each is the area of the triangle that the pixel's centre makes with the opposite edge, as a share of their sum.
    """
    centre = at[:, None, ::-1] + 0.5
    x, y = np.moveaxis(vertices[corners][..., :2].astype(np.float64) - centre, -1, 0)  # [N, 3] each
    after, before = [1, 2, 0], [2, 0, 1]
    area = x[:, after] * y[:, before] - x[:, before] * y[:, after]
    total = area.sum(1, keepdims=True)
    share = np.divide(area, total, out=np.full_like(area, 1 / 3), where=total != 0)
    clipped = share.clip(0, 1)
    inside: np.ndarray = clipped / clipped.sum(1, keepdims=True)
    return inside


def _draw(vertices: np.ndarray, triangles: np.ndarray, ids: np.ndarray, depth: np.ndarray, keep_back: bool) -> int:
    high, wide = ids.shape
    ids[:], depth[:] = -1, np.inf
    guard = guard_px(high, wide)
    refused = 0
    for number, corners in enumerate(triangles):
        if corners.min() < 0 or corners.max() >= len(vertices):
            refused += 1
            continue
        xyz = vertices[corners]  # [3, 3]
        if not np.isfinite(xyz).all() or not ((xyz[:, 2] > 0) & (xyz[:, 2] < np.float32(FARTHEST))).all():
            continue
        if (xyz[:, :2] < -guard).any() or (xyz[:, :2] > [wide + guard, high + guard]).any():
            refused += 1
            continue
        snapped = np.floor(xyz[:, :2] * np.float32(SUBPIXELS) + np.float32(0.5)).astype(np.int64)
        z = xyz[:, 2]
        area = _edge(snapped[0], snapped[1], *snapped[2])
        if area == 0 or (area > 0 and not keep_back):
            continue
        if area < 0:
            snapped, z, area = snapped[[0, 2, 1]], z[[0, 2, 1]], -area
        _paint(number, snapped, z, np.float32(area), ids, depth)
    return refused


def _paint(
    number: int, corners: np.ndarray, z: np.ndarray, area: np.float32, ids: np.ndarray, depth: np.ndarray
) -> None:
    """One triangle of positive area over the pixels whose centres lie in its box."""
    half = SUBPIXELS // 2
    low = np.maximum(-((half - corners.min(0)) // SUBPIXELS), 0)  # rounded up
    top = np.minimum((corners.max(0) - half) // SUBPIXELS + 1, ids.shape[::-1])
    top = np.maximum(top, low)
    box = np.s_[low[1] : top[1], low[0] : top[0]]
    row, column = np.mgrid[box]
    edges = []
    inside = np.ones(row.shape, bool)
    for k in range(3):
        a, b = corners[(k + 1) % 3], corners[(k + 2) % 3]
        edge = _edge(a, b, SUBPIXELS * column + half, SUBPIXELS * row + half)
        dx, dy = b - a
        owned = dy < 0 or (dy == 0 and dx > 0)  # a left edge, or a top one
        inside &= (edge > 0) | ((edge == 0) & owned)
        edges.append(edge.astype(np.float32) * (np.float32(1) / area))
    seen = np.maximum(z[0] + (edges[1] * (z[1] - z[0]) + edges[2] * (z[2] - z[0])), z.min())
    nearer = inside & (seen < depth[box])
    depth[box][nearer] = seen[nearer]
    ids[box][nearer] = number


def _edge(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Twice the signed area of a, b and (x, y): positive on the right of a -> b, as y goes down."""
    value: np.ndarray = (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
    return value

"""A small painter of textured triangles for pictures of our own face model.

Given meshes in camera space it paints them with a z-buffer, bilinear textures and smooth light per vertex, at twice
the picture's size, and averages down. Made for offline clips: nothing at run time imports it, and it knows no faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numba import njit

from tracker.face.camera import Camera

OVERSAMPLE = 2
NEAR_MM = 20.0
# A soft key from the upper left of the picture and in front, over a strong ambient: textures carry light of their own.
_KEY = np.array([-0.42, -0.55, -0.72])
_AMBIENT, _DIFFUSE = 0.70, 0.42


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles with a texture."""

    vertices_mm: np.ndarray
    """float [V, 3]."""
    triangles: np.ndarray
    """int32 [T, 3], any winding: both sides are painted."""
    uv: np.ndarray
    """float [V, 2] in 0..1, v down."""
    texture: np.ndarray
    """float32 [H, W, 3] in 0..255."""
    tint: np.ndarray
    """float [V, 3]: multiplies the texture; 1 leaves it."""
    lit: bool = True
    """False: the tint alone shades it."""
    push_mm: float = 0.0
    """Added to the depth once painted, so that what lies up to that far behind may be painted over it."""
    gloss: np.ndarray | None = None
    """float [V, 3]: light thrown back by the surface itself, in grey levels, added to the tinted texture."""
    outside_only: bool = False
    """Paint only what is counter-clockwise, y up, seen from the camera: for surfaces that show no back."""


class Canvas:
    """A picture in the making, `width` x `height` pixels, painted at twice that size."""

    def __init__(self, width_px: int, height_px: int, camera: Camera) -> None:
        self._camera = camera
        self._colour = np.zeros((height_px * OVERSAMPLE, width_px * OVERSAMPLE, 3), np.float32)
        self._depth = np.zeros(self._colour.shape[:2], np.float32)

    def clear(self, background: np.ndarray) -> None:
        """Start over on a background float32 [H, W, 3] in 0..255."""
        size = self._colour.shape[1::-1]
        cv2.resize(background, size, dst=self._colour, interpolation=cv2.INTER_NEAREST)
        self._depth[:] = np.inf

    def paint(self, mesh: Mesh, normals: np.ndarray | None = None) -> None:
        """Add a mesh in camera space; `normals` [V, 3] replace its own, where it continues another mesh."""
        tint = mesh.tint
        if mesh.lit:
            own = vertex_normals(mesh.vertices_mm, mesh.triangles) if normals is None else normals
            tint = tint * light(own)[:, None]
        c, v = self._camera, mesh.vertices_mm
        depth = np.maximum(v[:, 2], NEAR_MM)
        xy = np.stack([v[:, 0] / depth * c.fx + c.cx, v[:, 1] / depth * c.fy + c.cy], 1) * OVERSAMPLE
        gloss = np.zeros_like(tint) if mesh.gloss is None else mesh.gloss
        rows = np.concatenate([xy, v[:, 2:], mesh.uv, tint, gloss], 1).astype(np.float32)
        _paint(self._colour, self._depth, rows, mesh.triangles.astype(np.int32), mesh.texture,
               np.float32(mesh.push_mm), mesh.outside_only)  # fmt: skip

    def colours(self) -> np.ndarray:
        """float32 [2 H, 2 W, 3]: what was painted, at the size it was painted; not a copy."""
        return self._colour

    def picture(self) -> np.ndarray:
        """uint8 [H, W, 3] RGB."""
        height, width = self._depth.shape
        size = width // OVERSAMPLE, height // OVERSAMPLE
        small = cv2.resize(self._colour, size, interpolation=cv2.INTER_AREA)
        return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """float64 [V, 3] unit, area-weighted, turned away from the middle of the mesh: for roundish surfaces."""
    a, b, c = (vertices[triangles[:, k]].astype(np.float64) for k in range(3))
    flat = np.cross(b - a, c - a)
    outwards = (a + b + c) / 3 - vertices.mean(0)
    flat *= np.sign((flat * outwards).sum(1, keepdims=True))
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], flat)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def light(normals: np.ndarray) -> np.ndarray:
    """float [V]: what the lamp gives a surface; wrapped around, so that no hard edge shows."""
    key = _KEY / np.linalg.norm(_KEY)
    return _AMBIENT + _DIFFUSE * np.clip((normals @ key + 0.3) / 1.3, 0, 1)


def wound_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """float32 [V, 3] unit, area-weighted, for triangles that are all counter-clockwise seen from outside (y up)."""
    normals = np.zeros((len(vertices), 3), np.float32)
    _add_normals(np.ascontiguousarray(vertices, np.float32), triangles, normals)
    return normals


@njit(cache=False, fastmath=True)
def _add_normals(vertices: Any, triangles: Any, normals: Any) -> None:
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        wx, wy, wz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for v in range(len(normals)):
        x, y, z = normals[v]
        length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
        normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length


@njit(cache=False, fastmath=True)
def nearest_under(xy: Any, z: Any, triangles: Any, points: Any) -> Any:
    """Per point [P, 2] the nearest triangle under it and where: float64 [P, 4] of index (-1: none), barycentrics.

    `xy` [V, 2] and `z` [V] are the vertices in the picture; a triangle seen from behind is under nothing.
    """
    found = np.full((len(points), 4), -1.0)
    for p in range(len(points)):
        px, py = points[p, 0], points[p, 1]
        nearest = np.inf
        for t in range(len(triangles)):
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            area = (xy[j, 0] - xy[i, 0]) * (xy[k, 1] - xy[i, 1]) - (xy[j, 1] - xy[i, 1]) * (xy[k, 0] - xy[i, 0])
            if area > -1e-12:
                continue
            wb = ((px - xy[i, 0]) * (xy[k, 1] - xy[i, 1]) - (py - xy[i, 1]) * (xy[k, 0] - xy[i, 0])) / area
            wc = ((xy[j, 0] - xy[i, 0]) * (py - xy[i, 1]) - (xy[j, 1] - xy[i, 1]) * (px - xy[i, 0])) / area
            depth = (1 - wb - wc) * z[i] + wb * z[j] + wc * z[k]
            if wb >= 0 and wc >= 0 and wb + wc <= 1 and depth < nearest:
                nearest = depth
                found[p, 0], found[p, 1], found[p, 2], found[p, 3] = t, 1 - wb - wc, wb, wc
    return found


@njit(cache=False, fastmath=True)
def _paint(colour: Any, depth: Any, rows: Any, triangles: Any, texture: Any, push: Any, outside_only: bool) -> None:
    """`rows` float32 [V, 11]: x, y in canvas pixels, z, u, v, tint r, g, b, gloss r, g, b."""
    height, width = depth.shape
    tall, wide = texture.shape[0] - 1, texture.shape[1] - 1
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = rows[i, 0], rows[i, 1], rows[i, 2]
        bx, by, bz = rows[j, 0], rows[j, 1], rows[j, 2]
        cx, cy, cz = rows[k, 0], rows[k, 1], rows[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if min(az, bz, cz) < NEAR_MM or abs(area) < 1e-6 or (outside_only and area > 0):
            continue
        # Only pixels whose centre may lie inside; a little is left over for rounding.
        first_y, last_y = max(0, int(math.ceil(min(ay, by, cy) - 0.501))), int(math.floor(max(ay, by, cy) - 0.499))
        first_x, last_x = max(0, int(math.ceil(min(ax, bx, cx) - 0.501))), int(math.floor(max(ax, bx, cx) - 0.499))
        for y in range(first_y, min(height - 1, last_y) + 1):
            for x in range(first_x, min(width - 1, last_x) + 1):
                px, py = x + 0.5, y + 0.5
                wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area
                wa = 1.0 - wb - wc
                if wa < -1e-4 or wb < -1e-4 or wc < -1e-4:
                    continue
                z = wa * az + wb * bz + wc * cz
                if z >= depth[y, x]:
                    continue
                depth[y, x] = z + push
                u = min(max((wa * rows[i, 3] + wb * rows[j, 3] + wc * rows[k, 3]) * wide, 0.0), wide * 0.99999)
                v = min(max((wa * rows[i, 4] + wb * rows[j, 4] + wc * rows[k, 4]) * tall, 0.0), tall * 0.99999)
                row, column = int(v), int(u)
                fv, fu = v - row, u - column
                below, right = min(row + 1, tall), min(column + 1, wide)
                for n in range(3):
                    top = texture[row, column, n] * (1 - fu) + texture[row, right, n] * fu
                    low = texture[below, column, n] * (1 - fu) + texture[below, right, n] * fu
                    tint = wa * rows[i, 5 + n] + wb * rows[j, 5 + n] + wc * rows[k, 5 + n]
                    gloss = wa * rows[i, 8 + n] + wb * rows[j, 8 + n] + wc * rows[k, 8 + n]
                    colour[y, x, n] = (top * (1 - fv) + low * fv) * tint + gloss

"""A small painter of textured triangles for pictures of our own face model.

Given meshes in camera space it paints them with a z-buffer, bilinear textures and smooth light per vertex, at twice
the picture's size, and averages down. Made for offline clips: nothing at run time imports it, and it knows no faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


class Canvas:
    """A picture in the making, `width` x `height` pixels, painted at twice that size."""

    def __init__(self, width_px: int, height_px: int, camera: Camera) -> None:
        self._camera = camera
        self._colour = np.zeros((height_px * OVERSAMPLE, width_px * OVERSAMPLE, 3), np.float32)
        self._depth = np.zeros(self._colour.shape[:2], np.float32)

    def clear(self, background: np.ndarray) -> None:
        """Start over on a background float32 [H, W, 3] in 0..255."""
        self._colour[:] = background.repeat(OVERSAMPLE, 0).repeat(OVERSAMPLE, 1)
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
        rows = np.concatenate([xy, v[:, 2:], mesh.uv, tint], 1).astype(np.float32)
        _paint(self._colour, self._depth, rows, mesh.triangles.astype(np.int32), mesh.texture, np.float32(mesh.push_mm))

    def picture(self) -> np.ndarray:
        """uint8 [H, W, 3] RGB."""
        height, width = self._depth.shape
        small = self._colour.reshape(height // OVERSAMPLE, OVERSAMPLE, width // OVERSAMPLE, OVERSAMPLE, 3)
        return np.clip(np.rint(small.mean((1, 3))), 0, 255).astype(np.uint8)


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


@njit(cache=False, fastmath=True)
def _paint(colour: Any, depth: Any, rows: Any, triangles: Any, texture: Any, push: Any) -> None:
    """`rows` float32 [V, 8]: x, y in canvas pixels, z, u, v, tint r, g, b."""
    height, width = depth.shape
    tall, wide = texture.shape[0] - 1, texture.shape[1] - 1
    for t in range(len(triangles)):
        a, b, c = rows[triangles[t, 0]], rows[triangles[t, 1]], rows[triangles[t, 2]]
        if min(a[2], b[2], c[2]) < NEAR_MM:
            continue
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-6:
            continue
        for y in range(max(0, int(min(a[1], b[1], c[1]))), min(height, int(max(a[1], b[1], c[1])) + 2)):
            for x in range(max(0, int(min(a[0], b[0], c[0]))), min(width, int(max(a[0], b[0], c[0])) + 2)):
                px, py = x + 0.5, y + 0.5
                wb = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) / area
                wc = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) / area
                wa = 1.0 - wb - wc
                if wa < -1e-4 or wb < -1e-4 or wc < -1e-4:
                    continue
                z = wa * a[2] + wb * b[2] + wc * c[2]
                if z >= depth[y, x]:
                    continue
                depth[y, x] = z + push
                u = min(max((wa * a[3] + wb * b[3] + wc * c[3]) * wide, 0.0), wide * 0.99999)
                v = min(max((wa * a[4] + wb * b[4] + wc * c[4]) * tall, 0.0), tall * 0.99999)
                i, j = int(v), int(u)
                fv, fu = v - i, u - j
                i2, j2 = min(i + 1, tall), min(j + 1, wide)
                for k in range(3):
                    top = texture[i, j, k] * (1 - fu) + texture[i, j2, k] * fu
                    low = texture[i2, j, k] * (1 - fu) + texture[i2, j2, k] * fu
                    tint = wa * a[5 + k] + wb * b[5 + k] + wc * c[5 + k]
                    colour[y, x, k] = (top * (1 - fv) + low * fv) * tint

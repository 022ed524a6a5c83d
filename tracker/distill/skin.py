"""The skin of the demo clip's person: the face mesh with its learned texture, grown into one surface with the skull.

Given the face's vertices in head space and how to move points it paints both with common normals, so that no seam
shows. The texture's rim, where hair and backgrounds of many pictures were averaged in, fades to plain skin.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tracker.distill import head
from tracker.distill.raster import Canvas, Mesh, vertex_normals
from tracker.distill.texture import texel_triangles
from tracker.face import topology
from tracker.face.model import FaceModel

FADE_SHARE = 0.19
"""Of the texture's side: how far from its rim the fade begins."""


class Skin:
    """Face and skull of one person."""

    def __init__(self, model: FaceModel, texture: np.ndarray) -> None:
        """`texture` is [S, S, 3] RGB over `model.uv`."""
        rings, columns = head.SKIRT_RINGS, len(head.OVAL)
        grid = np.concatenate([head.OVAL, topology.VERTICES + np.arange(rings * columns)])
        self._face = model.triangles[(model.triangles < topology.RIGHT_IRIS[0]).all(1)]
        self._skull = grid[head.grid_triangles(rings + 1, columns, True)].astype(np.int32)
        self._texture = faded(model, texture)
        count = topology.VERTICES + rings * columns
        self._uv = np.concatenate([model.uv, np.zeros((rings * columns, 2))])
        self._plain = np.ones((count, 3))
        self._tint = self._skull_tint(model, count)

    def paint(self, canvas: Canvas, face_mm: np.ndarray, place: Callable[[np.ndarray], np.ndarray]) -> None:
        """Paint face and skull; `place` carries points [N, 3] from head space to the camera."""
        behind, _ = head.skirt(face_mm)
        vertices = place(np.concatenate([face_mm, behind]))
        normals = vertex_normals(vertices, np.concatenate([self._face, self._skull]))
        canvas.paint(Mesh(vertices, self._face, self._uv, self._texture, self._plain), normals)
        canvas.paint(Mesh(vertices, self._skull, self._uv, head.WHITE, self._tint), normals)

    def _skull_tint(self, model: FaceModel, count: int) -> np.ndarray:
        """Colour per vertex: the texture's at the edge, plain skin soon behind it, darker under the chin."""
        size = self._texture.shape[0]
        at = np.clip((model.uv[list(head.OVAL)] * (size - 1)).round().astype(int), 0, size - 1)
        edge = self._texture[at[:, 1], at[:, 0]] / 255
        behind, along = head.skirt(model.mean_mm)
        share = np.clip(along / 0.3, 0, 1)[:, None, None]
        colour = edge * (1 - share) + np.array(head.SKIN_RGB) / 255 * share
        low = np.clip((behind.reshape(colour.shape)[..., 1:2] - 60) / 40, 0, 1)
        below = low * np.clip(along * 4, 0, 1)[:, None, None]
        tint = np.ones((count, 3))
        tint[topology.VERTICES :] = (colour * (1 - 0.38 * below)).reshape(-1, 3)
        tint[list(head.OVAL)] = edge
        return tint


def faded(model: FaceModel, texture: np.ndarray) -> np.ndarray:
    """float32 [S, S, 3]: the texture with its rim turning to plain skin."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    size = texture.shape[0]
    covered = binary_fill_holes(texel_triangles(model, size)[0] >= 0)
    keep = head.smoothstep(distance_transform_edt(covered) / (FADE_SHARE * size))[..., None]
    mixed = texture * keep + np.array(head.SKIN_RGB) * (1 - keep)
    return mixed.astype(np.float32)

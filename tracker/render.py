"""A tracked face as pictures: its mask, depth, normals and regions, pixel by pixel where it lies in the frame.

Given an estimate, of the tracker or of a message, it rasterizes the landmarks' mesh as they lie in the picture. The
openings of eyes and mouth are not covered. It draws nothing on the frame itself and needs no camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.regions import NONE, triangle_regions
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.rasterize import LARGEST_SIDE_PX

KINDS = ("mask", "depth", "normals", "regions")
# As bright as the farthest part of a face is drawn: not as dark as nothing.
_FARTHEST_GREY = 60.0
_REGION_RGB = np.array(
    [[96, 160, 255], [255, 214, 90], [255, 96, 110], [90, 220, 170], [222, 140, 255], [150, 150, 150]], np.uint8
)
"""In the order of `REGIONS`; the last is for skin that belongs to none."""


@dataclass(frozen=True, slots=True, eq=False)
class Render:
    """One face, in a box of the picture."""

    x_px: int
    """The box's left column in the picture, and below its top row."""
    y_px: int
    mask: np.ndarray
    """bool [H, W]: where the face is."""
    depth_px: np.ndarray
    """float32 [H, W]: as the landmarks' z, in picture pixels from the head's origin, nearer is smaller; infinite where
    no face is."""
    normals: np.ndarray
    """float32 [H, W, 3]: unit, in camera axes (x right, y down, z away); 0 where no face is."""
    regions: np.ndarray
    """int8 [H, W]: an index of `REGIONS`; -1 where no region is."""

    def picture(self, kind: str) -> np.ndarray:
        """One of `KINDS` to look at, uint8 [H, W, 3] RGB, black where no face is: white; near is bright; normals as
        colours, with the camera at blue; a colour a region. Raises SettingsError for another kind."""
        require_kind(kind)
        out = np.zeros((*self.mask.shape, 3), np.uint8)
        if not self.mask.any():
            return out
        if kind == "mask":
            out[self.mask] = 255
        elif kind == "depth":
            deep = self.depth_px[self.mask]
            near, far = float(deep.min()), float(deep.max())
            share = (far - deep) / max(far - near, 1e-6)
            out[self.mask] = (_FARTHEST_GREY + (255 - _FARTHEST_GREY) * share)[:, None].astype(np.uint8)
        elif kind == "normals":
            towards = self.normals[self.mask] * np.array([1, -1, -1], np.float32)
            out[self.mask] = np.clip(127.5 * (towards + 1), 0, 255).astype(np.uint8)
        else:
            out[self.mask] = _REGION_RGB[self.regions[self.mask]]
        return out


def require_kind(kind: str) -> None:
    """Raise SettingsError unless there are pictures of that kind."""
    if kind not in KINDS:
        raise SettingsError(f"render {kind!r}; valid: {', '.join(KINDS)}")


class Renderer:
    """Renders faces; its buffers serve one thread.

    >>> renderer = Renderer()
    >>> found = renderer(face, width_px=1280, height_px=720)
    >>> found.picture("depth")
    """

    def __init__(self, model: FaceModel | None = None, kernels: Kernels | None = None) -> None:
        """Raises AssetError where the shipped face model is damaged."""
        self._model, self._kernels = model or FaceModel.load(), kernels or choose()
        self._regions = np.append(triangle_regions(self._model), NONE).astype(np.int8)

    def __call__(self, face: Face, width_px: int, height_px: int) -> Render:
        """The face's part of a picture of that size; empty, where it lies outside of it or has no landmarks.

        A face wider or higher than 1024 px is rasterized at a half, a third, ... of that and enlarged.
        """
        points = face.landmarks_px.astype(np.float64)
        size = np.array([width_px, height_px])
        if not np.isfinite(points).all() or width_px < 1 or height_px < 1:
            return _nothing()
        low = np.clip(np.floor(points[:, :2].min(0)), 0, size).astype(int)
        high = np.clip(np.ceil(points[:, :2].max(0)), 0, size).astype(int)
        wide, tall = (high - low).tolist()
        # Beyond the picture by more than the rasterizer's guard band: hardly anything of it is to be seen.
        spread = np.ptp(points[:, :2], axis=0)
        shrink = -(-max(wide, tall, int(spread.max() / 1.5)) // LARGEST_SIDE_PX)
        if wide < 1 or tall < 1:
            return _nothing()
        ids, depth, normals = self._rasterized(points, low, (wide, tall), shrink)
        ids, depth, normals = (_enlarged(array, shrink)[:tall, :wide] for array in (ids, depth, normals))
        return Render(int(low[0]), int(low[1]), ids >= 0, depth, normals, self._regions[ids])

    def _rasterized(
        self, points: np.ndarray, low: np.ndarray, size: tuple[int, int], shrink: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Triangles, depths and normals of the box at a share of its size."""
        wide, tall = (-(-side // shrink) for side in size)
        triangles, kernels = self._model.triangles, self._kernels
        vertices = points.copy()
        vertices[:, :2] -= low
        vertices /= shrink
        nearest = float(vertices[:, 2].min())
        vertices[:, 2] += 1 - nearest
        mesh = vertices.astype(np.float32)[None]
        at_vertices = np.empty_like(mesh)
        ids, depth = np.empty((1, tall, wide), np.int32), np.empty((1, tall, wide), np.float32)
        weights = np.empty((1, tall, wide, 3), np.float32)
        kernels.rasterize(mesh, triangles, ids, depth, weights)
        kernels.normals(mesh, triangles, at_vertices)
        inside = ids[0] >= 0
        normals = np.zeros((tall, wide, 3), np.float32)
        mixed = (weights[0][inside][:, :, None] * at_vertices[0][triangles[ids[0][inside]]]).sum(1)
        normals[inside] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        return ids[0], ((depth[0] - 1 + nearest) * shrink).astype(np.float32), normals


def _enlarged(array: np.ndarray, times: int) -> np.ndarray:
    return array if times == 1 else array.repeat(times, 0).repeat(times, 1)


def _nothing() -> Render:
    none = np.zeros((0, 0))
    return Render(
        0, 0, none.astype(bool), none.astype(np.float32), np.zeros((0, 0, 3), np.float32), none.astype(np.int8)
    )

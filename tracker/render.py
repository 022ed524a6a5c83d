"""A tracked face as pictures: its mask, depth, normals and regions, pixel by pixel where it lies in the frame.

Given an estimate, of the tracker or of a message, it rasterizes the landmarks' mesh as they lie in the picture. The
openings of eyes and mouth are not covered, nor the irises in them. It knows one face at a time, not what stands before
it, draws nothing on the frame itself and needs no camera: where the face stands says along which ray it is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.pose import ray_rotation
from tracker.face.regions import NONE, triangle_regions
from tracker.face.topology import LEFT_IRIS, RIGHT_IRIS
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.rasterize import EXTENT_PX, LARGEST_SIDE_PX

KINDS = ("mask", "depth", "normals", "regions")
FARTHEST_PX = 16384.0
"""Landmarks farther than this from the picture's corner, in any direction, are no face's: no video is as large. So no
box is larger either, whatever a message says."""
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
    """float32 [H, W]: as the landmarks' z, along the ray to the head's origin and from there, in picture pixels; nearer
    is smaller; infinite where no face is. Times `face.translation_mm[2]`, over the focal length in px, it is mm."""
    normals: np.ndarray
    """float32 [H, W, 3]: unit, in camera axes (x right, y down, z forward), as the mesh in camera space has them, so
    that they go with `Face.rotation` and `Face.lighting`; 0 where no face is."""
    regions: np.ndarray
    """int8 [H, W]: an index of `REGIONS`; -1 where no region is."""

    def picture(self, kind: str) -> np.ndarray:
        """One of `KINDS` to look at, uint8 [H, W, 3] RGB, black where no face is: white; near is bright; normals as
        colours, red right, green up, blue back along the camera's axis; a colour a region.

        Raises SettingsError for another kind.
        """
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


def cam_from_ray(translation_mm: np.ndarray) -> np.ndarray:
    """float32 [3, 3]: from the axes of the face's viewing ray, in which its landmarks lie, to the camera's."""
    if not np.isfinite(translation_mm).all() or translation_mm[2] <= 0:  # nowhere: as in the middle of the picture
        return np.eye(3, dtype=np.float32)
    return ray_rotation(translation_mm).astype(np.float32)


class Renderer:
    """Renders faces; its buffers serve one thread.

    >>> renderer = Renderer()
    >>> found = renderer(face, width_px=1280, height_px=720)
    >>> found.picture("depth")
    """

    def __init__(self, model: FaceModel | None = None, kernels: Kernels | None = None) -> None:
        """Raises AssetError where the shipped face model is damaged."""
        model, self._kernels = model or FaceModel.load(), kernels or choose()
        skin = ~np.isin(model.triangles, [*LEFT_IRIS, *RIGHT_IRIS]).any(1)  # four of an iris are a diamond, not an eye
        self._triangles = np.ascontiguousarray(model.triangles[skin])
        self._regions = np.append(triangle_regions(model)[skin], NONE).astype(np.int8)

    def __call__(self, face: Face, width_px: int, height_px: int) -> Render:
        """The face's part of a picture of that size. Empty, where it lies outside of it, has no landmarks, or has some
        farther away than `FARTHEST_PX`.

        A box wider or higher than 1024 px, or with triangles that reach hundreds of pixels out of it, is rasterized at
        a half, a third, ... of that and enlarged.
        """
        points = face.landmarks_px.astype(np.float64)
        size = np.array([width_px, height_px])
        if width_px < 1 or height_px < 1 or not (np.abs(points) <= FARTHEST_PX).all():
            return _nothing()
        low = np.clip(np.floor(points[:, :2].min(0)), 0, size).astype(int)
        high = np.clip(np.ceil(points[:, :2].max(0)), 0, size).astype(int)
        wide, tall = (high - low).tolist()
        if wide < 1 or tall < 1:
            return _nothing()
        points[:, :2] -= low
        touching = _touching(points[:, :2], self._triangles, (wide, tall))
        shrink = _shrink(points[self._triangles[touching], :2], (wide, tall))
        ids, depth_px, normals = (
            _enlarged(array, shrink)[:tall, :wide]
            for array in self._rasterized(points, touching, (wide, tall), shrink, cam_from_ray(face.translation_mm))
        )
        return Render(int(low[0]), int(low[1]), ids >= 0, depth_px, normals, self._regions[ids])

    def _rasterized(
        self, points: np.ndarray, touching: np.ndarray, size: tuple[int, int], shrink: int, turn: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Triangles, depths and turned normals of the box at (0, 0), at a share of its size."""
        wide, tall = (-(-side // shrink) for side in size)
        triangles, nearest = self._triangles, float(points[:, 2].min())
        mesh = ((points - [0, 0, nearest]) / shrink + [0, 0, 1]).astype(np.float32)[None]
        ids, depth = np.empty((1, tall, wide), np.int32), np.empty((1, tall, wide), np.float32)
        weights, at_vertices = np.empty((1, tall, wide, 3), np.float32), np.empty_like(mesh)
        self._kernels.rasterize(mesh, triangles[touching], ids, depth, weights)
        self._kernels.normals(mesh, triangles, at_vertices)
        shown = np.append(touching, -1).astype(np.int32)[ids[0]]  # numbers of all triangles again
        normals = np.zeros((tall, wide, 3), np.float32)
        at_vertices = at_vertices[0] @ turn.T
        for corner in range(3):
            normals += weights[0, :, :, corner, None] * at_vertices.take(triangles[:, corner].take(shown), 0)
        normals /= np.maximum(np.sqrt(np.einsum("ijk,ijk->ij", normals, normals)), 1e-9)[:, :, None]
        return shown, (depth[0] - 1) * np.float32(shrink) + np.float32(nearest), normals


def _touching(points: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which triangles' own boxes touch the box at (0, 0): the others would only overhang."""
    corners = points[triangles]
    return np.flatnonzero(((corners.max(1) >= 0) & (corners.min(1) <= size)).all(1))


def _shrink(corners: np.ndarray, size: tuple[int, int]) -> int:
    """By how much a box and the triangles that touch it must shrink for the rasterizer: side / shrink <= 1024, and the
    farthest corner within its guard band, overhang / shrink <= (2048 - side / shrink) / 2."""
    overhang = max(0.0, -corners.min(), (corners.max((0, 1)) - size).max()) if corners.size else 0.0
    most = EXTENT_PX / 2 - 1  # less one, as the shrunk side is rounded up
    return max(math.ceil(max(size) / LARGEST_SIDE_PX), math.ceil((overhang + max(size) / 2) / most))


def _enlarged(array: np.ndarray, times: int) -> np.ndarray:
    return array if times == 1 else array.repeat(times, 0).repeat(times, 1)


def _nothing() -> Render:
    none = np.zeros((0, 0))
    return Render(
        0, 0, none.astype(bool), none.astype(np.float32), np.zeros((0, 0, 3), np.float32), none.astype(np.int8)
    )

"""The light on a face: nine spherical-harmonics coefficients per colour channel.

Given what the crop shows at the model's vertices, their mean colour and which way they face, it solves a small ridge
least squares. Shadows, highlights and makeup are not modelled. Used for the published `lighting`, not for tracking.
"""

from __future__ import annotations

import numpy as np

from tracker.face.model import FaceModel
from tracker.refine.fit import Fit
from tracker.regress.regressor import Guess

# Real spherical harmonics to order 2 (Ramamoorthi and Hanrahan 2001), in the order
# 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 of the unit normal in camera axes.
_CONSTANTS = np.array([0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
RIDGE = np.array([1.0, *[12.0] * 3, *[40.0] * 5])


def harmonics(normals: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The nine functions [V, 9] at unit normals [V, 3], written to `out`."""
    x, y, z = normals.T
    out[:, 0] = 1
    out[:, 1], out[:, 2], out[:, 3] = y, z, x
    np.multiply(x, y, out=out[:, 4])
    np.multiply(y, z, out=out[:, 5])
    np.multiply(z, z, out=out[:, 6])
    out[:, 6] *= 3
    out[:, 6] -= 1
    np.multiply(x, z, out=out[:, 7])
    out[:, 8] = x * x - y * y
    out *= _CONSTANTS
    return out


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3] pointing out of the face, area-weighted over the triangles at each vertex."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: np.ndarray = total / np.maximum(length, 1e-9)
    return unit


class Light:
    """Solver with its buffers. The mean face's normals are turned with the head; expression hardly changes them."""

    def __init__(self, model: FaceModel) -> None:
        skin = slice(0, 468)
        self._vertices = model.mean_mm[skin].astype(np.float64)
        self._normals = vertex_normals(model.mean_mm.astype(np.float64), model.triangles)[skin]
        self._albedo = model.albedo[skin].astype(np.float64) / 255
        count = len(self._vertices)
        self._turned, self._at_px = np.zeros((count, 3)), np.zeros((count, 3))
        self._pixel = np.zeros(count, np.intp)
        self._basis, self._weighted, self._facing = np.zeros((count, 9)), np.zeros((count, 9)), np.zeros(count)
        self._seen = np.zeros(count, np.float32)

    def __call__(self, guess: Guess, fit: Fit, out: np.ndarray) -> None:
        """Write float32 [9, 3] to `out` from the crop that was looked at and the head fitted in it."""
        np.matmul(self._normals, fit.rotation.T, out=self._turned)
        harmonics(self._turned, self._basis)
        np.subtract(-0.15, self._turned[:, 2], out=self._facing)
        np.maximum(self._facing, 0, out=self._facing)
        pixel = self._pixels(guess, fit)
        for channel in range(3):
            # Clipped once more so that numpy needs no buffer of its own for `out`.
            np.take(guess.crop[channel].reshape(-1), pixel, out=self._seen, mode="clip")
            np.multiply(self._basis, self._albedo[:, channel : channel + 1], out=self._weighted)
            right = (self._seen * self._facing) @ self._weighted / 255
            np.multiply(self._weighted, np.sqrt(self._facing)[:, None], out=self._weighted)
            left = self._weighted.T @ self._weighted + np.diag(RIDGE * 0.02)
            out[:, channel] = np.linalg.solve(left, right)

    def _pixels(self, guess: Guess, fit: Fit) -> np.ndarray:
        """Which pixel of the crop, counted along its rows, each vertex falls on; the nearest one at the edge."""
        side = guess.crop.shape[-1]
        px_from_crop = guess.roi.px_from_crop(side)
        crop_from_px = np.linalg.inv(px_from_crop[:, :2])
        crop_from_mm = np.zeros((3, 3))
        crop_from_mm[:2] = fit.scale_px_per_mm * crop_from_px @ fit.rotation[:2]
        np.matmul(self._vertices, crop_from_mm.T, out=self._at_px)
        self._at_px[:, :2] += crop_from_px @ (fit.center_px - px_from_crop[:, 2])
        np.clip(self._at_px, 0, side - 1, out=self._at_px)
        np.floor(self._at_px, out=self._at_px)
        np.copyto(self._pixel, self._at_px[:, 1] * side + self._at_px[:, 0], casting="unsafe")
        return self._pixel

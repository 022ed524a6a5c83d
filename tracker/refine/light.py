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
        skin = np.arange(468)
        self._normals = vertex_normals(model.mean_mm.astype(np.float64), model.triangles)[skin]
        self._vertices = model.mean_mm[skin].astype(np.float64)
        self._albedo = model.albedo[skin].astype(np.float64) / 255
        self._turned = np.zeros((468, 3))
        self._basis = np.zeros((468, 9))
        self._weighted = np.zeros((468, 9))

    def __call__(self, guess: Guess, fit: Fit, out: np.ndarray) -> None:
        """Write float32 [9, 3] to `out` from the crop that was looked at and the head fitted in it."""
        side = guess.crop.shape[-1]
        px_from_crop = guess.roi.px_from_crop(side)
        crop_from_px = np.linalg.inv(px_from_crop[:, :2])
        np.matmul(self._normals, fit.rotation.T, out=self._turned)
        harmonics(self._turned, self._basis)
        facing = np.maximum(-self._turned[:, 2] - 0.15, 0)
        at_px = fit.center_px + fit.scale_px_per_mm * (self._vertices @ fit.rotation.T)[:, :2]
        at = np.clip(((at_px - px_from_crop[:, 2]) @ crop_from_px.T).astype(np.int32), 0, side - 1)
        for channel in range(3):
            seen = guess.crop[channel][at[:, 1], at[:, 0]] / 255
            np.multiply(self._basis, self._albedo[:, channel : channel + 1], out=self._weighted)
            left = self._weighted.T @ (self._weighted * facing[:, None]) + np.diag(RIDGE * 0.02)
            out[:, channel] = np.linalg.solve(left, self._weighted.T @ (facing * seen))

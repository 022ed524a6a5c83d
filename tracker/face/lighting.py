"""The light on a face in other axes: nine spherical harmonics per colour, 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2.

Given their coefficients, with the usual constants, as a turned square of the picture shows them, it returns what they
are in camera axes. It does not know how the light was found.
"""

from __future__ import annotations

import math

import numpy as np

from tracker.face.camera import Camera
from tracker.face.pose import ray_rotation

_XYZ = [3, 1, 2]
"""Those of the first order."""


def _forms() -> np.ndarray:
    """float64 [9, 5]: the second order as quadratic forms n^T M n, by rows. The last two have 1 / (2 sqrt 3) and 1 / 2
    of the others' constant."""
    xy, yz, zz, xz, xx = np.zeros((5, 3, 3))
    xy[0, 1] = xy[1, 0] = yz[1, 2] = yz[2, 1] = xz[0, 2] = xz[2, 0] = 0.5
    np.fill_diagonal(zz, np.array([-1, -1, 2]) / math.sqrt(12))
    np.fill_diagonal(xx, [0.5, -0.5, 0])
    return np.stack([form.ravel() for form in (xy, yz, zz, xz, xx)], 1)


_FORMS = _forms()
_BACK = 2 * _FORMS.T
"""They are all of one length, the root of a half, and at right angles."""


def turned(lighting: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """float32 [9, 3]: the same light in axes into which `rotation` [3, 3] takes those of `lighting`."""
    out = np.empty((9, 3), np.float32)
    out[0] = lighting[0]
    out[_XYZ] = rotation @ lighting[_XYZ]
    twice = (rotation[:, None, :, None] * rotation[None, :, None, :]).reshape(9, 9)
    out[4:] = _BACK @ (twice @ (_FORMS @ lighting[4:]))
    return out


def in_camera_axes(lighting: np.ndarray, camera: Camera, center_px: np.ndarray, roll_rad: float) -> np.ndarray:
    """float32 [9, 3]: the light in camera axes, from that in a square turned by `roll_rad`, which shows a head at
    `center_px` along its viewing ray."""
    x_px, y_px = center_px.tolist()
    c, s = math.cos(roll_rad), math.sin(roll_rad)
    upright = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    ray = (x_px - camera.cx) / camera.fx, (y_px - camera.cy) / camera.fy, 1.0
    return turned(lighting, ray_rotation(ray) @ upright)

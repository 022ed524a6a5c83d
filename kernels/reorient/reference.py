"""`reorient` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import math

import numpy as np

XYZ = [3, 1, 2]
"""Those of the first order."""


def reorient(
    lighting: np.ndarray, center_px: np.ndarray, roll_rad: np.ndarray, camera: np.ndarray, out: np.ndarray
) -> None:
    """Fill `out`."""
    for light, center, roll, turned in zip(lighting, center_px, roll_rad, out, strict=True):
        turned[:] = rotated(light, rotation_of(center, float(roll), camera))


def rotation_of(center_px: np.ndarray, roll_rad: float, camera: np.ndarray) -> np.ndarray:
    """float64 [3, 3]: from the square's axes to the camera's."""
    fx, fy, cx, cy = camera.tolist()
    ray = np.array([(center_px[0] - cx) / fx, (center_px[1] - cy) / fy, 1.0])
    x, y, z = ray / np.linalg.norm(ray)
    k = 1 / (1 + z)
    onto = np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])
    c, s = math.cos(roll_rad), math.sin(roll_rad)
    rotation: np.ndarray = onto @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    return rotation


def rotated(light: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """float64 [9, C]: the same light in axes into which `rotation` takes those of `light` [9, C]."""
    forms, found = _forms(), light.astype(np.float64)
    found[XYZ] = rotation @ light[XYZ]
    matrices = np.einsum("mij,mc->cij", forms, light[4:].astype(np.float64))
    # They are all of one length, the root of a half, and at right angles.
    found[4:] = 2 * np.einsum("mij,cij->mc", forms, rotation @ matrices @ rotation.T)
    return found


def _forms() -> np.ndarray:
    """float64 [5, 3, 3]: the second order as quadratic forms n^T M n. The constants of 3 z^2 - 1 and of x^2 - y^2 are
    1 / (2 sqrt 3) and 1 / 2 of the others'."""
    forms = np.zeros((5, 3, 3))
    for form, i, j in ((0, 0, 1), (1, 1, 2), (3, 0, 2)):
        forms[form, i, j] = forms[form, j, i] = 0.5
    np.fill_diagonal(forms[2], np.array([-1, -1, 2]) / math.sqrt(12))
    np.fill_diagonal(forms[4], [0.5, -0.5, 0])
    return forms

"""Rotations: matrices, quaternions `xyzw`, rotation vectors and the view a head is seen under.

Plain functions on float arrays [..., 3, 3], [..., 4] and [..., 3]; formulas are the standard ones (Shuster 1993 for
quaternions, Rodrigues for rotation vectors). Nothing here knows faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def quaternion_from_matrix(rotation: np.ndarray) -> np.ndarray:
    """`xyzw`, unit, with w >= 0, from a rotation matrix [3, 3]; the largest component is found first (Shepperd)."""
    r = np.asarray(rotation, np.float64)
    trace = r[0, 0] + r[1, 1] + r[2, 2]
    candidates = np.array([r[0, 0], r[1, 1], r[2, 2], trace])
    largest = int(candidates.argmax())
    q = np.empty(4)
    if largest == 3:
        q[:3] = r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]
        q[3] = 1.0 + trace
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q[i] = 1.0 - trace + 2.0 * r[i, i]
        q[j] = r[i, j] + r[j, i]
        q[k] = r[i, k] + r[k, i]
        q[3] = r[k, j] - r[j, k]
    q /= np.linalg.norm(q)
    return (q if q[3] >= 0 else -q).astype(np.float32)


def exp_so3(vector_rad: np.ndarray) -> np.ndarray:
    """Rotation matrix float64 [3, 3] from a rotation vector [3] in radians (Rodrigues)."""
    x, y, z = np.asarray(vector_rad, np.float64)
    angle = float(np.sqrt(x * x + y * y + z * z))
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    if angle < 1e-8:
        return np.eye(3) + skew
    return np.eye(3) + np.sin(angle) / angle * skew + (1 - np.cos(angle)) / angle**2 * (skew @ skew)


def log_so3(rotation: np.ndarray) -> np.ndarray:
    """Rotation vector float64 [3] in radians, at most pi long, from a rotation matrix; the inverse of `exp_so3`."""
    x, y, z, w = quaternion_from_matrix(rotation).astype(np.float64)
    length = float(np.sqrt(x * x + y * y + z * z))
    if length < 1e-8:
        return 2.0 * np.array([x, y, z])
    return 2.0 * np.arctan2(length, w) / length * np.array([x, y, z])


def geodesic_rad(a: np.ndarray, b: np.ndarray) -> float:
    """The angle between two rotations in radians."""
    return float(np.linalg.norm(log_so3(np.asarray(a).T @ np.asarray(b))))


def yaw_pitch_roll_rad(rotation: np.ndarray) -> tuple[float, float, float]:
    """Angles of R = Ry(yaw) Rx(pitch) Rz(roll) in camera axes: yaw > 0 turns the nose to the image's left, pitch > 0
    lifts the chin's axis down in the image's y, roll > 0 is clockwise on screen. For display; nothing computes on it.
    """
    r = np.asarray(rotation, np.float64)
    pitch = float(np.arcsin(np.clip(-r[1, 2], -1, 1)))
    return float(np.arctan2(r[0, 2], r[2, 2])), pitch, float(np.arctan2(r[1, 0], r[1, 1]))


def ray_rotation(direction: Sequence[float] | np.ndarray) -> np.ndarray:
    """The smallest rotation [3, 3] that carries the camera's +z onto `direction` [3], which must not point backwards.

    A crop shows the head as seen along its own viewing ray; this turns what was read there into camera axes.
    """
    x, y, z = (float(part) for part in direction)
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    # Rodrigues with axis z cross d = (-y, x, 0); 1 + cos cannot vanish for anything in front of the camera.
    k = 1.0 / (1.0 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])


def deviations_mm(translation_mm: np.ndarray, seen_mm: np.ndarray) -> np.ndarray:
    """float32 [3]: a place's standard deviations in camera axes, from those `seen_mm` across its ray (2)
    and of its depth: what is nearer than thought, beside the camera's axis, is nearer to that as well."""
    (x, y, z), (across, down, depth) = translation_mm.tolist(), seen_mm.tolist()
    return np.array((math.hypot(across, depth * x / z), math.hypot(down, depth * y / z), depth), np.float32)

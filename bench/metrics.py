"""The measures of accuracy, each a plain function on arrays, as the field defines them.

Distances are 2D and in pixels; every error is divided by what its data set divides by. Nothing here opens a file or
knows who found the face.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tracker.face.topology import OUTER_EYE_CORNERS, POINTS_68

# A face whose mean error is above this share of its scale is another face, or none.
MISS_ABOVE = 0.5
# A shape moves in a clip when the teacher's score has a standard deviation above this.
MOVES_ABOVE = 0.05
# 300-W's numbers (from 0) of the outer corners of the eyes.
_OUTER_CORNERS_68 = (36, 45)


def mean_distance_px(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean 2D distance of [N, 2 or 3] points; a third coordinate is not read."""
    return float(np.linalg.norm(np.asarray(found, np.float64)[:, :2] - truth[:, :2], axis=1).mean())


def interocular_px(landmarks: np.ndarray) -> float:
    """Distance of the outer corners of the eyes in a mesh [478, 2 or 3]."""
    right, left = OUTER_EYE_CORNERS
    return float(np.linalg.norm(np.asarray(landmarks, np.float64)[right, :2] - landmarks[left, :2]))


def interocular_68_px(points: np.ndarray) -> float:
    """The same in 68 points, as 300-W divides."""
    right, left = _OUTER_CORNERS_68
    return float(np.linalg.norm(np.asarray(points, np.float64)[right, :2] - points[left, :2]))


def box_of(points: np.ndarray) -> np.ndarray:
    """float64 [4]: x0, y0, x1, y1 around [N, 2 or 3] points."""
    xy = np.asarray(points, np.float64)[:, :2]
    return np.concatenate([xy.min(0), xy.max(0)])


def box_scale_px(points: np.ndarray) -> float:
    """Square root of the area of the box around the points, as AFLW2000-3D divides."""
    x0, y0, x1, y1 = box_of(points)
    return float(np.sqrt((x1 - x0) * (y1 - y0)))


def points_68(landmarks: np.ndarray) -> np.ndarray:
    """The 68 points [68, 2] of a mesh [478, 2 or 3], by the map both sides of a comparison use."""
    return np.asarray(landmarks)[list(POINTS_68), :2]


def correlation(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Pearson's r per column of two [N, E] arrays, float64 [E]; 0 where a column of ours is constant, NaN where one
    of theirs is or N < 2."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if len(ours) < 2:
        return np.full(theirs.shape[1], np.nan)
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    norm_a, norm_b = np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(0) / (norm_a * norm_b)
    # A constant column leaves rounding of about 1e-16 a sample behind; that is no movement.
    r[norm_a < 1e-9] = 0.0
    r[norm_b < 1e-9] = np.nan
    return r


def moving(theirs: np.ndarray) -> np.ndarray:
    """bool [E]: the columns of the teacher's scores [N, E] that move in this clip; none without rows."""
    return np.asarray(theirs, np.float64).std(0) > MOVES_ABOVE if len(theirs) else np.zeros(theirs.shape[1], bool)


def mean(values: Iterable[float]) -> float:
    """Over those that are numbers; NaN without any."""
    numbers = np.fromiter(values, np.float64)
    kept = numbers[np.isfinite(numbers)]
    return float(kept.mean()) if kept.size else float("nan")


def pitch_yaw_roll_deg(rotation: np.ndarray) -> np.ndarray:
    """float64 [3] degrees by 3DDFA's decomposition (Zhu 2016, `Pose_Para` of 300W-LP) of cam_from_head in OpenCV axes.

    3DDFA's axes are x right, y up, z to the viewer, and it composes R = Rx(pitch) Ry(yaw) Rz(roll) of rotations that
    turn the axes, not the points: R[0,2] = -sin(yaw), R[1,2] / R[2,2] = tan(pitch), R[0,1] / R[0,0] = tan(roll).
    """
    r = _from_3ddfa(rotation)
    yaw = np.arcsin(np.clip(-r[0, 2], -1, 1))
    return np.degrees([np.arctan2(r[1, 2], r[2, 2]), yaw, np.arctan2(r[0, 1], r[0, 0])])


def rotation_from_pitch_yaw_roll(angles_deg: np.ndarray) -> np.ndarray:
    """cam_from_head [3, 3] in OpenCV axes, float64: the inverse of `pitch_yaw_roll_deg`."""
    pitch, yaw, roll = np.radians(np.asarray(angles_deg, np.float64))
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_z = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return _from_3ddfa(about_x @ about_y @ about_z)


def _from_3ddfa(rotation: np.ndarray) -> np.ndarray:
    """Between 3DDFA's axes and OpenCV's: a half turn about x on either side, its own inverse."""
    turn = np.array([1.0, -1.0, -1.0])
    return turn[:, None] * np.asarray(rotation, np.float64) * turn


def wrapped_deg(angles: np.ndarray) -> np.ndarray:
    """Differences of angles brought into -180..180."""
    return (np.asarray(angles, np.float64) + 180.0) % 360.0 - 180.0

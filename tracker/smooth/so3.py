"""The One-Euro filter on rotations.

As `one_euro`, in the tangent space of the previous estimate: the new estimate lies on the great arc from the previous
one to the sample, and speed is the angular velocity in the head's own axes. So a fixed turn of the camera, or of the
head's axes, turns the result and changes nothing else. Plain floats on quaternions `xyzw`: for one rotation that is
faster than arrays. It does not know what turns.
"""

from __future__ import annotations

from math import atan2, cos, exp, isfinite, pi, sin, sqrt

import numpy as np

Quaternion = tuple[float, float, float, float]


class OneEuroSO3:
    """Filters one rotation. A matrix that is not finite is held. The returned array is the filter's own."""

    def __init__(self, min_cutoff_hz: float, beta: float, derivative_cutoff_hz: float) -> None:
        """Cutoff at rest in Hz, and Hz per radian per second."""
        self._min_cutoff = min_cutoff_hz
        self._beta = beta
        self._derivative_cutoff = derivative_cutoff_hz
        self._value: Quaternion = (0.0, 0.0, 0.0, 1.0)
        self._raw = self._value
        self._speed = (0.0, 0.0, 0.0)
        self._matrix = np.eye(3)
        self._started = False

    @property
    def value(self) -> np.ndarray:
        """The estimate float64 [3, 3], the identity before the first sample."""
        return self._matrix

    def reset(self) -> None:
        """Forget: the next sample is taken as it is."""
        self._started = False

    def __call__(self, sample: np.ndarray, dt_seconds: float) -> np.ndarray:
        """The estimate float64 [3, 3] after the rotation `sample`, `dt_seconds` after the one before."""
        if self._started and not dt_seconds > 0:
            return self._matrix
        raw = _quaternion(sample) or self._value
        if not self._started:
            self._value, self._speed, self._started = raw, (0.0, 0.0, 0.0), True
        else:
            self._value = _turned(self._value, raw, self._weight(raw, dt_seconds))
        self._raw = raw
        _fill(self._matrix, self._value)
        return self._matrix

    def _weight(self, raw: Quaternion, dt_seconds: float) -> float:
        """Update the angular velocity and return the weight of the new sample."""
        keep = exp(-2 * pi * self._derivative_cutoff * dt_seconds)
        gain = (1 - keep) / dt_seconds
        x, y, z = _log(_between(self._raw, raw))
        a, b, c = self._speed
        self._speed = a, b, c = keep * a + gain * x, keep * b + gain * y, keep * c + gain * z
        cutoff = self._min_cutoff + self._beta * sqrt(a * a + b * b + c * c)
        return 1 - exp(-2 * pi * cutoff * dt_seconds)


def _quaternion(rotation: np.ndarray) -> Quaternion | None:
    """Unit `xyzw` of a rotation matrix, by its largest component (Shepperd 1978); None when it is not finite."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    trace = a + e + i
    largest = max(a, e, i, trace)
    if largest == trace:
        q = (h - f, c - g, d - b, 1 + trace)
    elif largest == a:
        q = (1 - trace + 2 * a, b + d, c + g, h - f)
    elif largest == e:
        q = (b + d, 1 - trace + 2 * e, f + h, c - g)
    else:
        q = (c + g, f + h, 1 - trace + 2 * i, d - b)
    length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    if not (isfinite(length) and length > 0):
        return None
    return (q[0] / length, q[1] / length, q[2] / length, q[3] / length)


def _times(p: Quaternion, q: Quaternion) -> Quaternion:
    a, b, c, d = p
    x, y, z, w = q
    return (
        d * x + a * w + b * z - c * y,
        d * y - a * z + b * w + c * x,
        d * z + a * y - b * x + c * w,
        d * w - a * x - b * y - c * z,
    )


def _between(start: Quaternion, end: Quaternion) -> Quaternion:
    """The turn from one to the other in the axes of the first."""
    x, y, z, w = start
    return _times((-x, -y, -z, w), end)


def _log(turn: Quaternion) -> tuple[float, float, float]:
    """Rotation vector in radians, at most pi long."""
    x, y, z, w = turn
    if w < 0:
        x, y, z, w = -x, -y, -z, -w
    length = sqrt(x * x + y * y + z * z)
    scale = 2 * atan2(length, w) / length if length > 1e-12 else 2.0
    return scale * x, scale * y, scale * z


def _turned(start: Quaternion, end: Quaternion, share: float) -> Quaternion:
    """The rotation that is `share` of the way to `end`, of unit length."""
    x, y, z = _log(_between(start, end))
    angle = sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return end
    half = share * angle / 2
    scale = sin(half) / angle
    a, b, c, d = _times(start, (scale * x, scale * y, scale * z, cos(half)))
    length = sqrt(a * a + b * b + c * c + d * d)
    return a / length, b / length, c / length, d / length


def _fill(matrix: np.ndarray, quaternion: Quaternion) -> None:
    x, y, z, w = quaternion
    matrix[0] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    matrix[1] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    matrix[2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)

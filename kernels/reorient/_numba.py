"""`reorient` for the CPU, compiled by numba. Given checked arrays."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, types

from tracker.kernels.compiled import compiled, part

_ROOT_12, _ROOT_3 = np.sqrt(12.0), np.sqrt(3.0)


@part
def _rotation(u, v, roll, r):
    """From the square's axes to the camera's, the ray being (u, v, 1)."""
    length = np.sqrt(u * u + v * v + 1.0)
    x, y, z = u / length, v / length, 1.0 / length
    k, c, s = 1.0 / (1.0 + z), np.cos(roll), np.sin(roll)
    for i in range(3):
        a = 1.0 - k * x * x if i == 0 else -k * x * y if i == 1 else -x
        b = -k * x * y if i == 0 else 1.0 - k * y * y if i == 1 else -y
        r[i, 0], r[i, 1] = c * a + s * b, c * b - s * a
    r[0, 2], r[1, 2], r[2, 2] = x, y, z


@part
def _turned(light, r, q, out):
    """One colour, [9]; q [3, 3] is scratch."""
    out[0] = light[0]
    out[3] = r[0, 0] * light[3] + r[0, 1] * light[1] + r[0, 2] * light[2]
    out[1] = r[1, 0] * light[3] + r[1, 1] * light[1] + r[1, 2] * light[2]
    out[2] = r[2, 0] * light[3] + r[2, 1] * light[1] + r[2, 2] * light[2]
    q[0, 0], q[1, 1] = light[8] / 2 - light[6] / _ROOT_12, -light[8] / 2 - light[6] / _ROOT_12
    q[2, 2] = light[6] / _ROOT_3
    q[0, 1] = q[1, 0] = light[4] / 2
    q[1, 2] = q[2, 1] = light[5] / 2
    q[0, 2] = q[2, 0] = light[7] / 2
    for row, i, j in ((4, 0, 1), (5, 1, 2), (6, 2, 2), (7, 0, 2)):
        out[row] = (_ROOT_3 if i == j else 2.0) * _entry(q, r, i, j)
    out[8] = _entry(q, r, 0, 0) - _entry(q, r, 1, 1)


@part
def _entry(q, r, i, j):
    """Of r q r^T."""
    total = 0.0
    for m in range(3):
        total += r[i, m] * (q[m, 0] * r[j, 0] + q[m, 1] * r[j, 1] + q[m, 2] * r[j, 2])
    return total


_LIGHTS = types.Array(float32, 3, "C", readonly=True)
_PLACES, _NUMBERS = types.Array(float64, 2, "C", readonly=True), types.Array(float64, 1, "C", readonly=True)


@compiled(types.void(_LIGHTS, _PLACES, _NUMBERS, _NUMBERS, float32[:, :, ::1]))
def reorient(lighting, center_px, roll_rad, camera, out):
    """Fill `out`."""
    r, q = np.empty((3, 3)), np.empty((3, 3))
    for b in range(len(lighting)):
        u, v = (center_px[b, 0] - camera[2]) / camera[0], (center_px[b, 1] - camera[3]) / camera[1]
        _rotation(u, v, roll_rad[b], r)
        for colour in range(lighting.shape[2]):
            _turned(lighting[b, :, colour], r, q, out[b, :, colour])

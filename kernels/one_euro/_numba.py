"""`one_euro` for the CPU, compiled by numba. Given checked arrays; rotations are plain numbers throughout."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, types

from tracker.kernels.compiled import compiled, part
from tracker.kernels.one_euro import CHANNELS, PLACE, QUATERNION, STARTED, TURN_SPEED

_RATE = -2.0 * np.pi


@part
def _less(cutoff, dt):
    """The weight of a new sample, negative."""
    return np.expm1(_RATE * cutoff * dt)


@part
def _channels(rows, responses, sample, i, dt, less, started):
    """One number on its own speed; returns the estimate. `less` is the negative weight of a new speed."""
    if not np.isfinite(sample):
        sample = rows[0, i]
    if not started:
        rows[0, i], rows[1, i], rows[2, i] = sample, sample, 0.0
        return sample
    rows[2, i] -= less * ((sample - rows[1, i]) / dt - rows[2, i])
    rows[1, i] = sample
    rows[0, i] -= _less(responses[0, i] + responses[1, i] * abs(rows[2, i]), dt) * (sample - rows[0, i])
    return rows[0, i]


@part
def _place(rows, minimum, beta, place, unit, dt, less, started):
    """Two numbers on the length of their speed."""
    for i in range(2):
        sample = place[i] if np.isfinite(place[i]) else rows[0, i]
        if not started:
            rows[0, i], rows[2, i] = sample, 0.0
        else:
            rows[2, i] -= less * ((sample - rows[1, i]) / (dt * unit) - rows[2, i])
        rows[1, i] = sample
    weight = _less(minimum + beta * np.sqrt(rows[2, 0] * rows[2, 0] + rows[2, 1] * rows[2, 1]), dt)
    for i in range(2):
        rows[0, i] -= weight * (rows[1, i] - rows[0, i])


@part
def _quaternion(r):
    """Unit `xyzw` of a rotation matrix, by its largest component (Shepperd 1978); not finite where that is."""
    trace = r[0, 0] + r[1, 1] + r[2, 2]
    largest = max(max(r[0, 0], r[1, 1]), max(r[2, 2], trace))
    if largest == trace:
        x, y, z, w = r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 1.0 + trace
    elif largest == r[0, 0]:
        x, y, z, w = 1.0 - trace + 2.0 * r[0, 0], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]
    elif largest == r[1, 1]:
        x, y, z, w = r[0, 1] + r[1, 0], 1.0 - trace + 2.0 * r[1, 1], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]
    else:
        x, y, z, w = r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1.0 - trace + 2.0 * r[2, 2], r[1, 0] - r[0, 1]
    length = np.sqrt(x * x + y * y + z * z + w * w)
    return x / length, y / length, z / length, w / length


@part
def _times(p, q):
    a, b, c, d = p
    x, y, z, w = q
    return (d * x + a * w + b * z - c * y, d * y - a * z + b * w + c * x, d * z + a * y - b * x + c * w,
            d * w - a * x - b * y - c * z)  # fmt: skip


@part
def _turn(start, end):
    """The turn from one to the other as a rotation vector in the axes of the first, at most pi long."""
    x, y, z, w = _times((-start[0], -start[1], -start[2], start[3]), end)
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    length = np.sqrt(x * x + y * y + z * z)
    scale = 2.0 * np.arctan2(length, w) / length if length > 1e-12 else 2.0
    return scale * x, scale * y, scale * z


@part
def _moved(value, turn, share):
    """`value` turned by a share of `turn`, of unit length."""
    x, y, z = turn
    angle = np.sqrt(x * x + y * y + z * z)
    scale = np.sin(share * angle / 2.0) / angle if angle > 1e-12 else share / 2.0
    a, b, c, d = _times(value, (scale * x, scale * y, scale * z, np.cos(share * angle / 2.0)))
    length = np.sqrt(a * a + b * b + c * c + d * d)
    return a / length, b / length, c / length, d / length


@part
def _rotation(state, minimum, beta, rotation, dt, less, started):
    """The rotation on its angular velocity, along the great arc; the sample's quaternion stands behind it."""
    q = QUATERNION
    if state[q] == 0.0 and state[q + 1] == 0.0 and state[q + 2] == 0.0 and state[q + 3] == 0.0:
        state[q + 3] = state[q + 7] = 1.0
    value = (state[q], state[q + 1], state[q + 2], state[q + 3])
    sample = _quaternion(rotation)
    if not np.isfinite(sample[0] + sample[1] + sample[2] + sample[3]):
        sample = value
    speed = state[TURN_SPEED : TURN_SPEED + 3]
    if not started:
        speed[:] = 0.0
        value = sample
    else:
        turn = _turn((state[q + 4], state[q + 5], state[q + 6], state[q + 7]), sample)
        for i in range(3):
            speed[i] -= less * (turn[i] / dt - speed[i])
        fast = np.sqrt(speed[0] * speed[0] + speed[1] * speed[1] + speed[2] * speed[2])
        value = _moved(value, _turn(value, sample), -_less(minimum + beta * fast, dt))
    for i in range(4):
        state[q + i], state[q + 4 + i] = value[i], sample[i]


@part
def _fill(matrix, x, y, z, w):
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = (
        1.0 - 2.0 * (y * y + z * z), 1.0 - 2.0 * (x * x + z * z), 1.0 - 2.0 * (x * x + y * y)
    )  # fmt: skip
    matrix[0, 1], matrix[1, 0] = 2.0 * (x * y - z * w), 2.0 * (x * y + z * w)
    matrix[0, 2], matrix[2, 0] = 2.0 * (x * z + y * w), 2.0 * (x * z - y * w)
    matrix[1, 2], matrix[2, 1] = 2.0 * (y * z - x * w), 2.0 * (y * z + x * w)


_ROW = types.Array(float64, 1, "C", readonly=True)
_ROWS = types.Array(float64, 2, "C", readonly=True)
_NUMBERS = types.Array(float32, 1, "C", readonly=True)


@compiled(
    float64(
        _ROWS, _ROW, _NUMBERS, _ROWS, _ROW, float64, float64, float64[::1], float64[:, ::1], float64[::1], float32[::1]
    )
)
def one_euro(
    responses, limits, numbers, rotation, place, size, dt, state, out_rotation, out_place, out_numbers
):  # fmt: skip
    """Fill the last three and return the filtered size."""
    count = numbers.size
    rows, spot = state[CHANNELS:].reshape((3, count + 1)), state[PLACE:CHANNELS].reshape((3, 2))
    started = state[STARTED] > 0.0
    if not started or dt > 0.0:
        less = _less(limits[2], dt)
        for i in range(count):
            sample = np.float64(numbers[i])
            if sample < limits[0]:
                sample = limits[0]
            elif sample > limits[1]:
                sample = limits[1]
            _channels(rows, responses, sample, i, dt, less, started)
        log_size = np.log(size) if size > 0.0 else np.nan
        unit = limits[3] * np.exp(_channels(rows, responses, log_size, count, dt, less, started))
        _place(spot, responses[0, count + 1], responses[1, count + 1], place, unit, dt, less, started)
        _rotation(state, responses[0, count + 2], responses[1, count + 2], rotation, dt, less, started)
        state[STARTED] = 1.0
    for i in range(count):
        out_numbers[i] = rows[0, i]
    out_place[0], out_place[1] = spot[0, 0], spot[0, 1]
    q = QUATERNION
    _fill(out_rotation, state[q], state[q + 1], state[q + 2], state[q + 3])
    return np.exp(rows[0, count])

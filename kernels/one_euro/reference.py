"""`one_euro` in plain float64: the text to read. Given checked arrays; the layout of the state is the package's."""

from __future__ import annotations

from math import atan2, cos, exp, isfinite, log, pi, sin

import numpy as np

from tracker.kernels.one_euro import CHANNELS, PLACE, QUATERNION, STARTED, TURN_SPEED


def one_euro(
    responses: np.ndarray, limits: np.ndarray, numbers: np.ndarray, rotation: np.ndarray, place: np.ndarray,
    size: float, dt_seconds: float, state: np.ndarray, out_rotation: np.ndarray, out_place: np.ndarray,
    out_numbers: np.ndarray,
) -> float:  # fmt: skip
    """Fill the last three and return the filtered size."""
    least, most, speed_cutoff, unit = limits.tolist()
    channels, spot = state[CHANNELS:].reshape(3, -1), state[PLACE:CHANNELS].reshape(3, 2)
    started = state[STARTED] > 0
    if not started or dt_seconds > 0:
        log_size = log(size) if isfinite(size) and size > 0 else np.nan
        sample = np.append(np.clip(numbers.astype(np.float64), least, most), log_size)
        step = (dt_seconds, speed_cutoff, started)
        _filter(channels, sample, responses[:, : len(sample)], *step)
        _filter(spot, place, responses[:, -2], *step, unit=unit * exp(channels[0, -1]), joint=True)
        _filter_turn(state, rotation, responses[:, -1], *step)
        state[STARTED] = 1.0
    out_numbers[:], out_place[:] = channels[0, :-1], spot[0]
    out_rotation[:] = _matrix(state[QUATERNION : QUATERNION + 4])
    return exp(channels[0, -1])


def _filter(
    rows: np.ndarray, sample: np.ndarray, response: np.ndarray, dt_seconds: float, speed_cutoff: float, started: bool,
    unit: float = 1.0, joint: bool = False,
) -> None:  # fmt: skip
    """Bring estimate, last sample and speed (the rows) up to `sample`."""
    value, raw, speed = rows
    sample = np.where(np.isfinite(sample), sample, value)
    if not started:
        value[:], raw[:], speed[:] = sample, sample, 0
        return
    keep = exp(-2 * pi * speed_cutoff * dt_seconds)
    speed[:] = keep * speed + (1 - keep) * (sample - raw) / (dt_seconds * unit)
    raw[:] = sample
    cutoff = response[0] + response[1] * (np.linalg.norm(speed) if joint else np.abs(speed))
    value += (1 - np.exp(-2 * pi * cutoff * dt_seconds)) * (sample - value)


def _filter_turn(
    state: np.ndarray, rotation: np.ndarray, response: np.ndarray, dt_seconds: float, speed_cutoff: float, started: bool
) -> None:
    """The same on rotations."""
    value, raw = state[QUATERNION : QUATERNION + 8].reshape(2, 4)
    speed = state[TURN_SPEED : TURN_SPEED + 3]
    if not value.any():
        value[3] = raw[3] = 1.0
    sample = _quaternion(rotation)
    if sample is None:
        sample = value.copy()
    if not started:
        value[:], raw[:], speed[:] = sample, sample, 0
        return
    keep = exp(-2 * pi * speed_cutoff * dt_seconds)
    speed[:] = keep * speed + (1 - keep) * _log(_between(raw, sample)) / dt_seconds
    raw[:] = sample
    share = 1 - exp(-2 * pi * (response[0] + response[1] * np.linalg.norm(speed)) * dt_seconds)
    moved = _times(value, _exp(share * _log(_between(value, sample))))
    value[:] = moved / np.linalg.norm(moved)


def _quaternion(rotation: np.ndarray) -> np.ndarray | None:
    """Unit `xyzw` of a rotation matrix, by its largest component (Shepperd 1978); None when it is not finite."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    trace = a + e + i
    rows = (
        (1 - trace + 2 * a, b + d, c + g, h - f), (b + d, 1 - trace + 2 * e, f + h, c - g),
        (c + g, f + h, 1 - trace + 2 * i, d - b), (h - f, c - g, d - b, 1 + trace),
    )  # fmt: skip
    q = np.array(rows[int(np.argmax([a, e, i, trace]))])
    length = np.linalg.norm(q)
    return q / length if isfinite(length) and length > 0 else None


def _times(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    a, b, c, d = p
    x, y, z, w = q
    return np.array(
        [d * x + a * w + b * z - c * y, d * y - a * z + b * w + c * x, d * z + a * y - b * x + c * w,
         d * w - a * x - b * y - c * z]
    )  # fmt: skip


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The turn from one to the other in the axes of the first."""
    return _times(start * (-1, -1, -1, 1), end)


def _log(turn: np.ndarray) -> np.ndarray:
    """Rotation vector in radians, at most pi long."""
    turn = turn if turn[3] >= 0 else -turn
    length = float(np.linalg.norm(turn[:3]))
    vector: np.ndarray = turn[:3] * (2 * atan2(length, turn[3]) / length if length > 1e-12 else 2.0)
    return vector


def _exp(vector: np.ndarray) -> np.ndarray:
    """Unit quaternion of a rotation vector."""
    angle = float(np.linalg.norm(vector))
    scale = sin(angle / 2) / angle if angle > 1e-12 else 0.5
    return np.append(scale * vector, cos(angle / 2))


def _matrix(quaternion: np.ndarray) -> np.ndarray:
    x, y, z, w = quaternion
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip

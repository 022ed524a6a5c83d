"""`imm` in plain float64: the text to read. Given checked arrays; the layout of the state is the package's."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, exp, isfinite, log, sin

import numpy as np

from tracker.kernels.imm import (
    DENSITY,
    EASE,
    FAR,
    FOLLOW,
    LATE,
    LEARN_SECONDS,
    LEAST,
    LEAST_FACTOR,
    LEAST_SHARE,
    LONGEST_SECONDS,
    MEDIAN_OF_SQUARE,
    MEMORY,
    MODES,
    MOST,
    MOST_FACTOR,
    NOTES,
    PACE,
    PACE_SECONDS,
    QUATERNION,
    REST,
    SAMPLE,
    SLOWEST,
    SPEED,
    STARTED,
    TINY,
    TRUST,
    TURN,
    UNIT,
    USUAL_SECONDS,
    WALK,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The flat state by names: views, not copies."""

    quaternion: np.ndarray
    sampled: np.ndarray
    turn: np.ndarray
    shares: np.ndarray
    """[G, 3]."""
    recent: np.ndarray
    """[4, C]: last sample, last difference, log of the noise factor, what is told less the estimate."""
    filters: np.ndarray
    """[3, 5, C]: value, speed, and the variances of value, of both together and of speed."""


def _named(state: np.ndarray, groups: int, channels: int) -> _State:
    rows = state[REST + MODES * groups :].reshape(-1, channels)
    return _State(
        state[QUATERNION : QUATERNION + 4], state[SAMPLE : SAMPLE + 4], state[TURN : TURN + 3],
        state[REST : REST + MODES * groups].reshape(groups, MODES), rows[:NOTES],
        rows[NOTES:].reshape(MODES, 5, channels),
    )  # fmt: skip


def imm(
    dynamics: np.ndarray, groups: np.ndarray, traits: np.ndarray, rates: np.ndarray, limits: np.ndarray,
    numbers: np.ndarray, rotation: np.ndarray, place: np.ndarray, size: float, variance: np.ndarray,
    dt_seconds: float, ahead_seconds: float, seen: bool, state: np.ndarray, out_rotation: np.ndarray,
    out_place: np.ndarray, out_numbers: np.ndarray, out_std: np.ndarray,
) -> float:  # fmt: skip
    """Fill the last four and return the filtered size, or -1 for a group that there is not."""
    count, channels = len(numbers), len(groups)
    if groups.min() < 0 or groups.max() >= traits.shape[1]:
        return -1.0
    of = _named(state, traits.shape[1], channels)
    if not of.quaternion.any():
        of.quaternion[3] = of.sampled[3] = 1.0
    started = state[STARTED] > 0
    sample = _sample(of, limits, numbers, rotation, place, size) if seen else np.full(channels, np.nan)
    unit = np.ones(channels)
    log_size = _mean(of, groups)[count] if started else sample[count]
    unit[count + 1 : count + 3] = limits[UNIT] * exp(log_size if isfinite(log_size) else 0.0)
    scaled = dynamics.copy()
    scaled[[WALK, DENSITY, DENSITY + 1]] *= unit**2
    scaled[[SPEED, SPEED + 1]] *= unit
    if not started:
        if seen:
            _start(of, sample, variance * unit**2, scaled)
            state[STARTED], state[PACE] = 1.0, USUAL_SECONDS
    elif dt_seconds > 0:
        if seen:
            _learn(of, sample, variance * unit**2, limits, dt_seconds, state[STARTED] > 1)
            state[STARTED] = 2.0
        before = _mean(of, groups)
        change = _transition(rates, dt_seconds)
        _mix(of, groups, change, scaled)
        _predict(of, dt_seconds, scaled)
        of.shares[:] = of.shares @ change
        _correct(of, groups, traits, sample, variance * unit**2 * np.exp(of.recent[2]))
        after = _mean(of, groups)
        of.recent[3] -= after - before
        _ease(of, groups, traits, scaled[LATE], state, dt_seconds)
        turn = after[-3:]
        turned = _times(of.quaternion, _exp(turn))
        of.quaternion[:] = turned / np.linalg.norm(turned)
        of.filters[:, 0, -3:] -= turn
    value, std = _ahead(of, groups, ahead_seconds, scaled)
    value += of.recent[3]
    out_rotation[:] = _matrix(_times(of.quaternion, _exp(value[-3:])))
    out_numbers[:] = np.clip(value[:count], limits[LEAST], limits[MOST])
    out_place[:] = value[count + 1 : count + 3]
    out_std[:] = std / unit
    return exp(value[count])


def _mean(of: _State, groups: np.ndarray) -> np.ndarray:
    """Float64 [C]: the estimate, the modes by their shares."""
    mean: np.ndarray = (of.shares[groups].T * of.filters[:, 0]).sum(0)
    return mean


def _sample(
    of: _State, limits: np.ndarray, numbers: np.ndarray, rotation: np.ndarray, place: np.ndarray, size: float
) -> np.ndarray:
    """Float64 [C]: the turn as seen from the estimate; NaN where the sample is not finite."""
    log_size = log(size) if isfinite(size) and size > 0 else np.nan
    held = np.where(np.isfinite(numbers), np.clip(numbers, limits[LEAST], limits[MOST]), np.nan).astype(np.float64)
    sampled = _quaternion(rotation)
    turn = np.full(3, np.nan)
    if sampled is not None:
        turn = _log(_between(of.quaternion, sampled))
        of.recent[0, -3:] = _log(_between(of.sampled, sampled))  # for `_learn`: how far it turned since the last one
        of.sampled[:] = sampled
    else:
        of.recent[0, -3:] = np.nan
    sample = np.concatenate([held, [log_size], place, turn])
    sample[~np.isfinite(sample)] = np.nan
    return sample


def _start(of: _State, sample: np.ndarray, variance: np.ndarray, dynamics: np.ndarray) -> None:
    """Take the first sample as it is, at rest; what is not finite begins at 0."""
    first = np.nan_to_num(sample)
    first[-3:] = 0.0
    of.quaternion[:] = of.sampled
    of.turn[:] = 0.0
    of.shares[:] = 1 / MODES
    of.recent[0], of.recent[1:] = first, 0.0
    of.filters[:] = 0.0
    of.filters[:, 0], of.filters[:, 2] = first, variance
    of.filters[1:, 4] = dynamics[SPEED:LATE] ** 2


def _learn(
    of: _State, sample: np.ndarray, variance: np.ndarray, limits: np.ndarray, dt_seconds: float, twice: bool
) -> None:
    """One step of a running median of the squared second difference; it is six variances of white noise."""
    last, difference, factor, _ = of.recent
    moved = np.append(sample[:-3] - last[:-3], last[-3:])
    second = moved - np.append(difference[:-3], of.turn)
    known = np.isfinite(second) & twice
    up = second**2 / 6 > MEDIAN_OF_SQUARE * variance * np.exp(factor)
    factor += np.where(known, np.where(up, 1.0, -1.0) * dt_seconds / limits[LEARN_SECONDS], 0.0)
    np.clip(factor, np.log(limits[LEAST_FACTOR]), np.log(limits[MOST_FACTOR]), out=factor)
    good = np.isfinite(moved)
    difference[good] = moved[good]
    of.turn[:] = difference[-3:]
    last[:-3] = np.where(np.isfinite(sample), sample, last)[:-3]


def _transition(rates: np.ndarray, dt_seconds: float) -> np.ndarray:
    """Float64 [3, 3]: how likely each mode is left for each other within a step, all changes of it counted once."""
    leaving = rates.sum(1) - np.diag(rates)
    stay = np.exp(-leaving * dt_seconds)
    change: np.ndarray = rates * ((1 - stay) / leaving)[:, None]
    np.fill_diagonal(change, stay)
    return change


def _mix(of: _State, groups: np.ndarray, change: np.ndarray, dynamics: np.ndarray) -> None:
    """Each mode begins the step with what the modes it may come from say, in proportion."""
    after = of.shares @ change
    old = of.filters.copy()
    for to in range(MODES):
        weight = (of.shares * change[:, to] / after[:, [to]])[groups].T
        value, speed = (weight * old[:, 0]).sum(0), (weight * old[:, 1]).sum(0)
        off, faster = old[:, 0] - value, old[:, 1] - speed
        speeds = old[:, 4].copy()
        if to:
            speeds[0] = dynamics[SPEED + to - 1] ** 2
        of.filters[to] = (
            value, speed, (weight * (old[:, 2] + off * off)).sum(0), (weight * (old[:, 3] + off * faster)).sum(0),
            (weight * (speeds + faster * faster)).sum(0),
        )  # fmt: skip
    of.filters[0, [1, 3, 4]] = 0.0


def _predict(of: _State, dt_seconds: float, dynamics: np.ndarray) -> None:
    of.filters[0, 2] += dynamics[WALK] * dt_seconds
    for mode in (1, 2):
        value, speed, a, b, d = of.filters[mode]
        density, memory = dynamics[DENSITY + mode - 1], dynamics[MEMORY + mode - 1]
        keep = np.exp(-dt_seconds / memory)
        reach = memory * (1 - keep)
        value += reach * speed
        speed *= keep
        a += 2 * reach * b + reach**2 * d + density * dt_seconds**3 / 3
        b[:] = keep * (b + reach * d) + density * dt_seconds**2 / 2
        d[:] = keep**2 * d + density * dt_seconds


def _correct(of: _State, groups: np.ndarray, traits: np.ndarray, sample: np.ndarray, variance: np.ndarray) -> None:
    """Every mode takes in what is finite of the sample, and each group's modes their share by how well they had
    foreseen it."""
    known = np.isfinite(sample)
    likelihood = np.zeros_like(of.shares)
    for mode in range(MODES):
        value, speed, a, b, d = of.filters[mode]
        total = a + variance * (traits[FOLLOW, groups] if mode == MODES - 1 else 1.0)
        surprise = np.where(known, sample - value, 0.0)
        np.add.at(likelihood[:, mode], groups, np.where(known, -0.5 * (surprise**2 / total + np.log(total)), 0.0))
        gain, push = np.where(known, a / total, 0.0), np.where(known, b / total, 0.0)
        value += gain * surprise
        speed += push * surprise
        d -= push * b
        b *= 1 - gain
        a *= 1 - gain
    weight = traits[TRUST][:, None] * likelihood + np.log(of.shares)
    weight = np.exp(weight - weight.max(1, keepdims=True)) + LEAST_SHARE
    of.shares[:] = weight / weight.sum(1, keepdims=True)


def _ease(
    of: _State, groups: np.ndarray, traits: np.ndarray, late: np.ndarray, state: np.ndarray, dt_seconds: float
) -> None:  # fmt: skip
    """Bring what is told nearer to the estimate. A turn is taken as a vector in the estimate's axes,
    off by half the product of a step and what is left of the way, both small angles."""
    state[PACE] += min(dt_seconds / PACE_SECONDS, 1.0) * (min(dt_seconds, LONGEST_SECONDS) - state[PACE])
    slower = min(state[PACE] / USUAL_SECONDS, SLOWEST)
    ease = (traits[EASE] * of.shares[:, 0] ** 4)[groups] * slower**3
    weight, values, variances = of.shares[groups].T, of.filters[:, 0], of.filters[:, 2]
    variance = (weight * (variances + (values - _mean(of, groups)) ** 2)).sum(0)
    ease /= 1 + of.recent[3] ** 2 / (FAR**2 * variance + TINY)
    of.recent[3] *= 1 - 1 / (1 + late / dt_seconds + ease)


def _ahead(of: _State, groups: np.ndarray, ahead_seconds: float, dynamics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and deviation of the mixture, carried on by `ahead_seconds`."""
    weight = of.shares[groups].T
    values, variances = of.filters[:, 0].copy(), of.filters[:, 2].copy()
    if ahead_seconds > 0:
        for mode in (1, 2):
            memory = dynamics[MEMORY + mode - 1]
            reach = memory * (1 - np.exp(-ahead_seconds / memory))
            values[mode] += reach * of.filters[mode, 1]
            variances[mode] += (
                2 * reach * of.filters[mode, 3] + reach**2 * of.filters[mode, 4]
                + dynamics[DENSITY + mode - 1] * ahead_seconds**3 / 3
            )  # fmt: skip
        variances[0] += dynamics[WALK] * ahead_seconds
    value = (weight * values).sum(0)
    return value, np.sqrt((weight * (variances + (values - value) ** 2)).sum(0))


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

"""`imm` for the CPU, compiled by numba; rotations are plain numbers throughout."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import boolean, float32, float64, int64, types

from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.imm import (
    DENSITY,
    DYNAMICS,
    EASE,
    FAR,
    FOLLOW,
    LATE,
    LEARN_SECONDS,
    LEAST,
    LEAST_FACTOR,
    LEAST_SHARE,
    LIMITS,
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
    TRAITS,
    TRUST,
    TURN,
    UNIT,
    USUAL_SECONDS,
    WALK,
    state_size,
)  # fmt: skip

_state_size = part(state_size)


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
def _turned(value, x, y, z):
    """`value` turned by a rotation vector in its own axes, of unit length."""
    angle = np.sqrt(x * x + y * y + z * z)
    scale = np.sin(angle / 2.0) / angle if angle > 1e-12 else 0.5
    a, b, c, d = _times(value, (scale * x, scale * y, scale * z, np.cos(angle / 2.0)))
    length = np.sqrt(a * a + b * b + c * c + d * d)
    return a / length, b / length, c / length, d / length


@part
def _four(state, at):
    return state[at], state[at + 1], state[at + 2], state[at + 3]


@part
def _keep(state, at, four):
    for i in range(4):
        state[at + i] = four[i]


@part
def _sampled(state, recent, limits, numbers, rotation, place, size, sample):
    """Fill `sample` [C], the turn as seen from the estimate, NaN where not finite; note the turn since the last."""
    count = numbers.size
    for i in range(count):
        sample[i] = min(max(np.float64(numbers[i]), limits[LEAST]), limits[MOST]) if np.isfinite(numbers[i]) else np.nan
    sample[count] = np.log(size) if np.isfinite(size) and size > 0.0 else np.nan
    for i in range(2):
        sample[count + 1 + i] = place[i] if np.isfinite(place[i]) else np.nan
    four = _quaternion(rotation)
    if np.isfinite(four[0] + four[1] + four[2] + four[3]):
        turn, since = _turn(_four(state, QUATERNION), four), _turn(_four(state, SAMPLE), four)
        for i in range(3):
            sample[count + 3 + i], recent[0, count + 3 + i] = turn[i], since[i]
        _keep(state, SAMPLE, four)
    else:
        for i in range(3):
            sample[count + 3 + i] = recent[0, count + 3 + i] = np.nan


@part
def _start(state, shares, recent, filters, sample, variance, dynamics, unit):
    """Take the first sample as it is, at rest; what is not finite begins at 0."""
    count = sample.size - 6
    _keep(state, QUATERNION, _four(state, SAMPLE))
    state[TURN : TURN + 3] = 0.0
    shares[:] = 1.0 / MODES
    filters[:] = 0.0
    recent[1:] = 0.0
    for c in range(sample.size):
        first = sample[c] if np.isfinite(sample[c]) and c < count + 3 else 0.0
        scale = unit if count < c <= count + 2 else 1.0
        recent[0, c] = first
        for mode in range(MODES):
            filters[mode, 0, c], filters[mode, 2, c] = first, variance[c] * scale * scale
        for mode in range(1, MODES):
            filters[mode, 4, c] = (dynamics[SPEED + mode - 1, c] * scale) ** 2


@part
def _learn(state, recent, sample, variance, limits, dt, unit):
    """One step of a running median of the squared second difference; it is six variances of white noise."""
    count, step = sample.size - 6, dt / limits[LEARN_SECONDS]
    low, high = np.log(limits[LEAST_FACTOR]), np.log(limits[MOST_FACTOR])
    twice = state[STARTED] > 1.0
    for c in range(sample.size):
        turns = c >= count + 3
        moved = recent[0, c] if turns else sample[c] - recent[0, c]
        if not np.isfinite(moved):
            continue
        before = state[TURN + c - count - 3] if turns else recent[1, c]
        if twice:
            scale = unit if count < c <= count + 2 else 1.0
            expected = MEDIAN_OF_SQUARE * variance[c] * scale * scale * np.exp(recent[2, c])
            up = (moved - before) ** 2 / 6.0 > expected
            recent[2, c] = min(max(recent[2, c] + (step if up else -step), low), high)
        recent[1, c] = moved
        if turns:
            state[TURN + c - count - 3] = moved
        else:
            recent[0, c] = sample[c]


@part
def _transition(rates, dt, change):
    """How likely each mode is left for each other within a step, all changes of it counted once."""
    for i in range(MODES):
        leaving = 0.0
        for j in range(MODES):
            if j != i:
                leaving += rates[i, j]
        stay = np.exp(-leaving * dt)
        for j in range(MODES):
            change[i, j] = stay if i == j else rates[i, j] * (1.0 - stay) / leaving


@part
def _channel(filters, old, c, weight, dynamics, keeps, dt, scale, sample, variance, follow, likelihood):
    """Mix, predict and correct the modes of one channel; add to the group's log likelihoods. `weight` [from, to];
    `old` [3, 5] is scratch; `keeps` [2] is what the moving modes keep of their speed."""
    for mode in range(MODES):
        for row in range(5):
            old[mode, row] = filters[mode, row, c]
    for mode in range(MODES):
        value = speed = a = b = d = 0.0
        for k in range(MODES):
            value += weight[k, mode] * old[k, 0]
            speed += weight[k, mode] * old[k, 1]
        for k in range(MODES):
            off, faster = old[k, 0] - value, old[k, 1] - speed
            a += weight[k, mode] * (old[k, 2] + off * off)
            if mode:
                start = dynamics[SPEED + mode - 1, c] * scale
                b += weight[k, mode] * (old[k, 3] + off * faster)
                d += weight[k, mode] * ((old[k, 4] if k else start * start) + faster * faster)
        if mode:
            density, memory = dynamics[DENSITY + mode - 1, c] * scale * scale, dynamics[MEMORY + mode - 1, c]
            keep = keeps[mode - 1]
            reach = memory * (1.0 - keep)
            value += reach * speed
            speed *= keep
            a += 2.0 * reach * b + reach * reach * d + density * dt * dt * dt / 3.0
            b = keep * (b + reach * d) + density * dt * dt / 2.0
            d = keep * keep * d + density * dt
        else:
            speed = 0.0
            a += dynamics[WALK, c] * scale * scale * dt
        if np.isfinite(sample):
            total = a + variance * (follow if mode == MODES - 1 else 1.0)
            surprise = sample - value
            likelihood[mode] -= 0.5 * (surprise * surprise / total + np.log(total))
            gain, push = a / total, b / total
            value += gain * surprise
            speed += push * surprise
            d -= push * b
            b *= 1.0 - gain
            a *= 1.0 - gain
        filters[mode, 0, c], filters[mode, 1, c] = value, speed
        filters[mode, 2, c], filters[mode, 3, c], filters[mode, 4, c] = a, b, d


@part
def _step(state, shares, recent, filters, dynamics, groups, traits, rates, sample, variance, dt, unit):
    """Carry all modes on by a step, and correct them by what of the sample is finite."""
    count, number = sample.size - 6, shares.shape[0]
    change, likelihood = np.empty((MODES, MODES)), np.zeros((number, MODES))
    weights, after = np.empty((number, MODES, MODES)), np.empty((number, MODES))
    old, keeps, memories = np.empty((MODES, 5)), np.empty(MODES - 1), np.zeros(MODES - 1)
    for c in range(sample.size):  # from here on: what is told less the old estimate
        recent[3, c] += _mean(shares, filters, groups, c)
    _transition(rates, dt, change)
    for g in range(number):
        for j in range(MODES):
            after[g, j] = 0.0
            for i in range(MODES):
                after[g, j] += shares[g, i] * change[i, j]
            for i in range(MODES):
                weights[g, i, j] = shares[g, i] * change[i, j] / after[g, j]
    for c in range(sample.size):
        scale = unit if count < c <= count + 2 else 1.0
        noise = variance[c] * scale * scale * np.exp(recent[2, c])
        for mode in range(MODES - 1):
            if dynamics[MEMORY + mode, c] != memories[mode]:  # mostly they are all the same
                memories[mode] = dynamics[MEMORY + mode, c]
                keeps[mode] = np.exp(-dt / memories[mode])
        g = groups[c]
        _channel(
            filters, old, c, weights[g], dynamics, keeps, dt, scale, sample[c], noise, traits[FOLLOW, g], likelihood[g]
        )
    for g in range(number):
        best = -np.inf
        for mode in range(MODES):
            likelihood[g, mode] = traits[TRUST, g] * likelihood[g, mode] + np.log(after[g, mode])
            best = max(best, likelihood[g, mode])
        total = 0.0
        for mode in range(MODES):
            shares[g, mode] = np.exp(likelihood[g, mode] - best) + LEAST_SHARE
            total += shares[g, mode]
        for mode in range(MODES):
            shares[g, mode] /= total
    _ease(state, shares, recent, filters, groups, traits, dynamics, dt)
    _recentre(state, shares, filters, groups)


@part
def _ease(state, shares, recent, filters, groups, traits, dynamics, dt):
    """Bring what was told nearer to the estimate. A turn is taken as a vector in the estimate's axes, off by half the
    product of a step and what is left of the way, both small angles."""
    state[PACE] += min(dt / PACE_SECONDS, 1.0) * (min(dt, LONGEST_SECONDS) - state[PACE])
    slower = min(state[PACE] / USUAL_SECONDS, SLOWEST)
    for c in range(groups.size):
        g = groups[c]
        square = shares[g, 0] * shares[g, 0]
        mean, variance = _mean(shares, filters, groups, c), 0.0
        for mode in range(MODES):
            off = filters[mode, 0, c] - mean
            variance += shares[g, mode] * (filters[mode, 2, c] + off * off)
        way = recent[3, c] - mean
        ease = traits[EASE, g] * square * square * slower * slower * slower
        ease /= 1.0 + way * way / (FAR * FAR * variance + TINY)
        nearer = 1.0 / (1.0 + dynamics[LATE, c] / dt + ease)
        recent[3, c] = (1.0 - nearer) * way


@part
def _recentre(state, shares, filters, groups):
    """Turn the estimate by what the modes say, and count on from there."""
    first = groups.size - 3
    x, y, z = (
        _mean(shares, filters, groups, first), _mean(shares, filters, groups, first + 1),
        _mean(shares, filters, groups, first + 2),
    )  # fmt: skip
    _keep(state, QUATERNION, _turned(_four(state, QUATERNION), x, y, z))
    for mode in range(MODES):
        filters[mode, 0, first] -= x
        filters[mode, 0, first + 1] -= y
        filters[mode, 0, first + 2] -= z


@part
def _mean(shares, filters, groups, c):
    value = 0.0
    for mode in range(MODES):
        value += shares[groups[c], mode] * filters[mode, 0, c]
    return value


@part
def _told(shares, recent, filters, groups, c, dynamics, ahead, scale):
    """What is told of one channel, and the mixture's deviation, carried on by `ahead` seconds."""
    value = variance = square = 0.0
    for mode in range(MODES):
        one, spread = filters[mode, 0, c], filters[mode, 2, c]
        if ahead > 0.0 and mode:
            memory = dynamics[MEMORY + mode - 1, c]
            reach = memory * (1.0 - np.exp(-ahead / memory))
            one += reach * filters[mode, 1, c]
            spread += 2.0 * reach * filters[mode, 3, c] + reach * reach * filters[mode, 4, c]
            spread += dynamics[DENSITY + mode - 1, c] * scale * scale * ahead * ahead * ahead / 3.0
        elif ahead > 0.0:
            spread += dynamics[WALK, c] * scale * scale * ahead
        share = shares[groups[c], mode]
        value += share * one
        variance += share * spread
    for mode in range(MODES):
        one = filters[mode, 0, c]
        if ahead > 0.0 and mode:
            memory = dynamics[MEMORY + mode - 1, c]
            one += memory * (1.0 - np.exp(-ahead / memory)) * filters[mode, 1, c]
        square += shares[groups[c], mode] * (one - value) ** 2
    return value + recent[3, c], np.sqrt(variance + square) / scale


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
_GROUPS = types.Array(int64, 1, "C", readonly=True)


@sees_misfits
@compiled(
    float64(
        _ROWS, _GROUPS, _ROWS, _ROWS, _ROW, _NUMBERS, _ROWS, _ROW, float64, _ROW, float64, float64, boolean,
        float64[::1], float64[:, ::1], float64[::1], float32[::1], float32[::1],
    )
)  # fmt: skip
def imm(
    dynamics, groups, traits, rates, limits, numbers, rotation, place, size, variance, dt, ahead, seen, state,
    out_rotation, out_place, out_numbers, out_std,
):  # fmt: skip
    """Fill the last four and return the filtered size, or -1 for a group that there is not."""
    count, channels = numbers.size, numbers.size + 6
    if not (
        dynamics.shape == (DYNAMICS, channels) and groups.size == variance.size == out_std.size == channels
        and traits.shape[0] == TRAITS and rates.shape == (MODES, MODES) and limits.size == LIMITS
        and rotation.shape == out_rotation.shape == (3, 3) and place.size == out_place.size == 2
        and out_numbers.size == count and state.size == _state_size(count, traits.shape[1])
    ):  # fmt: skip
        return float(MISFIT)
    for c in range(channels):
        if not 0 <= groups[c] < traits.shape[1]:
            return -1.0
    start = REST + MODES * traits.shape[1]
    shares = state[REST:start].reshape((traits.shape[1], MODES))
    recent = state[start : start + NOTES * channels].reshape((NOTES, channels))
    filters = state[start + NOTES * channels :].reshape((MODES, 5, channels))
    x, y, z, w = _four(state, QUATERNION)
    if x * x + y * y + z * z + w * w == 0.0:
        state[QUATERNION + 3] = state[SAMPLE + 3] = 1.0
    started = state[STARTED] > 0.0
    sample = np.full(channels, np.nan)
    if seen:
        _sampled(state, recent, limits, numbers, rotation, place, size, sample)
    log_size = _mean(shares, filters, groups, count) if started else sample[count]
    unit = limits[UNIT] * np.exp(log_size if np.isfinite(log_size) else 0.0)
    if not started:
        if seen:
            _start(state, shares, recent, filters, sample, variance, dynamics, unit)
            state[STARTED], state[PACE] = 1.0, USUAL_SECONDS
    elif dt > 0.0:
        if seen:
            _learn(state, recent, sample, variance, limits, dt, unit)
            state[STARTED] = 2.0
        _step(state, shares, recent, filters, dynamics, groups, traits, rates, sample, variance, dt, unit)
    for i in range(count):
        value, std = _told(shares, recent, filters, groups, i, dynamics, ahead, 1.0)
        out_numbers[i], out_std[i] = min(max(value, limits[LEAST]), limits[MOST]), std
    log_size, out_std[count] = _told(shares, recent, filters, groups, count, dynamics, ahead, 1.0)
    for i in range(2):
        out_place[i], out_std[count + 1 + i] = _told(
            shares, recent, filters, groups, count + 1 + i, dynamics, ahead, unit
        )
    x, out_std[count + 3] = _told(shares, recent, filters, groups, count + 3, dynamics, ahead, 1.0)
    y, out_std[count + 4] = _told(shares, recent, filters, groups, count + 4, dynamics, ahead, 1.0)
    z, out_std[count + 5] = _told(shares, recent, filters, groups, count + 5, dynamics, ahead, 1.0)
    four = _turned(_four(state, QUATERNION), x, y, z)
    _fill(out_rotation, four[0], four[1], four[2], four[3])
    return np.exp(log_size)

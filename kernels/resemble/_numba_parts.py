"""What lies between the operators that `resemble` joins: numbers and short loops. Given arrays and rules.

Each has its counterpart in `reference`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from tracker.kernels.compiled import part
from tracker.kernels.linearize import POSE
from tracker.kernels.resemble import LASTING_WEIGHT, LEAST_TRUST

_ZERO, _HALF, _ONE, _SQUARED = np.float32(0), np.float32(0.5), np.float32(1), np.float32(-2)
_WEIGHT, _LEAST_TRUST = LASTING_WEIGHT, LEAST_TRUST


@part
def remember(lasting, mean, trust, longest, tally):
    """Fold a look's lasting coefficients into their running mean."""
    weight = max(trust, _LEAST_TRUST)
    tally[_WEIGHT] = min(tally[_WEIGHT] + weight, longest)
    share = np.float32(weight / tally[_WEIGHT])
    for i in range(mean.size):
        mean[i] += (lasting[i] - mean[i]) * share


@part
def cut_out(rotation, center, x, y, roll, zoom, side, turned, place):
    """The pose in the halved picture, from that in the source."""
    c, s, half = np.cos(roll), np.sin(roll), side / 2
    for j in range(3):
        turned[0, j] = c * rotation[0, j] + s * rotation[1, j]
        turned[1, j] = c * rotation[1, j] - s * rotation[0, j]
        turned[2, j] = rotation[2, j]
    u, v = center[0] - x, center[1] - y
    place[0], place[1], place[2] = zoom * c * u + zoom * s * v + half, zoom * c * v - zoom * s * u + half, 0.0


@part
def put_back(rotation, center, x, y, roll, zoom, side, pose):
    """Undo `cut_out`, whose `zoom` was one over this."""
    c, s = np.cos(roll), np.sin(roll)
    for j in range(3):
        pose[j] = c * rotation[0, j] - s * rotation[1, j]
        pose[3 + j] = s * rotation[0, j] + c * rotation[1, j]
        pose[6 + j] = rotation[2, j]
    u, v = center[0] - side / 2, center[1] - side / 2
    pose[9], pose[10] = zoom * c * u - zoom * s * v + x, zoom * s * u + zoom * c * v + y


@part
def keep(rotation, center, scale, pose):
    """The pose as it was given."""
    for i in range(3):
        for j in range(3):
            pose[3 * i + j] = rotation[i, j]
    pose[9], pose[10], pose[11] = center[0], center[1], scale


@part
def follow(found, share, running):
    """Take a share of what was found [K, 3] into what runs."""
    for k in range(len(running)):
        for c in range(3):
            running[k, c] += share * (found[k, c] - running[k, c])


@part
def gather(shown, colours, counts, fresh, least, dim, bright, longest, albedo, weight):
    """Fold what the vertices show into the albedo."""
    for v in range(len(albedo)):
        count = counts[v]
        if fresh:
            count = _HALF if count > _ZERO else _ZERO
        total = weight[v] + count
        for c in range(3):
            light = max(colours[v, c] / albedo[v, c], least)
            value = albedo[v, c] + count / total * (shown[v, c] / light - albedo[v, c])
            albedo[v, c] = min(max(value, dim), bright)
        weight[v] = min(total, longest)


@part
def bear_out(said, error, pixels, whole, scale, clear, covered, vouches, confidence):
    """What is left of the confidence of each region; returns the trust."""
    total = _ZERO
    for region in range(said.size):
        count = pixels[region]
        off = np.float64(error[region]) / max(count, 1)
        fits = min(max((covered - off) / (covered - clear), 0.0), 1.0)
        shown = np.float32(fits * min(count / (whole[region] * (scale * scale)), 1.0))
        total += said[region] * shown
        confidence[region] = said[region] ** (_ONE - np.float32(vouches) * shown) * shown
    return np.float64(total / np.float32(said.size))


@part
def hold(std, stepped, share, least, rotation_rad, place_px, log_scale, prior):
    """How stiffly pose and coefficients are held: one over their variances."""
    for p in range(POSE):
        said = rotation_rad if p < 3 else (place_px if p < 5 else log_scale)
        prior[p] = np.float32(said) ** _SQUARED
    for s in range(stepped.size):
        prior[POSE + s] = (np.float32(share) * max(std[stepped[s]], np.float32(least))) ** _SQUARED


@part
def point(offsets, log_std, rest, side, landmarks, std):
    """Where the landmarks are said to be in the halved picture, and how surely."""
    wide = np.float32(side)
    for k in range(log_std.size):
        landmarks[k, 0] = (offsets[3 * k] + rest[k, 0]) * wide
        landmarks[k, 1] = (offsets[3 * k + 1] + rest[k, 1]) * wide
        std[k] = np.exp(log_std[k]) * wide


@part
def move(step, stepped, moving, center, deviation):
    """Place and coefficients a step further."""
    for p in range(step.size):
        deviation[p] += step[p]
    for s in range(stepped.size):
        moving[stepped[s]] = min(max(moving[stepped[s]] + step[POSE + s], _ZERO), _ONE)
    center[0] += step[3]
    center[1] += step[4]

"""`follow` in plain float64, body by body, by the references of what it joins. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.follow import Filter, Followed, Sample
from tracker.kernels.imm import UNIT
from tracker.kernels.imm.reference import imm
from tracker.kernels.portray import DIRECTIONS, ROTATION, ROTATION_RAW, SPREAD, TRANSLATION, TRANSLATION_RAW
from tracker.kernels.portray.reference import before_camera, direction


def follow(filter: Filter, sample: Sample, followed: Followed) -> None:
    """Fill `followed`."""
    followed.state[:] = sample.state
    with np.errstate(invalid="ignore"):  # a pose that is none stays one before the camera
        _each(filter, sample, followed)


def _each(filter: Filter, sample: Sample, followed: Followed) -> None:
    for body, pose in enumerate(sample.pose):
        out, after, camera = followed.pose[body], followed.before[body], sample.camera[body]
        numbers, std = followed.numbers[body], followed.std[body]
        out[11] = imm(
            filter.dynamics, filter.groups, filter.traits, filter.rates, filter.limits, sample.numbers[body],
            pose[:9].reshape(3, 3), pose[9:11], pose[11], sample.variance[body], sample.dt_seconds[body],
            sample.ahead_seconds[body], bool(sample.seen[body]), followed.state[body], out[:9].reshape(3, 3),
            out[9:11], numbers, std,
        )  # fmt: skip
        for turn, shift, seen in ((ROTATION, TRANSLATION, out), (ROTATION_RAW, TRANSLATION_RAW, pose)):
            rotation, translation = before_camera(seen[:9].reshape(3, 3), seen[9:11], seen[11], camera)
            after[turn : turn + 9], after[shift : shift + 3] = rotation.reshape(-1), translation
        place_px, log_size = sample.doubt[body]
        larger, right, down = std[len(numbers) : len(numbers) + 3].astype(np.float64)
        across = np.hypot(place_px / pose[11], filter.limits[UNIT] * max(right, down))
        depth = np.sqrt(camera[0] * camera[1]) / out[11]
        after[SPREAD : SPREAD + 3] = across, across, depth * np.hypot(log_size, larger)
        tilt = (numbers.astype(np.float64) @ filter.tilts).reshape(2, 2)
        after[DIRECTIONS:] = np.concatenate([direction(tilt[0]), direction(tilt[1])])

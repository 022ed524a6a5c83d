"""Named inputs for `follow`, for tests and the bench: bodies at different points of their lives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.kernels.follow import Filter, Followed, Sample
from tracker.kernels.follow.reference import follow
from tracker.kernels.imm import DENSITY, DYNAMICS, LATE, MEMORY, SPEED, STARTED, WALK, state_size
from tracker.kernels.imm.cases import LIMITS, RATES, TRAITS
from tracker.kernels.portray import AFTER_MESH

TOLERANCE = 2e-5
"""Of millimetres divided by a thousand, of a rotation, of pixels: float32 where it is published, else double."""
Arguments = tuple[Filter, Sample, Followed]


@dataclass(frozen=True, slots=True)
class Case:
    """So many bodies of so many numbers."""

    name: str
    batch: int
    count: int
    started: float = 1.0
    """Share of the bodies that have been seen before."""
    held: bool = False
    """Whether their clock stands still."""
    ahead_seconds: float = 0.0
    wild: bool = False
    """With numbers, places and a rotation that are none."""
    seen: float = 1.0
    """Share of the bodies of which there is a sample."""

    def arguments(self) -> Arguments:
        """What the operator takes, and what it fills, full of NaN."""
        rng = np.random.default_rng(self.batch + self.count)
        filter = self._filter(rng)
        state = np.zeros((self.batch, state_size(self.count, TRAITS.shape[1])))
        before = 2.0 * (rng.random(self.batch) < self.started)
        room = Followed(
            np.full((self.batch, self.count), np.nan, np.float32), np.full((self.batch, 12), np.nan),
            np.full((self.batch, self.count + 6), np.nan, np.float32),
            np.full((self.batch, AFTER_MESH), np.nan, np.float32), state,
        )  # fmt: skip
        for _ in range(4):
            follow(filter, self._sample(rng, 1 / 30, False, state), room)
        last = state.copy()
        last[:, STARTED] = before
        for array in (room.numbers, room.pose, room.std, room.before, room.state):
            array[:] = np.nan
        sample = self._sample(rng, 0.0 if self.held else 1 / 30, self.wild, last)
        sample.seen[:] = rng.random(self.batch) < self.seen
        return filter, sample, room

    def _filter(self, rng: np.random.Generator) -> Filter:
        channels = self.count + 6
        dynamics = np.empty((DYNAMICS, channels))
        dynamics[WALK], dynamics[DENSITY], dynamics[DENSITY + 1] = 1e-5, 1e-3, rng.uniform(1, 20, channels)
        dynamics[MEMORY], dynamics[MEMORY + 1] = 2.0, rng.uniform(0.3, 1, channels)
        dynamics[SPEED], dynamics[SPEED + 1], dynamics[LATE] = 0.01, 0.5, rng.uniform(0, 0.05, channels)
        groups = np.arange(channels) % 3
        groups[-6:] = 2
        return Filter(dynamics, groups, TRAITS, RATES, LIMITS, rng.normal(0, 0.4, (self.count, 4)).astype(np.float32))

    def _sample(self, rng: np.random.Generator, dt: float, wild: bool, state: np.ndarray) -> Sample:
        numbers = rng.uniform(-0.2, 1.2, (self.batch, self.count)).astype(np.float32)
        pose = np.empty((self.batch, 12))
        for row in pose:
            axes, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)))
            row[:9] = (axes * np.sign(np.linalg.det(axes))).reshape(-1)
            row[9:11], row[11] = rng.uniform(100, 600, 2), rng.uniform(0.5, 4)
        if wild:
            numbers[0, 0], pose[0, 9], pose[-1, :9], pose[0, 11] = np.nan, np.inf, np.nan, -1.0
        camera = np.tile([600.0, 610.0, 320.0, 240.0], (self.batch, 1))
        variance = rng.uniform(0.01, 0.1, (self.batch, self.count + 6)) ** 2
        steps, aheads = np.full(self.batch, dt), np.full(self.batch, self.ahead_seconds)
        doubt, seen = rng.uniform(0.01, 2, (self.batch, 2)), np.ones(self.batch, np.uint8)
        return Sample(numbers, pose, variance, steps, aheads, camera, doubt, state, seen)


def filled(arguments: Arguments) -> np.ndarray:
    """What one call filled in, as one array; millimetres as metres. Numbers that are none stand for themselves."""
    out = arguments[2]
    before = np.asarray(out.before, np.float64).copy()
    before[:, 18:27] /= 1e3
    parts = (out.numbers, out.pose, out.std, before, out.state)
    return np.nan_to_num(np.concatenate([np.asarray(part, np.float64).ravel() for part in parts]), nan=-77.0)


def difference(found: Arguments, wanted: Arguments) -> float:
    """The largest between what two calls filled in, of numbers above 1 as a share."""
    ours, theirs = filled(found), filled(wanted)
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)).max())


CASES = (
    Case("face", 1, 52),
    Case("faces", 6, 52, started=0.5),
    Case("held", 2, 10, held=True),
    Case("ahead", 3, 52, ahead_seconds=0.05),
    Case("new", 2, 5, started=0.0),
    Case("wild", 2, 6, wild=True),
    Case("coasting", 6, 52, started=0.7, seen=0.4),
    Case("unseen", 3, 7, ahead_seconds=0.04, wild=True, seen=0.0),
    Case("unseen_held", 3, 7, held=True, started=0.5, seen=0.0),
)
BENCH_CASES = (CASES[0], Case("faces_64", 64, 52))

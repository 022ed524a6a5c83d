"""Named inputs for `imm`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.imm import DENSITY, DYNAMICS, LATE, MEMORY, SPEED, WALK, state_size
from tracker.kernels.imm.reference import imm

TOLERANCE = 1e-6
"""Numbers are of order 1 and leave as float32; rotation and place are exact to 1e-9."""
RATES = np.array([[0.0, 0.5, 0.3], [0.4, 0.0, 0.5], [0.6, 1.0, 0.0]])
LIMITS = np.array([0.0, 1.0, 63.0, 1.5, 0.2, 5.0])
TRAITS = np.array([[0.3, 0.5, 0.4], [0.5, 1.0, 3.0], [4.0, 0.0, 2.0]])


@dataclass(frozen=True, slots=True)
class Case:
    """A body that moves at random, after some steps."""

    name: str
    numbers: int
    dt_seconds: float = 1 / 30
    ahead_seconds: float = 0.0
    steps: int = 12
    """Samples before the one that is filtered."""
    seen: bool = True
    bad: bool = False
    """Numbers, rotation, place and size of the sample are not finite."""

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; what is filled is full of NaN."""
        rng = np.random.default_rng(self.numbers)
        channels = self.numbers + 6
        dynamics = np.empty((DYNAMICS, channels))
        dynamics[WALK], dynamics[DENSITY], dynamics[DENSITY + 1] = 1e-5, 1e-3, 20.0
        dynamics[MEMORY], dynamics[MEMORY + 1], dynamics[SPEED], dynamics[SPEED + 1] = 2.0, 0.5, 0.01, 0.5
        dynamics[LATE] = np.arange(channels) % 4 * 0.01
        groups = np.arange(channels) % 3
        groups[-6:] = 2
        fixed = dynamics, groups, TRAITS, RATES, LIMITS
        state = np.zeros(state_size(self.numbers, 3))
        speeds = rng.normal(0, 0.4, channels)
        for step in range(self.steps):
            scratch = np.empty((3, 3)), np.empty(2), np.empty(self.numbers, np.float32), np.empty(channels, np.float32)
            sample: tuple[Any, ...] = _sample(rng, self.numbers, speeds, step / 30)
            imm(*fixed, *sample, 1 / 30, 0.0, True, state, *scratch)  # type: ignore[call-arg]
        numbers, rotation, place, size, variance = _sample(rng, self.numbers, speeds, self.steps / 30)
        if self.bad:
            numbers[0], rotation, place[1], size = np.nan, np.full((3, 3), np.inf), np.nan, -1.0
        filled = tuple(np.full(s, np.nan, t) for s, t in (
            ((3, 3), float), (2, float), (self.numbers, np.float32), (channels, np.float32)
        ))  # fmt: skip
        return (*fixed, numbers, rotation, place, size, variance, self.dt_seconds, self.ahead_seconds, self.seen, state,
                *filled)  # fmt: skip


def _sample(rng: np.random.Generator, numbers: int, speeds: np.ndarray, seconds: float) -> tuple[Any, ...]:
    """A sample of a body on its way, with noise."""
    way = speeds * max(seconds - 0.1, 0.0) + rng.normal(0, 0.01, len(speeds))
    values = (0.5 + way[:numbers]).astype(np.float32)
    place = np.array([300.0, 200.0]) + 70 * way[-5:-3]
    return values, _matrix(way[-3:]), place, 1.2 * float(np.exp(way[-6])), np.full(len(speeds), 1e-4)


def _matrix(turn: np.ndarray) -> np.ndarray:
    """Rotation by a vector, not too short: the matrix of its unit quaternion."""
    angle = float(np.linalg.norm(turn))
    v, w = turn / angle * np.sin(angle / 2), np.cos(angle / 2)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    matrix: np.ndarray = (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * skew
    return matrix


CASES = (
    Case("face", 52),
    Case("first", 52, steps=0),
    Case("second", 52, steps=1),
    Case("held", 52, dt_seconds=0.0),
    Case("long_step", 52, dt_seconds=0.4),
    Case("ahead", 52, ahead_seconds=0.05),
    Case("not_seen", 52, seen=False),
    Case("not_finite", 8, bad=True),
    Case("one_number", 1),
)

"""Named inputs for `one_euro`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.one_euro import state_size

TOLERANCE = 1e-6
"""Numbers are of order 1 and leave as float32; rotation and place are exact to 1e-9."""


@dataclass(frozen=True, slots=True)
class Case:
    """A body that moves at random, after some steps."""

    name: str
    numbers: int
    dt_seconds: float = 1 / 30
    started: bool = True
    bad: bool = False
    """Numbers, rotation, place and size of the sample are not finite."""

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; what is filled is full of NaN."""
        rng = np.random.default_rng(self.numbers)
        responses = np.stack([rng.uniform(0.5, 2, self.numbers + 3), rng.uniform(0, 30, self.numbers + 3)])
        state = rng.normal(0, 0.1, state_size(self.numbers))
        state[0] = self.started
        state[1:9] = np.tile(_unit(rng.normal(0, 1, 4)), 2)
        sample = rng.normal(0.5, 0.6, self.numbers).astype(np.float32)
        rotation, place, size = _matrix(_unit(state[1:5] + rng.normal(0, 0.05, 4))), rng.normal(0, 1, 2), 1.2
        if self.bad:
            sample[0], rotation, place[1], size = np.nan, np.full((3, 3), np.inf), np.nan, -1.0
        filled = np.full((3, 3), np.nan), np.full(2, np.nan), np.full(self.numbers, np.nan, np.float32)
        limits = np.array([0.0, 1.0, 1.5, 63.0])
        return responses, limits, sample, rotation, place, size, self.dt_seconds, state, *filled


def _unit(q: np.ndarray) -> np.ndarray:
    unit: np.ndarray = q / np.linalg.norm(q)
    return unit


def _matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrix of a unit quaternion `xyzw`: twice the outer product, the scalar on diagonal and skew."""
    v, w = q[:3], q[3]
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * skew


CASES = (
    Case("face", 52),
    Case("first", 52, started=False),
    Case("held", 52, dt_seconds=0.0),
    Case("long_step", 52, dt_seconds=0.4),
    Case("not_finite", 8, bad=True),
    Case("one_number", 1),
)

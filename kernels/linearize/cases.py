"""Named inputs for `linearize`, for tests and the bench: random meshes over pictures of smooth noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.gauss_newton import Problem
from tracker.kernels.linearize import POSE, Balance

TOLERANCE = 2e-4
"""Of an entry by the largest of its kind: a few roundings, and differences of bytes divided by the spread."""
BALANCE = Balance(2.0, 0.06, 0.3, 0.15)


@dataclass(frozen=True, slots=True)
class Case:
    """A mesh that lies in the picture and a little beyond."""

    name: str
    vertices: int
    shapes: int
    landmarks: int
    side: int = 64

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; what it fills is full of NaN."""
        rng = np.random.default_rng(self.vertices + self.side)
        rows, parameters = self.vertices + 2 * self.landmarks, POSE + self.shapes
        vertices = rng.uniform(-0.1, 1.1, (self.vertices, 3)) * self.side
        about = np.array([0.5, 0.5, 4.0]) * self.side
        view, shapes = rng.normal(0, 0.3, (2, 3)), rng.normal(0, 2, (self.shapes, self.vertices, 3))
        colours, counts = rng.uniform(0, 1, (self.vertices, 3)), rng.uniform(0, 1, self.vertices)
        target = rng.integers(0, 256, (self.side, self.side, 3), dtype=np.uint8)
        at = rng.integers(0, self.vertices, self.landmarks).astype(np.int32)
        landmarks, std = rng.uniform(0, self.side, (self.landmarks, 2)), rng.uniform(0.05, 2, self.landmarks)
        problem = Problem(
            np.full((1, rows), np.nan, np.float32), np.full((1, rows, parameters), np.nan, np.float32),
            np.full((1, rows), np.nan, np.float32), np.zeros((1, parameters), np.float32),
            np.zeros((1, parameters), np.float32), np.zeros(1, np.float32),
        )  # fmt: skip
        floats = [array.astype(np.float32) for array in (vertices, about, view, shapes, colours, counts)]
        return (
            *floats, target, at, landmarks.astype(np.float32), std.astype(np.float32), BALANCE, problem,
        )  # fmt: skip


def difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest between what two calls filled in, by the largest of its kind."""
    apart = [
        float(np.abs(mine.astype(np.float64) - theirs).max() / max(float(np.abs(theirs).max()), 1e-9))
        for mine, theirs in (
            (getattr(found[-1], name), getattr(wanted[-1], name)) for name in ("residual", "jacobian", "weight")
        )
    ]
    return max(apart)


CASES = (
    Case("face", 478, 18, 128), Case("small", 9, 2, 3, side=4), Case("no_landmarks", 30, 5, 0, side=16),
    Case("pose_only", 60, 0, 20, side=32), Case("least", 1, 1, 1, side=2),
)  # fmt: skip

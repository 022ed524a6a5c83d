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
    faces: tuple[int, ...] = ()
    """The leading axis, if any."""

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; what it fills is full of NaN."""
        rng = np.random.default_rng(self.vertices + self.side)
        many, one = self.faces, self.faces or (1,)
        rows, parameters = self.vertices + 2 * self.landmarks, POSE + self.shapes
        vertices = rng.uniform(-0.1, 1.1, (*many, self.vertices, 3)) * self.side
        about = np.zeros((*many, 3)) + np.array([0.5, 0.5, 4.0]) * self.side
        view, shapes = rng.normal(0, 0.3, (*many, 2, 3)), rng.normal(0, 2, (self.shapes, self.vertices, 3))
        colours = rng.uniform(0, 1, (*many, self.vertices, 3))
        counts = rng.uniform(0, 1, (*many, self.vertices))
        target = rng.integers(0, 256, (*many, self.side, self.side, 3), dtype=np.uint8)
        at = rng.integers(0, self.vertices, self.landmarks).astype(np.int32)
        landmarks = rng.uniform(0, self.side, (*many, self.landmarks, 2))
        std = rng.uniform(0.05, 2, (*many, self.landmarks))
        problem = Problem(
            np.full((*one, rows), np.nan, np.float32), np.full((*one, rows, parameters), np.nan, np.float32),
            np.full((*one, rows), np.nan, np.float32), np.zeros((*one, parameters), np.float32),
            np.zeros((*one, parameters), np.float32), np.zeros(one, np.float32),
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


def bytes_moved(arguments: tuple[Any, ...]) -> int:
    """By one call: of the picture only four pixels at each vertex, of the problem only the rows."""
    *given, _, problem = arguments
    read = [array for n, array in enumerate(given) if n != 6]
    written = (problem.residual, problem.jacobian, problem.weight)
    return sum(array.nbytes for array in (*read, *written)) + 12 * arguments[5].size


CASES = (
    Case("face", 478, 18, 128), Case("small", 9, 2, 3, side=4), Case("no_landmarks", 30, 5, 0, side=16),
    Case("pose_only", 60, 0, 20, side=32), Case("least", 1, 1, 1, side=2),
    Case("faces", 40, 7, 9, side=16, faces=(3,)),
)  # fmt: skip
DEVICE_CASES = tuple(Case(f"faces_{many}", 478, 18, 114, faces=(many,)) for many in (1, 64, 256))

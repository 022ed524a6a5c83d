"""Named inputs for `portray`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.portray import AFTER_MESH, Base

TOLERANCE = 5e-4
"""Pixels and mm: float32 sums of up to 120 terms of 100 mm, times a scale of 2, about a centre of 640 px."""


@dataclass(frozen=True, slots=True)
class Case:
    """Random shapes of a few millimetres on a body of 100 mm, turned about the unit axis (1, 2, 2) / 3."""

    name: str
    vertices: int = 478
    lasting: int = 64
    moving: int = 52
    angle_rad: float = 0.4
    step_mm: float = 0.0
    tilt: float = 0.1
    """Large ones reach the limit."""

    def rotation(self, angle_rad: float) -> np.ndarray:
        """float64 [3, 3], by Rodrigues' formula."""
        x, y, z = 1 / 3, 2 / 3, 2 / 3
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.eye(3) + np.sin(angle_rad) * skew + (1 - np.cos(angle_rad)) * skew @ skew

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; `out` is full of NaN."""
        rng = np.random.default_rng(self.vertices + self.moving)
        mean = rng.uniform(-100, 100, (self.vertices, 3)).astype(np.float32)
        lasting_mm = rng.normal(0, 1, (self.lasting, self.vertices, 3)).astype(np.float32)
        basis = rng.normal(0, 3, (self.moving, self.vertices, 3)).astype(np.float32)
        lasting = rng.normal(0, 1, self.lasting).astype(np.float32)
        weights = (rng.random(self.moving) * (rng.random(self.moving) < 0.5)).astype(np.float32)
        tilts = rng.normal(0, self.tilt, (self.moving, 4)).astype(np.float32)
        poses = (self.rotation(self.angle_rad), np.array([640.5, 300.25]), 2.0,
                 self.rotation(self.angle_rad + 0.1), np.array([642.0, 299.0]), 2.1)  # fmt: skip
        out = np.full(3 * self.vertices + AFTER_MESH, np.nan, np.float32)
        base = Base(mean, lasting_mm, self.step_mm)
        return (base, lasting, basis, weights, tilts, *poses, np.array([900.0, 910.0, 640.0, 360.0]), 1.5, 0.02, out)


CASES = (
    Case("face"),
    Case("turned", angle_rad=2.5),
    Case("kept_identity", step_mm=1e9),
    Case("steep", tilt=3.0),
    Case("nothing_moves", moving=0),
    Case("odd", vertices=7, lasting=0, moving=3),
)

"""Named inputs for `project`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 2e-4
"""Pixels: one rounding to float32 at 2,000 px."""


@dataclass(frozen=True, slots=True)
class Case:
    """A head of 100 mm, turned about the unit axis (1, 2, 2) / 3."""

    name: str
    vertices: int
    angle_rad: float
    scale_px_per_mm: float
    center_px: tuple[float, float]

    def rotation(self) -> np.ndarray:
        """float64 [3, 3], by Rodrigues' formula."""
        x, y, z = 1 / 3, 2 / 3, 2 / 3
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.eye(3) + np.sin(self.angle_rad) * skew + (1 - np.cos(self.angle_rad)) * skew @ skew

    def arguments(self) -> tuple[Any, ...]:
        """Vertices, rotation, scale, center, and an out full of NaN."""
        rng = np.random.default_rng(self.vertices)
        vertices = rng.uniform(-100, 100, (self.vertices, 3)).astype(np.float32)
        out = np.full((self.vertices, 3), np.nan, np.float32)
        return vertices, self.rotation(), self.scale_px_per_mm, np.array(self.center_px), out


CASES = (
    Case("frontal", 478, 0.0, 2.0, (640.0, 360.0)),
    Case("turned", 478, 0.8, 2.0, (640.0, 360.0)),
    Case("close_up", 478, -2.5, 9.0, (1700.5, -40.25)),
    Case("one_vertex", 1, 1.0, 0.1, (0.0, 0.0)),
)

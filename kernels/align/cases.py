"""Named inputs for `align`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-9
"""Of rotation entries, and of place and scale in px: the same steps in another order."""
MOVING = 116
SQUARE = (640.5, 361.0, 300.0, 0.3)
"""Middle, side and roll."""


@dataclass(frozen=True, slots=True)
class Case:
    """A face-sized cloud, turned about the unit axis (1, 2, 2) / 3, seen with noise."""

    name: str
    points: int
    angle_rad: float
    noise: float
    """Standard deviation in crop sides; three times that in depth."""
    depth_share: float
    scale: float = 0.0045
    """Crop sides per mm."""

    def rotation(self) -> np.ndarray:
        """float64 [3, 3], by Rodrigues' formula."""
        x, y, z = 1 / 3, 2 / 3, 2 / 3
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.eye(3) + np.sin(self.angle_rad) * skew + (1 - np.cos(self.angle_rad)) * skew @ skew

    def arguments(self) -> tuple[Any, ...]:
        """Mean, basis, weights, rest, offset, log_std, depth_share, square, and a pose full of NaN."""
        rng = np.random.default_rng(self.points)
        mean = rng.uniform(-1, 1, (self.points, 3)) * (70, 90, 40) + (0, 30, 10)
        basis, weights = rng.normal(0, 0.3, (MOVING, self.points, 3)), rng.normal(0, 1, MOVING)
        points = mean + np.einsum("b,bki->ki", weights, basis)
        seen = self.scale * points @ self.rotation().T + (0.5, 0.45, 0.02)
        seen += rng.normal(0, 1, points.shape) * np.array([1, 1, 3]) * self.noise
        rest, log_std = rng.uniform(0, 1, points.shape), rng.uniform(-5, -2, self.points)
        rows = (mean, basis, weights, rest, (seen - rest).reshape(-1), log_std)
        return *(row.astype(np.float32) for row in rows), self.depth_share, SQUARE, np.full(12, np.nan)


CASES = (
    Case("frontal", 114, 0.0, 0.0, 0.3),
    Case("turned", 114, 0.8, 0.01, 0.3),
    Case("upside_down", 114, 3.0, 0.01, 0.3),
    Case("umeyama", 114, 0.8, 0.02, 1.0),
    Case("no_depth", 114, 0.5, 0.005, 0.01),
    Case("few_points", 6, -1.2, 0.003, 0.3),
    Case("many_points", 478, 0.4, 0.002, 0.3, 0.006),
)

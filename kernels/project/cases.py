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
    center_px: tuple[float, ...]
    faces: tuple[int, ...] = ()
    """The leading axis, if any: the same head for each, a little further right."""

    def rotation(self) -> np.ndarray:
        """float64 [3, 3], by Rodrigues' formula."""
        x, y, z = 1 / 3, 2 / 3, 2 / 3
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.eye(3) + np.sin(self.angle_rad) * skew + (1 - np.cos(self.angle_rad)) * skew @ skew

    def arguments(self) -> tuple[Any, ...]:
        """Vertices, rotation, scale, center, and an out full of NaN."""
        rng = np.random.default_rng(self.vertices)
        vertices = rng.uniform(-100, 100, (*self.faces, self.vertices, 3)).astype(np.float32)
        out = np.full(vertices.shape, np.nan, np.float32)
        if not self.faces:
            return vertices, self.rotation(), self.scale_px_per_mm, np.array(self.center_px), out
        count = self.faces[0]
        rotations = np.repeat(self.rotation()[None].astype(np.float32), count, axis=0)
        centers = np.repeat(np.array([self.center_px], np.float32), count, axis=0)
        centers[:, 0] += np.arange(count) / 16
        return vertices, rotations, np.full(count, self.scale_px_per_mm, np.float32), centers, out


CASES = (
    Case("frontal", 478, 0.0, 2.0, (640.0, 360.0)),
    Case("turned", 478, 0.8, 2.0, (640.0, 360.0)),
    Case("close_up", 478, -2.5, 9.0, (1700.5, -40.25)),
    Case("one_vertex", 1, 1.0, 0.1, (0.0, 0.0)),
    Case("before_a_plane", 478, 0.4, 0.3, (32.0, 31.5, 256.0)),
    Case("faces", 478, 0.8, 0.3, (32.0, 31.5), faces=(3,)),
    Case("faces_before_a_plane", 130, -0.6, 2.0, (640.0, 360.0, 900.0), faces=(4,)),
)
DEVICE_CASES = tuple(Case(f"faces_{many}", 478, 0.8, 0.3, (32.0, 31.5, 256.0), (many,)) for many in (1, 64, 1024))

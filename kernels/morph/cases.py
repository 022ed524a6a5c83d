"""Named inputs for `morph`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-4
"""In the mean's unit (mm): float32 sums of up to 100 terms of 100 mm."""


@dataclass(frozen=True, slots=True)
class Case:
    """Random shapes of a few millimetres on a head of 100 mm."""

    name: str
    vertices: int
    shapes: int
    active: float = 1.0
    """Share of weights that are not zero."""

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Mean, basis, weights, and an out full of NaN."""
        rng = np.random.default_rng(self.vertices + self.shapes)
        mean = rng.uniform(-100, 100, (self.vertices, 3)).astype(np.float32)
        basis = rng.normal(0, 3, (self.shapes, self.vertices, 3)).astype(np.float32)
        weights = (rng.normal(0, 1, self.shapes) * (rng.random(self.shapes) < self.active)).astype(np.float32)
        return mean, basis, weights, np.full((self.vertices, 3), np.nan, np.float32)


CASES = (
    Case("expression", 478, 52),
    Case("quiet_face", 478, 52, active=0.2),
    Case("identity_and_expression", 478, 92),
    Case("no_shapes", 478, 0),
    Case("odd", 7, 3),
)

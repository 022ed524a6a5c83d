"""Named inputs for `lift`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.lift import NUMBERS, Parts

TOLERANCE = 2e-4
"""Pixels: float32 parts times a side of 1,000 px; the rest of what is filled is of order 1."""

PARTS = Parts(0, 20, 26, 28, 29, 224.0, (0.0, 30.0, 0.0), 0.023)
"""Twenty coefficients, six, two, one, twelve."""


@dataclass(frozen=True, slots=True)
class Case:
    """A random vector about a square."""

    name: str
    side_px: float
    roll_rad: float
    spread: float = 0.3
    """Of every part; large ones reach the limits."""

    def arguments(self) -> tuple[Any, ...]:
        """Starts, constants, vector, square, presence; then, full of NaN, what is filled."""
        rng = np.random.default_rng(round(self.side_px))
        vector = rng.normal(0, self.spread, 41).astype(np.float32)
        vector[20:26] += [1, 0, 0, 0, 1, 0]
        vector[29:] -= 4
        filled = (np.full(n, np.nan, np.float32) for n in (20, 12, 5))
        square = (640.5, 360.25, self.side_px, self.roll_rad)
        return PARTS.starts(), PARTS.constants(), vector, *square, 0.9, *filled, np.full(NUMBERS, np.nan)


CASES = (
    Case("level", 300.0, 0.0),
    Case("turned", 800.0, 0.7),
    Case("upside_down", 90.0, -3.0),
    Case("beyond_limits", 500.0, 0.2, 6.0),
)

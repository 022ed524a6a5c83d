"""Named inputs for `reorient`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-5
"""Of coefficients of about 1, in float32."""
CAMERA = np.array([900.0, 880.0, 640.0, 360.0])


@dataclass(frozen=True, slots=True)
class Case:
    """Bodies all over a picture of 1280 x 720, in squares turned anyhow."""

    name: str
    batch: int
    furthest_px: float = 600.0
    """From the middle of the picture."""
    most_rad: float = 3.2

    def arguments(self) -> tuple[Any, ...]:
        """Lighting, places, rolls, camera; then, full of NaN, what is filled."""
        rng = np.random.default_rng(self.batch)
        lighting = rng.normal(0, 1, (self.batch, 9, 3)).astype(np.float32)
        center_px = CAMERA[2:] + rng.uniform(-self.furthest_px, self.furthest_px, (self.batch, 2))
        roll_rad = rng.uniform(-self.most_rad, self.most_rad, self.batch)
        return lighting, center_px, roll_rad, CAMERA.copy(), np.full_like(lighting, np.nan)


CASES = (Case("face", 1), Case("straight_ahead", 2, 0.0, 0.0), Case("faces", 7), Case("nobody", 0))
BENCH_CASES = (CASES[0], Case("faces_64", 64))

"""Named inputs for `normals`, for tests and the bench: bent sheets of random height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 2e-5
"""Of a unit vector: float32 sums of some six cross products that point about the same way."""


@dataclass(frozen=True, slots=True)
class Case:
    """Sheets of side by side vertices, all of one topology."""

    name: str
    batch: int
    side: int
    lonely: int = 0
    """Vertices besides that no triangle has."""

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Vertices, triangles, and an out full of NaN."""
        rng = np.random.default_rng(self.side + self.batch)
        x, y = np.meshgrid(np.arange(self.side), np.arange(self.side))
        sheet = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1) * 3.0
        vertices = sheet + rng.normal(0, 0.4, (self.batch, *sheet.shape))
        vertices = np.concatenate([vertices, rng.normal(0, 9, (self.batch, self.lonely, 3))], 1)
        at = np.arange(self.side**2).reshape(self.side, self.side)
        a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel()
        triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)
        return vertices.astype(np.float32), triangles, np.full(vertices.shape, np.nan, np.float32)


CASES = (Case("face", 1, 21), Case("batch", 5, 7), Case("lonely", 1, 6, lonely=10), Case("one_sheet", 1, 2))
DEVICE_CASES = tuple(Case(f"faces_{many}", many, 21) for many in (1, 64, 1024))

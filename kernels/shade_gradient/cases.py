"""Named inputs for `shade_gradient`, for tests and the bench: those of `shade`, and a weight per region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.kernels.rasterize.cases import Case as Mesh
from tracker.kernels.shade.cases import BENCH_CASES as LARGE
from tracker.kernels.shade.cases import Case as Shaded
from tracker.kernels.shade_gradient import Gradient, neighbours_of

TOLERANCE = 2e-4
"""Of the largest number in each part: float32 products, sums over up to 1e4 pixels."""


@dataclass(frozen=True, slots=True)
class Case:
    """A shaded case; weights of either sign, one of them 0."""

    name: str
    shaded: Shaded

    def arguments(self) -> tuple[Any, ...]:
        """What the operator takes; what it fills is full of NaN."""
        surface, ids, target, _, out = self.shaded.arguments()
        rng = np.random.default_rng(3)
        weights = rng.normal(0, 1, out.error.shape).astype(np.float32)
        weights[:, -1] *= self.shaded.regions < 2
        parts = (surface.vertices_px[..., :2], surface.normals, surface.albedo, surface.lighting)
        empty = Gradient(*(np.full(part.shape, np.nan, np.float32) for part in parts))
        return surface, neighbours_of(surface.triangles), ids, target, 0.3, weights, empty


def filled(arguments: tuple[Any, ...]) -> np.ndarray:
    """What one call filled in, as one array, each part as shares of its own largest number."""
    out = arguments[-1]
    parts = [out.places, out.normals, out.albedo, out.lighting]
    return np.concatenate([(part / max(float(np.abs(part).max()), 1e-9)).ravel() for part in parts])


def difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(filled(found) - filled(wanted)).max())


# Small, because the reference goes from pixel to pixel.
_SMALL = Mesh("face", 12, 10, 32, batch=2)
CASES = (
    Case("face", Shaded("face", _SMALL)),
    Case("one_region", Shaded("one_region", _SMALL, regions=1)),
    Case("ball", Shaded("ball", replace(_SMALL, closed=True))),
    Case("ball_with_backs", Shaded("ball_with_backs", replace(_SMALL, closed=True, keep_back=True))),
    Case("larger_than_the_picture", Shaded("larger", replace(_SMALL, size=4.0, batch=1))),
    Case("as_small_as_pixels", Shaded("small", Mesh("small", 20, 15, 20))),
    Case("one_triangle", Shaded("one_triangle", Mesh("one_triangle", 2, 2, 17))),
)
BENCH_CASES = tuple(Case(shaded.name, shaded) for shaded in LARGE[:2])

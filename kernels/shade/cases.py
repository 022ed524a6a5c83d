"""Named inputs for `shade`, for tests and the bench: the meshes of `rasterize` under a light, before a photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from tracker.kernels.rasterize import Rasterize
from tracker.kernels.rasterize.cases import BENCH_CASES as MESHES
from tracker.kernels.rasterize.cases import CASES as SMALL
from tracker.kernels.rasterize.cases import Case as Mesh
from tracker.kernels.rasterize.reference import rasterize
from tracker.kernels.shade import Shaded, Surface

TOLERANCE = 2e-5
"""Of a colour, and of a region's mean error: float32 sums of 27 terms of order one; sums are kept in more."""
SOFTNESS = 0.1

Arguments = tuple[Surface, np.ndarray, np.ndarray, float, Shaded]


@dataclass(frozen=True, slots=True)
class Case:
    """A mesh, lit from a random side, and a photograph of noise that is partly what is rendered."""

    name: str
    mesh: Mesh
    regions: int = 6
    drawn: bool = True
    """Whether the picture is asked for."""

    def arguments(self) -> Arguments:
        """What the operator takes; what it fills is full of NaN or rubbish."""
        vertices, triangles, ids = (array.copy() for array in _rasterized(self.mesh))
        rng = np.random.default_rng(len(triangles))
        normals = rng.normal(0, 1, vertices.shape)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        albedo = rng.uniform(0.2, 0.9, vertices.shape)
        lighting = rng.normal(0, 0.3, (len(vertices), 9, 3)) + np.eye(9, 1) * 2
        # One region in stripes across, and one number each way that is none.
        regions = (np.arange(len(triangles)) * (self.regions + 2) // max(len(triangles), 1) - 1).astype(np.int32)
        surface = Surface(
            vertices, triangles, normals.astype(np.float32), albedo.astype(np.float32), lighting.astype(np.float32),
            regions,
        )  # fmt: skip
        target = rng.integers(0, 256, (*ids.shape, 3), dtype=np.uint8)
        return surface, ids, target, SOFTNESS, self._out(ids.shape, vertices.shape)

    def _out(self, picture: tuple[int, ...], mesh: tuple[int, ...]) -> Shaded:
        image = np.full((*picture, 3), np.nan, np.float32) if self.drawn else None
        error = np.full((picture[0], self.regions), np.nan, np.float32)
        return Shaded(np.full(mesh, np.nan, np.float32), error, np.full(error.shape, -77, np.int32), image)


@cache
def _rasterized(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles and ids, by the reference, which is slow: kept."""
    vertices, triangles, ids, depth = mesh.arguments()
    Rasterize(rasterize)(vertices, triangles, ids, depth, None, mesh.keep_back)
    return vertices, triangles, ids


def filled(arguments: Arguments) -> np.ndarray:
    """What one call filled in, as one array: every colour, every region's mean error and its pixels."""
    out = arguments[-1]
    mean = out.error / np.maximum(out.pixels, 1)
    parts = [out.colours, mean, out.pixels] + ([] if out.image is None else [out.image])
    return np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])


def difference(found: Arguments, wanted: Arguments) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(filled(found) - filled(wanted)).max())


CASES = (
    *(Case(mesh.name, mesh) for mesh in SMALL),
    Case("one_region", SMALL[1], regions=1),
    Case("most_regions", SMALL[1], regions=64, drawn=False),
)
BENCH_CASES = tuple(replace(Case(mesh.name, mesh), drawn=False) for mesh in MESHES)

"""Named inputs for `relight`, for tests and the bench: bent sheets that hang in the picture's axes, under a light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.kernels.relight import Relit
from tracker.kernels.shade import Surface
from tracker.kernels.shade.reference import harmonics

TOLERANCE = 2e-4
"""Of a coefficient: sums in single precision of products of order one, and a matrix of condition 100."""

Arguments = tuple[Surface, np.ndarray, np.ndarray, float, float, Relit]


@dataclass(frozen=True, slots=True)
class Case:
    """Vertices strewn over a picture and a little beyond, mostly towards the camera, a part of them hidden."""

    name: str
    batch: int
    vertices: int
    side: int = 64
    softness: float = 0.15
    strange: float = 0.1
    """Share of the photograph that is something else."""

    def arguments(self) -> Arguments:
        """What the operator takes; what it fills is full of NaN."""
        rng = np.random.default_rng(self.vertices + self.side)
        shape = (self.batch, self.vertices, 3)
        vertices = rng.uniform(-0.05, 1.05, shape) * self.side
        vertices[..., 2] = rng.uniform(100, 120, shape[:2])
        normals = rng.normal(0, 0.5, shape) - [0, 0, 0.8]
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        # One colour a pixel, so that vertices that fall together do not argue.
        albedo = rng.uniform(0.2, 0.9, shape)
        albedo[:, ::17] = 0.0
        lighting = rng.normal(0, 0.12, (self.batch, 9, 3)) + np.eye(9, 1) * 2.4
        target = rng.integers(0, 256, (self.batch, self.side, self.side, 3), dtype=np.uint8)
        for one in range(self.batch):
            lit = albedo[one] * (harmonics(normals[one]) @ lighting[one])
            at = np.clip(np.floor(vertices[one, :, :2]), 0, self.side - 1).astype(int)
            keep = rng.random(self.vertices) >= self.strange
            target[one, at[keep, 1], at[keep, 0]] = np.clip(lit[keep] * 255, 0, 255)
        depth = rng.choice(np.array([np.inf, 110.0], np.float32), (self.batch, self.side, self.side), p=[0.8, 0.2])
        surface = Surface(
            vertices.astype(np.float32), np.zeros((0, 3), np.int32), normals.astype(np.float32),
            albedo.astype(np.float32), (lighting * 0.9).astype(np.float32), np.zeros(0, np.int32),
        )  # fmt: skip
        out = Relit(*(np.full(size, np.nan, np.float32) for size in ((self.batch, 9, 3), shape, shape[:2])))
        return surface, depth, target, 0.5, self.softness, out


def filled(arguments: Arguments) -> np.ndarray:
    """What one call filled in, as one array."""
    out = arguments[-1]
    return np.concatenate([part.ravel().astype(np.float64) for part in (out.lighting, out.seen, out.weight)])


def difference(found: Arguments, wanted: Arguments) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(filled(found) - filled(wanted)).max())


def bytes_moved(arguments: Arguments) -> int:
    """By one call: of depth and photograph only a pixel at each vertex; triangles and regions not at all."""
    surface, _, _, _, _, out = arguments
    read = (surface.vertices_px, surface.normals, surface.albedo, surface.lighting)
    written = (out.lighting, out.seen, out.weight)
    return sum(array.nbytes for array in (*read, *written)) + 7 * out.weight.size


CASES = (
    Case("face", 1, 478), Case("batch", 4, 60, side=32), Case("plain", 1, 200, softness=float("inf")),
    Case("one_vertex", 1, 1, side=8), Case("clean", 2, 300, strange=0.0),
)  # fmt: skip
DEVICE_CASES = tuple(Case(f"faces_{many}", many, 478) for many in (1, 64, 1024))

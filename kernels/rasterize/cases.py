"""Named meshes for `rasterize`, for tests and the bench, and for the operators that read its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

TOLERANCE = 0.0
"""Numbers and depths are equal to the bit; that is the point."""
BARYCENTRIC_TOLERANCE = 2e-3
"""float32 areas of pixels squared: in a sliver of a thousandth of a square pixel their rounding is a thousandth."""


@dataclass(frozen=True, slots=True)
class Case:
    """A dome, or a ball without its poles, of columns x rows vertices before the middle of the picture."""

    name: str
    columns: int = 26
    rows: int = 18
    side_px: int = 128
    batch: int = 1
    closed: bool = False
    """A ball, half of whose triangles are backs."""
    keep_back: bool = False
    size: float = 0.72
    """Of the picture's side: at this the dome covers two fifths of it."""
    noise_px: float = 0.0
    """By which corners are shaken, folding the mesh over."""

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices float32 [B, V, 3] in px, each picture's turned and moved a little, and triangles int32 [T, 3]."""
        points, triangles = _ball(self.columns, self.rows) if self.closed else _dome(self.columns, self.rows)
        rng = np.random.default_rng(self.columns + self.batch)
        vertices = np.empty((self.batch, len(points), 3))
        for image in range(self.batch):
            angle = rng.uniform(-0.5, 0.5)
            turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
            vertices[image] = points @ turn.T * (self.size / 2 * self.side_px)
            vertices[image] += [*rng.uniform(0.48, 0.52, 2) * self.side_px, 2 * self.side_px]
        vertices += rng.normal(0, 1, vertices.shape) * self.noise_px
        return vertices.astype(np.float32), triangles

    def arguments(self) -> tuple[Any, ...]:
        """Vertices, triangles, ids full of rubbish, depth full of NaN."""
        shape = (self.batch, self.side_px, self.side_px)
        return *self.mesh(), np.full(shape, -77, np.int32), np.full(shape, np.nan, np.float32)


def filled(arguments: tuple[Any, ...]) -> np.ndarray:
    """What one call filled in, as one array: every number, every depth, with -1 for infinitely far."""
    ids, depth = arguments[2:4]
    return np.concatenate([ids.ravel(), np.where(np.isinf(depth), -1, depth).ravel()]).astype(np.float64)


def difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(filled(found) - filled(wanted)).max())


def _dome(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A face-like half ellipsoid towards the camera: points in -1..1, fronts only."""
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    # The square's grid on a disc, so that the outline is round.
    u, v = x * np.sqrt(1 - y * y / 2), y * np.sqrt(1 - x * x / 2)
    depth = -np.sqrt(np.maximum(1.05 - u * u - v * v, 0))
    return np.stack([u, v, depth], -1).reshape(-1, 3), _grid(columns, rows, around=False)


def _ball(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A band around a ball, closed to the sides."""
    around, down = np.meshgrid(np.arange(columns) * (2 * np.pi / columns), np.linspace(-1.2, 1.2, rows))
    points = np.stack([np.sin(around) * np.cos(down), np.sin(down), -np.cos(around) * np.cos(down)], -1)
    return points.reshape(-1, 3), _grid(columns, rows, around=True)


def _grid(columns: int, rows: int, around: bool) -> np.ndarray:
    """Two fronts for each cell of a grid, as long as x goes right and y down along it."""
    row, column = np.mgrid[: rows - 1, : columns - (not around)]
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.stack([a, c, b, b, c, d], -1).reshape(-1, 3).astype(np.int32)


_FACE = Case("face")
CASES = (
    _FACE,
    replace(_FACE, name="face_64", side_px=64, batch=3),
    replace(_FACE, name="ball", closed=True, side_px=64, batch=2),
    replace(_FACE, name="ball_with_backs", closed=True, side_px=64, keep_back=True),
    replace(_FACE, name="folded", side_px=64, noise_px=4.0, keep_back=True),
    replace(_FACE, name="larger_than_the_picture", side_px=64, size=4.0),
    replace(_FACE, name="one_triangle", columns=2, rows=2, side_px=17),
    replace(_FACE, name="smaller_than_pixels", columns=60, rows=40, side_px=32),
)
BENCH_CASES = (
    replace(_FACE, name="face_64", side_px=64),
    _FACE,
    replace(_FACE, name="face_256", side_px=256),
    replace(_FACE, name="head_256", columns=70, rows=35, side_px=256, closed=True),
)

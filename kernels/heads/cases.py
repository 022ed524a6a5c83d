"""Named inputs for `heads`, for tests and the bench: shapes seen in squares, some of which have no pose to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.kernels.heads import Seen, Shape

TOLERANCE = 1e-6
"""Of a rotation and of sides: double precision throughout; deviations and trusts are float32."""
MOVING, LASTING, DEVIATIONS, TRUSTS = 9, 4, 12, 5


@dataclass(frozen=True, slots=True)
class Case:
    """So many faces of so many points, seen with an error."""

    name: str
    batch: int
    points: int
    error: float = 0.01
    """In sides."""
    flat: bool = False
    """The points lie in a plane, so the pose is the regressed one."""
    mirrored: bool = False
    wild: bool = False
    """Beyond every limit, and a number that is none."""

    def arguments(self) -> tuple[np.ndarray, Shape, Seen]:
        """Vectors, the shape, and what is filled, full of NaN."""
        rng = np.random.default_rng(self.points + self.batch)
        mean = rng.uniform(-80, 80, (self.points, 3)) * [1, 1, 0 if self.flat else 1]
        basis = rng.normal(0, 2, (MOVING + LASTING, self.points, 3)) * [1, 1, 0 if self.flat else 1]
        rest = rng.uniform(0.3, 0.7, (self.points, 3))
        width, starts = _layout(self.points)
        vectors = rng.normal(0, 3 if self.wild else 0.3, (self.batch, width)).astype(np.float32)
        vectors[:, starts[2] : starts[2] + 6] += [1, 0, 0, 0, 1, 0]
        vectors[:, starts[6] : starts[6] + DEVIATIONS] -= 4
        vectors[:, starts[8] :] -= 4
        for vector in vectors:
            angle = rng.uniform(-1, 1)
            turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
            seen = mean @ turn.T * [-1 if self.mirrored else 1, 1, 1] / 224 + [0.5, 0.5, 0]
            seen += rng.normal(0, self.error, seen.shape)
            vector[starts[7] : starts[7] + 3 * self.points] = (seen - rest).reshape(-1)
        if self.wild:
            vectors[0, starts[7]] = np.nan
        numbers = np.array([224.0, 0.0, 30.0, 0.0, 0.015, 0.3, 0.5, 0.9])
        shape = Shape(
            mean.astype(np.float32), basis.astype(np.float32), rest.astype(np.float32), MOVING,
            np.array(starts, np.int32), numbers,
        )  # fmt: skip
        return vectors, shape, _empty(self.batch)


def _layout(points: int) -> tuple[int, list[int]]:
    """How long a vector is, and where its parts begin."""
    sizes = [MOVING, LASTING, 6, 2, 1, 1, DEVIATIONS, 3 * points, points]
    return sum(sizes), [sum(sizes[:part]) for part in range(len(sizes))]


def _empty(batch: int) -> Seen:
    def room(*rest: int, kind: type = np.float32) -> np.ndarray:
        return np.full((batch, *rest), np.nan, kind)

    return Seen(
        room(MOVING + LASTING), room(DEVIATIONS), room(TRUSTS), room(12, kind=np.float64), room(kind=np.float64),
        np.full(batch, 77, np.uint8),
    )  # fmt: skip


def filled(arguments: tuple[np.ndarray, Shape, Seen]) -> np.ndarray:
    """What one call filled in, as one array."""
    seen = arguments[2]
    return np.concatenate([np.asarray(getattr(seen, name), np.float64).ravel() for name in Seen.__slots__])


def difference(found: tuple[np.ndarray, Shape, Seen], wanted: tuple[np.ndarray, Shape, Seen]) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(filled(found) - filled(wanted)).max())


CASES = (
    Case("face", 1, 114),
    Case("faces", 5, 40, error=0.03),
    Case("flat", 2, 30, flat=True),
    Case("mirrored", 2, 30, mirrored=True),
    Case("wild", 3, 20, wild=True),
    Case("two_points", 1, 2),
)
BENCH_CASES = (CASES[0], Case("faces_64", 64, 114))

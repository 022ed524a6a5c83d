"""Named inputs for `locate`, for tests and the bench: those of `heads`, one face each, about a square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.kernels.heads import Shape
from tracker.kernels.heads.cases import CASES as SHAPES
from tracker.kernels.heads.cases import DEVIATIONS, TRUSTS
from tracker.kernels.heads.cases import Case as Many
from tracker.kernels.locate import NUMBERS

TOLERANCE = 2e-4
"""Of px, as `lift`: a regressed place is float32 parts times a side."""
SQUARE = (640.5, 360.25, 300.0, 0.3)

Arguments = tuple[
    np.ndarray, Shape, tuple[float, float, float, float], float, np.ndarray, np.ndarray, np.ndarray, np.ndarray
]


@dataclass(frozen=True, slots=True)
class Case:
    """The first face of a case of `heads`."""

    name: str
    many: Many
    square: tuple[float, float, float, float] = SQUARE

    def arguments(self) -> Arguments:
        """Vector, shape, square, presence; then, full of NaN, what is filled."""
        vectors, shape, _ = self.many.arguments()
        filled = (np.full(length, np.nan, np.float32) for length in (len(shape.basis), DEVIATIONS, TRUSTS))
        coefficients, std, trust = filled
        return vectors[0].copy(), shape, self.square, 0.9, coefficients, std, trust, np.full(NUMBERS, np.nan)


CASES = (
    *(Case(shape.name, shape) for shape in SHAPES),
    Case("small_square", SHAPES[0], (50.0, 40.0, 90.0, -3.0)),
)
BENCH_CASES = CASES[:1]

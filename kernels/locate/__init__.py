"""Where a body is in the picture that a square was cut from: `lift`, then `align`, in one call.

Given the network's vector about the square and what is known of the shape beforehand it evaluates

- what `lift` does: coefficients (those that move clipped, then the lasting ones as they are), standard deviations,
  trusts, and the pose that the network regresses;
- in its place the pose that `align` finds for the shape's points, where it finds one;
- whether that is plausible: the anchor less than `furthest` sides from the square's middle, the size within
  exp(+-`most_log_scale`) of what a side should measure.

It is for one body and in the picture what `heads` is for many and in their squares, and takes the same `Shape`. One
call replaces two and the small arithmetic behind them. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.heads import Shape

NUMBERS = 16
"""Of `numbers`: rotation by rows (9), place (2), scale, mean trust; as the vector has them, offset (2), log scale."""

Implementation = Callable[..., bool]
"""Takes what the operator takes, checked, with the square as four numbers."""
_FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Locate:
    """`locate` on one implementation."""

    implementation: Implementation

    def __call__(
        self, vector: np.ndarray, shape: Shape, square: tuple[float, float, float, float], presence: float,
        coefficients: np.ndarray, std: np.ndarray, trust: np.ndarray, numbers: np.ndarray,
    ) -> bool:  # fmt: skip
        """Fill `coefficients` [C], `std` [S] and `trust` [R], of the last R deviations, float32, and `numbers` float64
        [16]; returns whether the pose is plausible.

        `vector` is float32 [W] and holds every part that the shape names; `square` is x and y of its middle, its side
        (px), its roll (radians). All contiguous. Raises SettingsError for other lengths.
        """
        ends = max(shape.starts.tolist()) + len(shape.mean)
        if len(coefficients) != len(shape.basis) or len(numbers) != NUMBERS or len(trust) > len(std):
            raise SettingsError(
                f"{len(coefficients)} coefficients for a basis of {len(shape.basis)}, {len(trust)} trusts of {len(std)}"
                f", {len(numbers)} numbers; they must be as many, no more, and {NUMBERS}"
            )
        if len(vector) < ends or vector.dtype != _FLOAT32:
            raise SettingsError(f"a vector of {len(vector)} {vector.dtype}; it must be float32 and hold {ends}")
        return bool(self.implementation(vector, shape, *square, presence, coefficients, std, trust, numbers))

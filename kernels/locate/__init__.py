"""Where a body is in the picture that a square was cut from: `lift`, then `align`, in one call.

Given the network's vector about the square and what is known of the shape beforehand it evaluates

- what `lift` does: coefficients (those that move clipped, then the lasting ones as they are), standard deviations,
  trusts, and the pose that the network regresses;
- in its place the pose that `align` finds for the shape's points, where it finds one;
- whether that is plausible: the anchor less than `furthest` sides from the square's middle, the size within
  exp(+-`most_log_scale`) of what a side should measure, and every number of the vector finite: who remembers a look
  would remember one that is not for good.

It is for one body and in the picture what `heads` is for many and in their squares, and takes the same `Shape`. One
call replaces two and the small arithmetic behind them. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import MISFIT, Form, Forms, wants_checked
from tracker.kernels.heads import Shape
from tracker.kernels.interop import rank, require_kind, require_numbers

NUMBERS = 16
"""Of `numbers`: rotation by rows (9), place (2), scale, mean trust; as the vector has them, offset (2), log scale."""

Implementation = Callable[..., int]
"""Takes what the operator takes, checked, but for one that `sees_misfits`; with the square as four numbers."""
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


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
        (px), its roll (radians). All contiguous. Raises SettingsError for anything else.
        """
        require_kind("shape", shape, Shape)
        filled = coefficients, std, trust, numbers
        if wants_checked(self.implementation):
            _require(vector, shape, filled)
        try:
            found = self.implementation(vector, shape, *square, presence, *filled)
        except (TypeError, ValueError):
            _require(vector, shape, filled)
            require_numbers(4, square=square)
            require_numbers(presence=presence)
            raise
        if found == MISFIT:
            _require(vector, shape, filled)
        return bool(found)


def _require(vector: Any, shape: Shape, filled: tuple[Any, ...]) -> None:
    (width,), (deviations,), (trusts,) = (
        rank("vector", vector, 1),
        rank("std", filled[1], 1),
        rank("trust", filled[2], 1),
    )
    _forms(width, len(shape.basis), deviations, trusts).check((vector,), filled)
    if width < shape.width(deviations) or trusts > deviations:
        raise SettingsError(
            f"a vector of {width} numbers, {trusts} trusts of {deviations} deviations; it must hold every part, "
            f"{shape.width(deviations)} or more, and no more trusts than deviations"
        )


@lru_cache(maxsize=64)
def _forms(width: int, coefficients: int, deviations: int, trusts: int) -> Forms:
    """Of a vector of that width."""
    filled = (
        Form("coefficients", _FLOAT32, (coefficients,)), Form("std", _FLOAT32, (deviations,)),
        Form("trust", _FLOAT32, (trusts,)), Form("numbers", _FLOAT64, (NUMBERS,)),
    )  # fmt: skip
    return Forms([Form("vector", _FLOAT32, (width,))], filled)

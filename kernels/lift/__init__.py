"""From what a network says about a square crop to a pose in the picture it was cut from.

Given the network's vector, the square (x, y of its middle, side, roll) and where in the vector each part stands, it
evaluates, with B the turn by the roll:

- rotation = B R(six), R by Gram-Schmidt on two columns (Zhou et al. 2019);
- scale = side / side_mm * exp(log_scale), held within exp(+-1.5);
- centre = middle + side * B offset - scale * (rotation anchor)_xy: where the origin of the turned space lies, when the
  vector's offset is that of the anchor;
- coefficients clipped to 0..1, standard deviations exp(log_std), trust_k = presence / (1 + (std_k / half_trust)^2).

One call replaces some thirty small array operations, each of which costs more than its arithmetic once the caches have
gone cold between frames. It does not know what the coefficients or the regions are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require, require_numbers

LOG_SCALE_LIMIT = 1.5
LOG_STD_LIMITS = (-7.0, 1.0)
NUMBERS = 16
"""Of `numbers`: rotation by rows (9), centre (2), scale, mean trust; as the vector has them, offset (2), log scale."""

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)

Implementation = Callable[
    [np.ndarray, np.ndarray, np.ndarray, float, float, float, float, float, np.ndarray, np.ndarray, np.ndarray,
     np.ndarray], None
]  # fmt: skip
"""Takes vector, starts, constants, the square (x, y, side, roll), presence, and the four to fill."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where each part begins in the vector, and the constants of the lift."""

    coefficients: int
    rotation: int
    """Six: the first two columns."""
    offset: int
    """Two: from the square's middle to the anchor, in its sides, along its axes."""
    log_scale: int
    log_std: int
    """As many as `std` is long; the last of them are the regions'."""
    side_mm: float
    """What the square's side measures at a log scale of 0."""
    anchor_mm: tuple[float, float, float]
    half_trust: float

    def starts(self) -> np.ndarray:
        """int64 [5] in the order above, for an implementation."""
        return np.array([self.coefficients, self.rotation, self.offset, self.log_scale, self.log_std])

    def constants(self) -> np.ndarray:
        """float64 [5]: side_mm, anchor, half_trust."""
        return np.array([self.side_mm, *self.anchor_mm, self.half_trust])


@dataclass(frozen=True, slots=True)
class Lift:
    """`lift` on one implementation."""

    implementation: Implementation

    def __call__(
        self, starts: np.ndarray, constants: np.ndarray, vector: np.ndarray, x_px: float, y_px: float, side_px: float,
        roll_rad: float, presence: float, coefficients: np.ndarray, std: np.ndarray, trust: np.ndarray,
        numbers: np.ndarray,
    ) -> None:  # fmt: skip
        """Fill `coefficients` [C], `std` [S], `trust` [R], all float32, and `numbers` float64 [16].

        `starts` and `constants` are those of `Parts`, `vector` is float32 [W], then come the square and the presence.
        All arrays are contiguous. Raises SettingsError for anything else.
        """
        (width,), (count,) = rank("vector", vector, 1), rank("coefficients", coefficients, 1)
        (deviations,), (trusts,) = rank("std", std, 1), rank("trust", trust, 1)
        for name, array, dtype, shape, filled in (
            ("starts", starts, _INT64, (5,), False), ("constants", constants, _FLOAT64, (5,), False),
            ("vector", vector, _FLOAT32, (width,), False), ("coefficients", coefficients, _FLOAT32, (count,), True),
            ("std", std, _FLOAT32, (deviations,), True), ("trust", trust, _FLOAT32, (trusts,), True),
            ("numbers", numbers, _FLOAT64, (NUMBERS,), True),
        ):  # fmt: skip
            require(name, array, dtype, shape, filled=filled)
        first = starts.tolist()
        wanted = max(start + size for start, size in zip(first, (count, 6, 2, 1, deviations), strict=True))
        if min(first) < 0 or width < wanted or trusts > deviations:
            raise SettingsError(
                f"a vector of {width} numbers whose parts begin at {first}, {trusts} trusts of {deviations}; give one "
                f"that holds every part, {wanted} or more, and no more trusts than deviations"
            )
        square = x_px, y_px, side_px, roll_rad
        try:
            self.implementation(starts, constants, vector, *square, presence, coefficients, std, trust, numbers)
        except (TypeError, ValueError):
            require_numbers(x_px=x_px, y_px=y_px, side_px=side_px, roll_rad=roll_rad, presence=presence)
            raise

"""Vertices of a linear model: out = mean + sum over b of weights[b] * basis[b].

Given arrays it fills an array, in whatever unit the mean has (the tracker's is millimetres in head space). It does
not know what the vertices or the weights stand for, and limits neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError

Implementation = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], None]
"""Takes mean, basis, weights, out, checked."""


@dataclass(frozen=True, slots=True)
class Morph:
    """`morph` on one implementation."""

    implementation: Implementation

    def __call__(self, mean: np.ndarray, basis: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
        """Fill `out` [V, 3] from `mean` [V, 3], `basis` [B, V, 3] and `weights` [B]: float32, contiguous.

        `out` may be `mean` itself, which adds in place. Raises SettingsError for anything else.
        """
        count = len(weights)
        wanted = (("mean", mean, (len(out), 3)), ("basis", basis, (count, len(out), 3)),
                  ("weights", weights, (count,)), ("out", out, (len(out), 3)))  # fmt: skip
        for name, array, shape in wanted:
            if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
                raise SettingsError(
                    f"{name} is {array.dtype} {list(array.shape)}; it must be contiguous float32 {list(shape)}"
                )
        self.implementation(mean, basis, weights, out)

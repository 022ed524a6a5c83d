"""Vertices of a linear model: out = mean + sum over k of weights[k] * basis[k].

Given arrays it fills an array, in whatever unit the mean has (the tracker's is millimetres in head space), of one face
or of many that share the basis. It does not know what the vertices or the weights stand for, and limits neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require

_FLOAT32 = np.dtype(np.float32)

Implementation = Callable[[Any, Any, Any, Any], None]
"""Takes mean, basis, weights, out, checked, of one face. One that takes a device's arrays has `on_device` and takes all
faces at once."""


@dataclass(frozen=True, slots=True)
class Morph:
    """`morph` on one implementation."""

    implementation: Implementation

    def __call__(self, mean: Any, basis: Any, weights: Any, out: Any) -> None:
        """Fill `out` [V, 3] from `mean` [V, 3], `basis` [K, V, 3] and `weights` [K]: float32, contiguous.

        Or of B faces `out` [B, V, 3] from `weights` [B, K] and `mean` [B, V, 3], or [V, 3] that they share; on a device
        always so. `out` may be `mean` itself, which adds in place. Raises SettingsError for anything else.
        """
        device = getattr(self.implementation, "on_device", False)
        if device or len(weights.shape) > 1:
            self._many(mean, basis, weights, out, device)
            return
        count = len(weights)
        wanted = (("mean", mean, (len(out), 3)), ("basis", basis, (count, len(out), 3)),
                  ("weights", weights, (count,)), ("out", out, (len(out), 3)))  # fmt: skip
        for name, array, shape in wanted:
            if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
                raise SettingsError(
                    f"{name} is {array.dtype} {list(array.shape)}; it must be contiguous float32 {list(shape)}"
                )
        self.implementation(mean, basis, weights, out)

    def _many(self, mean: Any, basis: Any, weights: Any, out: Any, device: bool) -> None:
        """B faces."""
        batch, count = rank("weights", weights, 2)
        vertices = rank("out", out, 3)[1]
        shared = len(mean.shape) == 2
        for name, array, shape in (
            ("mean", mean, (vertices, 3) if shared else (batch, vertices, 3)),
            ("basis", basis, (count, vertices, 3)), ("weights", weights, (batch, count)),
            ("out", out, (batch, vertices, 3)),
        ):  # fmt: skip
            require(name, array, _FLOAT32, shape, device)
        if device:
            self.implementation(mean, basis, weights, out)
            return
        for one in range(batch):
            self.implementation(mean if shared else mean[one], basis, weights[one], out[one])

"""Vertices of a linear model: out = mean + sum over k of weights[k] * basis[k].

Given arrays it fills an array, in whatever unit the mean has (the tracker's is millimetres in head space), of one face
or of many that share the basis. It does not know what the vertices or the weights stand for, and limits neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.interop import rank, require, require_batch

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
        if device or np.ndim(weights) > 1:
            self._many(mean, basis, weights, out, device)
            return
        (count,), (vertices, _) = rank("weights", weights, 1), rank("out", out, 2)
        require("mean", mean, _FLOAT32, (vertices, 3))
        require("basis", basis, _FLOAT32, (count, vertices, 3))
        require("weights", weights, _FLOAT32, (count,))
        require("out", out, _FLOAT32, (vertices, 3), filled=True)
        self.implementation(mean, basis, weights, out)

    def _many(self, mean: Any, basis: Any, weights: Any, out: Any, device: bool) -> None:
        """B faces."""
        batch, count = rank("weights", weights, 2)
        require_batch(batch, device)
        vertices = rank("out", out, 3)[1]
        shared = len(getattr(mean, "shape", ())) == 2
        for name, array, shape in (
            ("mean", mean, (vertices, 3) if shared else (batch, vertices, 3)),
            ("basis", basis, (count, vertices, 3)), ("weights", weights, (batch, count)),
        ):  # fmt: skip
            require(name, array, _FLOAT32, shape, device)
        require("out", out, _FLOAT32, (batch, vertices, 3), device, filled=True)
        if device:
            self.implementation(mean, basis, weights, out)
            return
        for one in range(batch):
            self.implementation(mean if shared else mean[one], basis, weights[one], out[one])

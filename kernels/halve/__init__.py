"""A planar picture at half its size, as bytes in the order of pixels: what the rasterizing kernels are shown.

Given a float32 [C, 2H, 2W] picture of 0..255 it fills uint8 [H, W, C] with the means of two by two, rounded half up
and clipped. It does not know what is in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.kernels.interop import rank, require

_FLOAT32, _UINT8 = np.dtype(np.float32), np.dtype(np.uint8)

Implementation = Callable[[np.ndarray, np.ndarray], None]
"""Takes picture and out, checked."""


@dataclass(frozen=True, slots=True)
class Halve:
    """`halve` on one implementation."""

    implementation: Implementation

    def __call__(self, picture: np.ndarray, out: np.ndarray) -> None:
        """Fill `out` uint8 [H, W, C] from `picture` float32 [C, 2H, 2W], contiguous. Raises SettingsError."""
        high, wide, channels = rank("out", out, 3)
        require("picture", picture, _FLOAT32, (channels, 2 * high, 2 * wide))
        require("out", out, _UINT8, (high, wide, channels))
        self.implementation(picture, out)

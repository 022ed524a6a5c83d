"""A planar picture at half its size, as bytes in the order of pixels: what the rasterizing kernels are shown.

Given a float32 [C, 2H, 2W] picture of 0..255 it fills uint8 [H, W, C] with the means of two by two, rounded half up
and clipped; or so for many. It does not know what is in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.interop import rank, require, require_batch

_FLOAT32, _UINT8 = np.dtype(np.float32), np.dtype(np.uint8)

Implementation = Callable[[Any, Any], None]
"""Takes picture and out, checked. One that takes a device's arrays has `on_device` and takes all pictures at once."""


@dataclass(frozen=True, slots=True)
class Halve:
    """`halve` on one implementation."""

    implementation: Implementation

    def __call__(self, picture: Any, out: Any) -> None:
        """Fill `out` uint8 [H, W, C] from `picture` float32 [C, 2H, 2W], contiguous; or of B pictures, on a device
        always, [B, H, W, C] from [B, C, 2H, 2W]. Raises SettingsError.
        """
        device = getattr(self.implementation, "on_device", False)
        many = device or len(getattr(out, "shape", ())) > 3
        *faces, high, wide, channels = rank("out", out, 4 if many else 3)
        require_batch(faces[0] if faces else 1, device)
        require("picture", picture, _FLOAT32, (*faces, channels, 2 * high, 2 * wide), device)
        require("out", out, _UINT8, (*faces, high, wide, channels), device, filled=True)
        if device or not many:
            self.implementation(picture, out)
            return
        for one in range(len(out)):
            self.implementation(picture[one], out[one])

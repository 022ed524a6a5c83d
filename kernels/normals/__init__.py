"""Unit normals at the vertices of a mesh: the sum of the triangles' cross products, so that large ones count more.

Given vertices, in any space whose axes are alike, and triangles it fills a normal per vertex. It points where a
triangle's corners turn counterclockwise by the right hand: out of a face in head space, and out of it in the picture's
axes (x right, y down, z away) as well, since head space has those. A vertex without a triangle, or only with ones
without area, gets a zero. It does not know what is shaded with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require, require_batch

_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)

Implementation = Callable[[Any, Any, Any], int]
"""Takes vertices, triangles, out, checked; returns how many triangles name no vertex, which count for nothing. One that
takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class Normals:
    """`normals` on one implementation."""

    implementation: Implementation

    def __call__(self, vertices: Any, triangles: Any, out: Any) -> None:
        """Fill `out` float32 [B, V, 3] from `vertices` float32 [B, V, 3] and `triangles` int32 [T, 3], contiguous.

        Raises SettingsError for anything else, and for triangles that name no vertex; the others are done then. On a
        device, triangles are looked at when they come for the first time, before a CUDA graph is captured, and must not
        change afterwards.
        """
        device = getattr(self.implementation, "on_device", False)
        batch, count, _ = rank("vertices", vertices, 3)
        faces, _ = rank("triangles", triangles, 2)
        require_batch(batch, device)
        require("vertices", vertices, _FLOAT32, (batch, count, 3), device)
        require("triangles", triangles, _INT32, (faces, 3), device)
        require("out", out, _FLOAT32, (batch, count, 3), device, filled=True)
        wrong = self.implementation(vertices, triangles, out)
        if wrong:
            raise SettingsError(f"{wrong} triangles name no vertex; there are 0 to {count - 1}")

"""Scaled orthography: vertices turned, scaled and moved into the picture.

out xy = center + scale * (R v)_xy, out z = depth + scale * (R v)_z: pixels in all three, z relative to the origin of
the vertices' space unless a depth is given for that, smaller is nearer. Of one face or of many. It does not know
cameras or what the vertices are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require, require_batch, require_numbers

_FLOAT32 = np.dtype(np.float32)

Implementation = Callable[..., None]
"""Takes vertices, rotation float64 [3, 3], scale, center float64 [3], out, checked, of one face. One that takes a
device's arrays has `on_device` and takes all faces at once, everything in float32."""


@dataclass(frozen=True, slots=True)
class Project:
    """`project` on one implementation."""

    implementation: Implementation
    _rotation: np.ndarray = field(default_factory=lambda: np.empty((3, 3)), repr=False)
    _center: np.ndarray = field(default_factory=lambda: np.zeros(3), repr=False)

    def __call__(
        self, vertices_head_mm: Any, rotation: Any, scale_px_per_mm: Any, center_px: Any, out: Any
    ) -> None:  # fmt: skip
        """Fill `out` [V, 3] from `vertices_head_mm` [V, 3], both float32 and contiguous, and not the same array.

        `rotation` [3, 3] and `center_px` [2] of any float type; a third number of the center is the depth of the
        origin, as `rasterize` wants it above 0. Or of B faces, on a device always, and all of it float32: vertices and
        `out` [B, V, 3], rotation [B, 3, 3], scale [B], center [B, 2] or [B, 3]. Raises SettingsError for anything else.
        """
        device = getattr(self.implementation, "on_device", False)
        if device or len(getattr(vertices_head_mm, "shape", ())) > 2:
            self._many(vertices_head_mm, rotation, scale_px_per_mm, center_px, out, device)
            return
        vertices, _ = rank("out", out, 2)
        require("vertices_head_mm", vertices_head_mm, _FLOAT32, (vertices, 3))
        require("out", out, _FLOAT32, (vertices, 3), filled=True)
        turned, place = np.shape(rotation), np.shape(center_px)
        if turned != (3, 3) or place not in ((2,), (3,)):
            raise SettingsError(
                f"rotation {list(turned)}, center {list(place)}; they must be [3, 3] and [2], or [3] with a depth"
            )
        try:
            self._rotation[:] = rotation
            self._center[2] = 0
            self._center[: place[0]] = center_px
            scale = float(scale_px_per_mm)
        except (TypeError, ValueError):
            require_numbers(scale_px_per_mm=scale_px_per_mm)
            raise
        self.implementation(vertices_head_mm, self._rotation, scale, self._center, out)

    def _many(self, vertices: Any, rotation: Any, scale: Any, center: Any, out: Any, device: bool) -> None:
        """B faces."""
        batch, count, _ = rank("vertices_head_mm", vertices, 3)
        require_batch(batch, device)
        given = rank("center_px", center, 2)[1]
        for name, array, shape in (
            ("vertices_head_mm", vertices, (batch, count, 3)), ("rotation", rotation, (batch, 3, 3)),
            ("scale_px_per_mm", scale, (batch,)), ("center_px", center, (batch, 3 if given == 3 else 2)),
        ):  # fmt: skip
            require(name, array, _FLOAT32, shape, device)
        require("out", out, _FLOAT32, (batch, count, 3), device, filled=True)
        if device:
            self.implementation(vertices, rotation, scale, center, out)
            return
        for one in range(batch):
            self(vertices[one], rotation[one], scale[one], center[one], out[one])

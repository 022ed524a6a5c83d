"""Scaled orthography: vertices turned, scaled and moved into the picture.

out xy = center + scale * (R v)_xy, out z = scale * (R v)_z: pixels in all three, z relative to the origin of the
vertices' space, smaller is nearer. It does not know cameras or what the vertices are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tracker.errors import SettingsError

Implementation = Callable[[np.ndarray, np.ndarray, float, np.ndarray, np.ndarray], None]
"""Takes vertices, rotation float64 [3, 3], scale, center float64 [2], out, checked."""


@dataclass(frozen=True, slots=True)
class Project:
    """`project` on one implementation."""

    implementation: Implementation
    _rotation: np.ndarray = field(default_factory=lambda: np.empty((3, 3)), repr=False)
    _center: np.ndarray = field(default_factory=lambda: np.empty(2), repr=False)

    def __call__(
        self, vertices_head_mm: np.ndarray, rotation: np.ndarray, scale_px_per_mm: float, center_px: np.ndarray,
        out: np.ndarray,
    ) -> None:  # fmt: skip
        """Fill `out` [V, 3] from `vertices_head_mm` [V, 3], both float32 and contiguous, and not the same array.

        `rotation` [3, 3] and `center_px` [2] of any float type. Raises SettingsError for anything else.
        """
        for name, array in (("vertices_head_mm", vertices_head_mm), ("out", out)):
            if array.shape != (len(out), 3) or array.dtype != np.float32 or not array.flags.c_contiguous:
                raise SettingsError(
                    f"{name} is {array.dtype} {list(array.shape)}; it must be contiguous float32 [{len(out)}, 3]"
                )
        if rotation.shape != (3, 3) or len(center_px) != 2:
            raise SettingsError(f"rotation {list(rotation.shape)}, center {len(center_px)}; they must be [3, 3] and 2")
        self._rotation[:] = rotation
        self._center[:] = center_px
        self.implementation(vertices_head_mm, self._rotation, float(scale_px_per_mm), self._center, out)

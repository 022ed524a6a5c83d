"""Which triangle every pixel shows, how far away it is, and where in the triangle: rasterization, the same to the bit
on every backend.

Given vertices in pixels and triangles it fills an image of triangle numbers and one of depths. The rules, for every
implementation:

- x goes right, y down; the centre of column j, row i is (j + 0.5, i + 0.5). z > 0 is depth, nearer is smaller, and
  linear in the image: give z itself under (scaled) orthography, something affine in -1/z under perspective.
- Corners are snapped to 1/16 px, floor(16 x + 0.5) in float32, and coverage is decided by integer edge functions of
  the snapped corners. A pixel centre on an edge belongs to the triangle whose top or left edge that is, so triangles
  that share an edge own every pixel exactly once, whatever their shape.
- A triangle is a front when its corners turn counterclockwise as seen (its normal by the right hand points at the
  camera). Backs are left out unless asked for; triangles without area after snapping always are.
- Depth is float32 and every operation rounds once (no fused multiply-add): with the corners ordered so that the area
  is positive, w = edge / area, z = z0 + (w1 (z1 - z0) + w2 (z2 - z0)), at least the nearest corner's. The nearest
  triangle owns the pixel; of equally near ones the smaller number. So neither the order of the work nor the backend
  shows in the result.
- Barycentrics come from the corners as given, not snapped, so that they move smoothly with them. At a pixel which the
  snapped triangle covers and the given one does not they are clipped to 0..1; they sum to one always.
- A triangle with a corner that is not finite, or not at 0 < z < `FARTHEST`, is not drawn. Coordinates have to stay
  within `guard_px` of the picture, because edge functions are 32-bit integers.

An operator owns its scratch memory, so it serves one thread. It does not know what the triangles stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import MISFIT, wants_checked
from tracker.kernels.interop import rank, require

SUBPIXELS = 16
LARGEST_SIDE_PX = 1024
LARGEST_BATCH = 4096
MOST_TRIANGLES = 1 << 24
FARTHEST = 1e30
"""Depths are below this, so that no sum of them overflows."""
EXTENT_PX = 2048
"""Of the picture with its guard band: 2^15 sixteenths of a pixel, whose products fit 32 bits."""

_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)

Implementation = Callable[..., int]
"""Takes what the operator takes (`barycentrics` None or an array); returns how many triangles it refused.

One that takes a device's arrays has `on_device`, counts them in `refused` there and returns 0. Arrays are checked, but
for one that `sees_misfits`.
"""


def guard_px(high: int, wide: int) -> float:
    """How far outside a picture a corner may lie: 768 px at 512 x 512."""
    return (EXTENT_PX - max(high, wide)) / 2


@dataclass(frozen=True, slots=True)
class Rasterize:
    """`rasterize` on one implementation."""

    implementation: Implementation

    def __call__(
        self, vertices_px: Any, triangles: Any, ids: Any, depth: Any, barycentrics: Any = None, keep_back: bool = False
    ) -> None:
        """Fill `ids` int32 [B, H, W], -1 where nothing is, and `depth` float32 [B, H, W], infinite there.

        `vertices_px` is float32 [B, V, 3] (x, y, depth), `triangles` int32 [T, 3], `barycentrics` float32
        [B, H, W, 3] (0 where nothing is) or None; all contiguous. Raises SettingsError for anything else, and for
        triangles that name no vertex or reach beyond the guard band: these are not drawn. On a device they are only
        counted; `check` looks.
        """
        arrays = vertices_px, triangles, ids, depth, barycentrics
        if barycentrics is not None or wants_checked(self.implementation):
            self._require(*arrays)
        try:
            refused = self.implementation(*arrays, bool(keep_back))
        except (TypeError, AttributeError, IndexError):
            self._require(*arrays)
            raise
        if refused == MISFIT:
            self._require(*arrays)
            raise AssertionError("shapes do not fit, and nobody says which")
        if refused:
            _, high, wide = ids.shape
            raise _refusal(refused, high, wide, vertices_px.shape[1])

    def _require(self, vertices_px: Any, triangles: Any, ids: Any, depth: Any, barycentrics: Any) -> None:
        device = getattr(self.implementation, "on_device", False)
        batch, count, _ = rank("vertices_px", vertices_px, 3)
        faces, _ = rank("triangles", triangles, 2)
        _, high, wide = rank("ids", ids, 3)
        require("vertices_px", vertices_px, _FLOAT32, (batch, count, 3), device)
        require("triangles", triangles, _INT32, (faces, 3), device)
        require("ids", ids, _INT32, (batch, high, wide), device, filled=True)
        require("depth", depth, _FLOAT32, (batch, high, wide), device, filled=True)
        if barycentrics is not None:
            require("barycentrics", barycentrics, _FLOAT32, (batch, high, wide, 3), device, filled=True)
        if not (1 <= batch <= LARGEST_BATCH and 1 <= high <= LARGEST_SIDE_PX and 1 <= wide <= LARGEST_SIDE_PX):
            raise SettingsError(
                f"{batch} pictures of {wide} x {high} px; possible: 1 to {LARGEST_BATCH} of 1 to {LARGEST_SIDE_PX} px"
            )
        if faces > MOST_TRIANGLES:
            raise SettingsError(f"{faces} triangles; at most {MOST_TRIANGLES} are possible")

    def check(self) -> None:
        """Raise what the calls on a device since the last check could not: SettingsError. Waits for the device."""
        take = getattr(self.implementation, "take_refused", None)
        if take is not None and (refused := take()):
            raise SettingsError(
                f"{refused} triangles named no vertex or reached beyond the guard band and were not drawn"
            )


def _refusal(refused: int, high: int, wide: int, count: int) -> SettingsError:
    guard = guard_px(high, wide)
    return SettingsError(
        f"{refused} triangles with a corner that is not one of {count} vertices or outside x {-guard:g} to "
        f"{wide + guard:g}, y {-guard:g} to {high + guard:g} px were not drawn; look at a crop nearer to the mesh"
    )

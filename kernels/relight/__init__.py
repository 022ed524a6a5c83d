"""The light on a mesh in a photograph, seen at its vertices: nine spherical-harmonics coefficients per colour channel.

Given a surface, the depths it was rasterized to and the photograph it evaluates, for every implementation:

- what each vertex shows: the photograph's pixel at floor(x), floor(y), in shares of white;
- how much it counts: max(0, -n_z - `LEAST_FACING`), nothing outside of the picture, behind the rasterized surface (by
  more than `slack`) or with an albedo below `DARKEST`; times 1 / (1 + r^2 / softness^2)^2 after Geman and McClure, with
  r^2 the squared distance between what is seen and what the surface's own lighting would make of its albedo;
- the lighting that minimises sum_v u_v a_v^2 sum_c (seen_vc / albedo_vc - sum_k Y_k(n_v) lighting_kc)^2 plus
  sum_k ridge_k lighting_kc^2, with a the mean of the three albedos and Y, in the order and with the constants of
  `tracker.kernels.shade`. One matrix serves all channels.

With an infinite softness the surface's lighting does not matter; otherwise what it does not explain (a hand, hair,
a highlight) is left out of the new one. Without any vertex that counts the lighting is zero. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require, require_kind, require_numbers
from tracker.kernels.shade import Surface

LEAST_FACING = 0.15
DARKEST = 0.02
RIDGE = (0.02, 0.24, 0.24, 0.24, 0.8, 0.8, 0.8, 0.8, 0.8)
"""Per function: what bends fast has to be seen clearly."""

_FLOAT32, _UINT8 = np.dtype(np.float32), np.dtype(np.uint8)

Implementation = Callable[..., None]
"""Takes what the operator takes, checked, with 1 / softness^2 for the softness. One that takes a device's arrays has
`on_device`."""


@dataclass(frozen=True, slots=True)
class Relit:
    """What is filled in, checked once."""

    lighting: Any
    """float32 [B, 9, 3]; may be the surface's own."""
    seen: Any
    """float32 [B, V, 3]: the photograph at the vertices, 0 outside of it."""
    weight: Any
    """float32 [B, V]: how much each vertex counted, u above."""

    def __post_init__(self) -> None:
        batch, count, _ = rank("seen", self.seen, 3)
        device = self.on_device
        require("lighting", self.lighting, _FLOAT32, (batch, 9, 3), device, filled=True)
        require("seen", self.seen, _FLOAT32, (batch, count, 3), device, filled=True)
        require("weight", self.weight, _FLOAT32, (batch, count), device, filled=True)

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie on a device."""
        return not isinstance(self.seen, np.ndarray)


@dataclass(frozen=True, slots=True)
class Relight:
    """`relight` on one implementation."""

    implementation: Implementation

    def __call__(self, surface: Surface, depth: Any, target: Any, slack: float, softness: float, out: Relit) -> None:
        """Fill `out` from `depth` float32 [B, H, W], as rasterized, and the photograph `target` uint8 [B, H, W, 3].

        `slack` is in units of depth, `softness` a distance of colours in shares of white, above 0, infinite for plain
        least squares. Raises SettingsError for anything else.
        """
        require_kind("surface", surface, Surface)
        require_kind("out", out, Relit)
        require_numbers(slack=slack, softness=softness)
        device = getattr(self.implementation, "on_device", False)
        batch, high, wide = rank("depth", depth, 3)
        require("depth", depth, _FLOAT32, (batch, high, wide), device)
        require("target", target, _UINT8, (batch, high, wide, 3), device)
        places = surface.on_device == out.on_device == device
        if not places or surface.vertices_px.shape != out.seen.shape or out.seen.shape[0] != batch:
            raise SettingsError(
                f"{surface!r}, {batch} pictures, colours {list(out.seen.shape)}; they must be of one batch and one "
                f"mesh, on the backend's {'device' if device else 'machine'}"
            )
        if not softness > 1e-6 or not slack >= 0:
            raise SettingsError(f"softness {softness}, slack {slack}; give a softness above 0 and a slack from 0")
        self.implementation(surface, depth, target, float(slack), 1.0 / softness**2, out)

"""Which way corners, albedo, normals and lighting should move: the gradient of `shade`'s error, silhouettes included.

Given the error's sum over all pictures E = sum over pixels of w rho, with a weight w per picture and region, it fills
dE by what `shade` was given. Two parts, the same for every implementation:

- Inside, the chain rule: rho by the pixel's colour, that by the barycentrics and the corners' colours, those by the
  corners' places and by albedo, light and normal. Where barycentrics were clipped, so is their derivative.
- At a silhouette the picture jumps, and moving the edge moves the jump. Where a surface is seen in a pixel and ends
  before the next one, dE = (w rho here - w rho there) times how far the edge moves along the line through both (nothing
  there: 0). An edge steeper than 45 degrees is looked at along rows, any other along columns, so that each is counted
  once (Reynolds' transport theorem, summed at pixels; compare the pairs of DRTK, Pidhorskyi et al. 2024). The edge is
  found by walking from the triangle that is seen over its neighbours, at most `MOST_STEPS` of them, since at an outline
  triangles are narrow and many own no pixel. It is a silhouette where no triangle lies behind it, or one that faces the
  other way.

What lies within a pixel of a tip may be missed, and where a line meets a corner to within rounding, backends may choose
different edges: rare unless triangles are smaller than pixels. Depth has no gradient. The same bits on every run of
one backend. It does not know faces or cameras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.interop import rank, require, require_kind, require_numbers
from tracker.kernels.shade import MOST_REGIONS, Surface

MOST_STEPS = 8
"""From a pixel to the silhouette before the next one, in triangles."""

_FLOAT32, _INT32, _UINT8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.uint8)

Implementation = Callable[..., None]
"""Takes what the operator takes, checked. One that takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """What is filled in: dE by each part of a surface, checked once."""

    places: Any
    """float32 [B, V, 2]: by x and y of `vertices_px`."""
    normals: Any
    """float32 [B, V, 3]: as if a normal's three numbers were free."""
    albedo: Any
    """float32 [B, V, 3]."""
    lighting: Any
    """float32 [B, 9, 3]."""

    def __post_init__(self) -> None:
        batch, count, _ = rank("places", self.places, 3)
        device = self.on_device
        require("places", self.places, _FLOAT32, (batch, count, 2), device, filled=True)
        require("normals", self.normals, _FLOAT32, (batch, count, 3), device, filled=True)
        require("albedo", self.albedo, _FLOAT32, (batch, count, 3), device, filled=True)
        require("lighting", self.lighting, _FLOAT32, (batch, 9, 3), device, filled=True)

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie on a device."""
        return not isinstance(self.places, np.ndarray)


@dataclass(frozen=True, slots=True)
class ShadeGradient:
    """`shade_gradient` on one implementation."""

    implementation: Implementation

    def __call__(
        self, surface: Surface, neighbours: Any, ids: Any, target: Any, softness: float, weights: Any, out: Gradient
    ) -> None:
        """Fill `out` for `ids` and `target` as `shade` took them, and `weights` float32 [B, R].

        `neighbours` int32 [T, 3] are the triangles behind the edges opposite each corner (see `neighbours_of`). On a
        device, triangles are looked at when they come for the first time, before a CUDA graph is captured, and must not
        change afterwards; a neighbour that is no triangle counts as none, a triangle that names no vertex as not there.
        Raises SettingsError for anything else.
        """
        require_kind("surface", surface, Surface)
        require_kind("out", out, Gradient)
        require_numbers(softness=softness)
        device = getattr(self.implementation, "on_device", False)
        shape, faces = rank("ids", ids, 3), surface.triangles.shape[0]
        _, regions = rank("weights", weights, 2)
        require("vertices_px", surface.vertices_px, _FLOAT32, (shape[0], *surface.vertices_px.shape[1:]), device)
        require("neighbours", neighbours, _INT32, (faces, 3), device)
        require("ids", ids, _INT32, shape, device)
        require("target", target, _UINT8, (*shape, 3), device)
        require("weights", weights, _FLOAT32, (shape[0], regions), device)
        require("places", out.places, _FLOAT32, (*surface.vertices_px.shape[:2], 2), device)
        if not 1 <= regions <= MOST_REGIONS:
            raise SettingsError(f"{regions} regions; 1 to {MOST_REGIONS} are possible")
        # A device's neighbours are looked at where they are used, since looking here would wait for the device.
        if not device and faces and not neighbours.max() < faces:
            raise SettingsError(f"a triangle's neighbour is {neighbours.max()}; there are 0 to {faces - 1}")
        if not 0 < softness < 1e3:
            raise SettingsError(f"softness {softness}; give a distance of colours above 0, such as 0.1")
        self.implementation(surface, neighbours, ids, target, float(softness), weights, out)


def neighbours_of(triangles: np.ndarray) -> np.ndarray:
    """int32 [T, 3]: the triangle that shares the edge opposite each corner; -1 where none does, or more than one."""
    edges = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    _, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    edge = edge.reshape(-1)
    order = np.argsort(edge, kind="stable")
    first = order[np.searchsorted(edge[order], np.arange(len(count)))]
    sides = np.full((len(count), 2), -1)
    sides[:, 0] = first
    pairs = np.flatnonzero(count == 2)
    sides[pairs, 1] = order[np.searchsorted(edge[order], pairs) + 1]
    mine = np.arange(len(edge))
    other = np.where(sides[edge, 0] == mine, sides[edge, 1], sides[edge, 0])
    found: np.ndarray = np.where(count[edge] == 2, other // 3, -1).reshape(-1, 3).astype(np.int32)
    return found

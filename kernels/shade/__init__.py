"""How a rasterized mesh looks under a light, and how far a photograph is from that, per region of the mesh.

Given a surface and which triangle each pixel shows, it fills three things, the same for every implementation:

- Colours at the vertices: albedo times the light that the normal sees, light = sum_k lighting_k Y_k(normal), with the
  nine real spherical harmonics to order 2 in the order 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 and their usual
  constants (Ramamoorthi and Hanrahan 2001), axes as the normals'. They are evaluated here and not at every pixel, a
  tenth of the work: light of order 2 hardly bends across a triangle of a face. Not clipped: linear in the lighting.
- A pixel's colour: the corners', weighed with the barycentrics of its centre in the triangle as given (see
  `tracker.kernels.rasterize`: not snapped, clipped to the triangle, linear in the image).
- Its error against the photograph, robust after Geman and McClure: with r^2 the squared distance of the two colours,
  rho = r^2 / (r^2 + softness^2), from 0 (the same) to 1 (something else is there), so that a hand before the face
  counts as so many pixels and not as so much brightness. Summed per region, beside the number of pixels summed.

Colours are shares of full white: 1 is 255 in the photograph. Sums are in another order on every backend, so they
agree to a tolerance; on one backend they are the same on every run. It does not know faces or cameras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import MISFIT, wants_checked
from tracker.kernels.interop import rank, require, require_batch, require_kind, require_numbers

HARMONICS = (0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274)
"""Constants of the nine functions."""
MOST_REGIONS = 64
WIDEST = 1e3
"""Softness is below this."""

_FLOAT32, _INT32, _UINT8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.uint8)

Implementation = Callable[..., int | None]
"""Takes what the operator takes, checked, but for one that `sees_misfits`. One that takes a device's arrays has
`on_device`."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A mesh that is looked at: arrays that lie side by side, checked once. The arrays may change, but their shapes and
    the triangles may not."""

    vertices_px: Any
    """float32 [B, V, 3]: as rasterized."""
    triangles: Any
    """int32 [T, 3]."""
    normals: Any
    """float32 [B, V, 3], unit."""
    albedo: Any
    """float32 [B, V, 3]: share of the light that each colour channel reflects."""
    lighting: Any
    """float32 [B, 9, 3]: coefficients per colour channel."""
    regions: Any
    """int32 [T]: the region each triangle counts for; negative for none."""

    def __post_init__(self) -> None:
        batch, count, _ = rank("vertices_px", self.vertices_px, 3)
        faces, _ = rank("triangles", self.triangles, 2)
        device = self.on_device
        require_batch(batch, device)
        for name, array, dtype, shape in (
            ("vertices_px", self.vertices_px, _FLOAT32, (batch, count, 3)),
            ("triangles", self.triangles, _INT32, (faces, 3)),
            ("normals", self.normals, _FLOAT32, (batch, count, 3)),
            ("albedo", self.albedo, _FLOAT32, (batch, count, 3)),
            ("lighting", self.lighting, _FLOAT32, (batch, 9, 3)),
            ("regions", self.regions, _INT32, (faces,)),
        ):  # fmt: skip
            require(name, array, dtype, shape, device)
        # A device's triangles are looked at where they are used, since looking here would wait for the device.
        if not device and faces and not 0 <= self.triangles.min() <= self.triangles.max() < count:
            worst = self.triangles[(self.triangles < 0) | (self.triangles >= count)][0]
            raise SettingsError(f"a triangle names vertex {worst}; there are 0 to {count - 1}")

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie on a device."""
        return not isinstance(self.vertices_px, np.ndarray)

    def __repr__(self) -> str:
        batch, count, _ = self.vertices_px.shape
        return f"Surface(batch={batch}, vertices={count}, triangles={self.triangles.shape[0]})"


@dataclass(frozen=True, slots=True)
class Shaded:
    """What is filled in, checked once."""

    colours: Any
    """float32 [B, V, 3]: at the vertices."""
    error: Any
    """float32 [B, R]: per region the sum of rho, 0 to `pixels`."""
    pixels: Any
    """int32 [B, R]: per region how many pixels show it."""
    image: Any = None
    """float32 [B, H, W, 3] or None: the rendered picture, 0 where nothing is."""

    def __post_init__(self) -> None:
        batch, count, _ = rank("colours", self.colours, 3)
        _, regions = rank("error", self.error, 2)
        device = self.on_device
        require("colours", self.colours, _FLOAT32, (batch, count, 3), device, filled=True)
        require("error", self.error, _FLOAT32, (batch, regions), device, filled=True)
        require("pixels", self.pixels, _INT32, (batch, regions), device, filled=True)
        if not 1 <= regions <= MOST_REGIONS:
            raise SettingsError(f"{regions} regions; 1 to {MOST_REGIONS} are possible")
        if self.image is not None:
            _, high, wide, _ = rank("image", self.image, 4)
            require("image", self.image, _FLOAT32, (batch, high, wide, 3), device, filled=True)

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie on a device."""
        return not isinstance(self.colours, np.ndarray)


@dataclass(frozen=True, slots=True)
class Shade:
    """`shade` on one implementation."""

    implementation: Implementation

    def __call__(self, surface: Surface, ids: Any, target: Any, softness: float, out: Shaded) -> None:
        """Fill `out` from `ids` int32 [B, H, W], as rasterized, and the photograph `target` uint8 [B, H, W, 3].

        `softness` is the distance of colours, in shares of white, at which a pixel counts half. A number in `ids`
        that is no triangle, and a region that `out` has no place for, are not counted. Raises SettingsError for
        anything else.
        """
        require_kind("surface", surface, Surface)
        require_kind("out", out, Shaded)
        arrays = surface, ids, target, softness, out
        if out.image is not None or wants_checked(self.implementation):
            self._require(*arrays)
        try:
            misfit = not 0 < softness < WIDEST or self.implementation(*arrays) == MISFIT
        except (TypeError, ValueError):
            self._require(*arrays)
            raise
        if misfit:
            self._require(*arrays)
            raise AssertionError("shapes do not fit, and nobody says which")

    def _require(self, surface: Surface, ids: Any, target: Any, softness: float, out: Shaded) -> None:
        require_numbers(softness=softness)
        device = getattr(self.implementation, "on_device", False)
        shape = rank("ids", ids, 3)
        require("ids", ids, _INT32, shape, device)
        require("target", target, _UINT8, (*shape, 3), device)
        mesh = surface.vertices_px.shape
        places = surface.on_device == out.on_device == device
        if not places or mesh[0] != shape[0] or out.colours.shape != mesh:
            raise SettingsError(
                f"{surface!r} and colours {list(out.colours.shape)} for {shape[0]} pictures; they must be of one batch "
                f"and one mesh, on the backend's {'device' if device else 'machine'}"
            )
        if out.image is not None:
            require("image", out.image, _FLOAT32, (*shape, 3), device)
        if not 0 < softness < WIDEST:
            raise SettingsError(f"softness {softness}; give a distance of colours above 0, such as 0.1")

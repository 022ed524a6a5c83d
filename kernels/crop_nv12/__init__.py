"""Crops of many faces straight from one picture as hardware decoders leave it: NV12, on the CPU or on a CUDA device.

Given the two planes and one affine map per face it fills square crops, as bytes to look at and, where asked, as the
half-precision tensor a network takes. What a crop shows is `tracker.kernels.crop_roi`'s contract for 8-bit NV12: blocks
averaged by the map's scale, bilinear between them in luma and in chroma apart, black outside, RGB clipped to 0..255.
Here

- `rgb` is that, rounded to the nearest (ties to even);
- `tensor` is that times `scale` plus `shift`, per channel, rounded to half precision once at the end.

Planes may have padded rows, no other strides. On a device a map that is not finite gives black, since looking at it
would wait for the device; on the CPU it is refused. One picture a call: faces of several pictures take a call each.
It does not know what is in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.crop_roi.colour import LUMA_OF_RED_BLUE, Colour, yuv_colour
from tracker.kernels.cuda import on_device, require, strides_of
from tracker.kernels.interop import require_kind, require_numbers

LARGEST_BATCH = 4096
LARGEST_SIDE_PX = 1024

_UINT8, _FLOAT16, _FLOAT64 = np.dtype(np.uint8), np.dtype(np.float16), np.dtype(np.float64)


@dataclass(frozen=True, slots=True)
class Nv12:
    """One decoded picture, checked once. Its samples may change, not its shape."""

    luma: Any
    """uint8 [H, W], samples of a row side by side, rows any distance apart."""
    chroma: Any
    """uint8 [ceil(H / 2), ceil(W / 2), 2]: U and V interleaved."""
    matrix: str = "bt709"
    """bt601, bt709 or bt2020."""
    full_range: bool = False

    def __post_init__(self) -> None:
        shape = tuple(getattr(self.luma, "shape", ()))
        if len(shape) != 2 or 0 in shape:
            raise SettingsError(f"luma of shape {list(shape)}; it must be [H, W]")
        half = (-(-shape[0] // 2), -(-shape[1] // 2), 2)
        _check_plane("luma", self.luma, shape, (1,))
        _check_plane("chroma", self.chroma, half, (2, 1))
        if on_device(self.luma) != on_device(self.chroma):
            raise SettingsError("luma and chroma lie in different places; decode both to one device")
        if self.matrix not in LUMA_OF_RED_BLUE:
            raise SettingsError(f"matrix {self.matrix!r}; valid: {', '.join(LUMA_OF_RED_BLUE)}")

    @property
    def colour(self) -> Colour:
        """Where black lies, and the mix that follows."""
        return yuv_colour(8, self.matrix, self.full_range)

    def __repr__(self) -> str:
        height, width = self.luma.shape
        return f"Nv12({width} x {height}, {self.matrix}, {'full' if self.full_range else 'limited'} range)"


def _check_plane(name: str, plane: Any, shape: tuple[int, ...], packed: tuple[int, ...]) -> None:
    """Raise SettingsError unless the plane is uint8 of `shape` with the inner strides `packed`."""
    if not (isinstance(plane, np.ndarray) or on_device(plane)):
        raise SettingsError(
            f"{name} is {type(plane).__name__}; give a numpy or CUDA array (cupy.from_dlpack adopts a decoder's plane)"
        )
    strides = strides_of(plane)
    # A stride along an axis of one element says nothing.
    inner = all(size == 1 or s == p for size, s, p in zip(shape[1:], strides[1:], packed, strict=False))
    if str(plane.dtype).removeprefix("torch.") != "uint8" or tuple(plane.shape) != shape or not inner or strides[0] < 0:
        raise SettingsError(
            f"{name} is {plane.dtype} {list(plane.shape)} in strides {list(strides)}; it must be uint8 {list(shape)} "
            "with the samples of a row side by side"
        )


@dataclass(frozen=True, slots=True)
class Crops:
    """What is filled in, checked once."""

    rgb: Any = None
    """uint8 [B, S, S, 3] or None."""
    tensor: Any = None
    """float16 [B, 3, S, S] or None."""
    scale: tuple[float, float, float] = (1 / 255, 1 / 255, 1 / 255)
    """Of R, G, B for `tensor`: by default 0..1."""
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.rgb is None and self.tensor is None:
            raise SettingsError("neither rgb nor tensor to fill; give one or both")
        batch, side = self.batch, self.side_px
        if not (1 <= batch <= LARGEST_BATCH and 1 <= side <= LARGEST_SIDE_PX):
            raise SettingsError(
                f"{batch} crops of {side} px; 1 to {LARGEST_BATCH} of 1 to {LARGEST_SIDE_PX} px are possible"
            )
        if self.rgb is not None:
            require("rgb", self.rgb, _UINT8, (batch, side, side, 3), self.on_device, filled=True)
        if self.tensor is not None:
            require("tensor", self.tensor, _FLOAT16, (batch, 3, side, side), self.on_device, filled=True)
        require_numbers(3, scale=self.scale, shift=self.shift)
        if not np.isfinite([*self.scale, *self.shift]).all():
            raise SettingsError(f"scale {self.scale}, shift {self.shift}; give three finite numbers each")

    @property
    def batch(self) -> int:
        """How many faces."""
        return self._shape()[0]

    @property
    def side_px(self) -> int:
        """Of the square crops."""
        return self._shape()[2]

    @property
    def on_device(self) -> bool:
        """Whether the crops lie on a CUDA device."""
        return on_device(self.tensor if self.rgb is None else self.rgb)

    def _shape(self) -> tuple[int, ...]:
        shape = tuple(getattr(self.tensor if self.rgb is None else self.rgb, "shape", ()))
        if len(shape) != 4:
            raise SettingsError(f"crops of shape {list(shape)}; rgb is [B, S, S, 3], tensor [B, 3, S, S]")
        return shape

    def __repr__(self) -> str:
        kinds = " and ".join(name for name in ("rgb", "tensor") if getattr(self, name) is not None)
        return f"Crops({self.batch} of {self.side_px} px, {kinds})"


Implementation = Callable[[Nv12, Any, Crops], None]
"""Takes the picture, `px_from_crop` and the crops, checked. One that takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class CropNv12:
    """`crop_nv12` on one implementation."""

    implementation: Implementation

    def __call__(self, picture: Nv12, px_from_crop: Any, crops: Crops) -> None:
        """Fill `crops` by `px_from_crop` float64 [B, 2, 3], which maps a crop's coordinates to the picture's, pixel
        centres at halves in both. Raises SettingsError for arrays that lie elsewhere than the backend works."""
        require_kind("picture", picture, Nv12)
        require_kind("crops", crops, Crops)
        device = getattr(self.implementation, "on_device", False)
        if not on_device(picture.luma) == crops.on_device == device:
            raise SettingsError(
                f"{picture!r} and {crops!r} elsewhere than the backend works: it takes "
                f"{'CUDA' if device else 'numpy'} arrays, all of them"
            )
        require("px_from_crop", px_from_crop, _FLOAT64, (crops.batch, 2, 3), device)
        if not device and not np.isfinite(px_from_crop).all():
            face = int(np.flatnonzero(~np.isfinite(px_from_crop).all((1, 2)))[0])
            raise SettingsError(f"px_from_crop of face {face} is not finite; drop this region")
        self.implementation(picture, px_from_crop, crops)

"""Crops straight from the decoder's planes: a rotated, scaled square as RGB, or any region as luma.

Given the planes of one picture and an affine map it fills a float array for a network. The filter, the same for every
implementation:

- `px_from_crop` float64 [2, 3] maps crop coordinates to picture coordinates, both with pixel centres at halves: the
  crop's column j, row i is asked for at (j + 0.5, i + 0.5), and the top-left sample of the picture lies at (0.5, 0.5).
- With s = sqrt(|det|), picture pixels per crop pixel, each plane is first averaged over blocks of k x k samples that
  start at its top-left corner, k = floor(s + 0.5), at least 1 and at most 64 (a hair is added to s, so
  that rounding error does not decide at halves); then sampled bilinearly between the
  blocks' centres. So shrinking does not alias, and enlarging is bilinear.
- Chroma of the 4:2:0 layouts is a plane of half the size whose samples lie in the middle of their 2 x 2 pixels
  (MPEG-1 siting; MPEG-2's, half a pixel to the left, is not told apart). It is reduced by its own k, of s / 2.
- Outside the picture is black: RGB 0, neutral chroma; a block that reaches over the edge is partly black.

Values are on the 8-bit scale, clipped to 0..255, not rounded. Planes may have any strides; those of a picture turned
by quarters or mirrored are as fast as plain ones. An operator owns its scratch memory, so it serves one thread.
It does not know what is in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.crop_roi.colour import (
    LUMA_OF_RED_BLUE,
    Colour,
    luma_colour,
    rgb_colour,
    rgb_luma_colour,
    yuv_colour,
)
from tracker.kernels.interop import rank, require

LARGEST_BLOCK = 64
CHANNELS = {"i420": (1, 1, 1), "nv12": (1, 2), "rgb24": (3,)}
_SAMPLES = {8: np.dtype(np.uint8), 10: np.dtype(np.uint16)}
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Implementation = Callable[[Sequence[np.ndarray], Colour, np.ndarray, np.ndarray], None]
"""Takes planes [h, w, channels] (one, or Y first), the colour, `px_from_crop` float64 [2, 3] and `out` [C, H, W]."""


@dataclass(frozen=True, slots=True)
class CropRoi:
    """`crop_roi` on one implementation."""

    implementation: Implementation

    def __call__(
        self, planes: Sequence[np.ndarray], layout: str, bit_depth: int, matrix: str, full_range: bool,
        px_from_crop: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        """Fill `out` float32 [3, H, W] with RGB.

        `planes` and `layout` are those of a frame: i420 Y, U, V; nv12 Y, UV [h, w, 2]; rgb24 one [H, W, 3]. 8-bit
        samples in uint8, 10-bit in the low bits of uint16. `matrix` (bt601, bt709, bt2020) and `full_range` matter
        for YUV only. Raises SettingsError for anything else.
        """
        channels = CHANNELS.get(layout)
        if channels is None:
            raise SettingsError(f"layout {layout!r}; valid: {', '.join(CHANNELS)}; reformat the frame to i420")
        if matrix not in LUMA_OF_RED_BLUE and layout != "rgb24":
            raise SettingsError(f"matrix {matrix!r}; valid: {', '.join(LUMA_OF_RED_BLUE)}")
        if not isinstance(planes, (tuple, list)) or len(planes) != len(channels):
            count = len(planes) if isinstance(planes, (tuple, list)) else type(planes).__name__
            raise SettingsError(f"{layout} with {count} planes; it has {len(channels)}, in a tuple")
        samples = [_plane(p, c, bit_depth) for p, c in zip(planes, channels, strict=True)]
        _check_chroma(samples)
        _check_map(px_from_crop)
        _, high, wide = rank("out", out, 3)
        _check_out(out, (3, high, wide))
        colour = rgb_colour(bit_depth) if layout == "rgb24" else yuv_colour(bit_depth, matrix, bool(full_range))
        self.implementation(samples, colour, px_from_crop, out)


@dataclass(frozen=True, slots=True)
class CropLuma:
    """`crop_luma` on one implementation."""

    implementation: Implementation

    def __call__(
        self, plane: np.ndarray, bit_depth: int, full_range: bool, px_from_crop: np.ndarray, out: np.ndarray
    ) -> None:
        """Fill `out` float32 [H, W] with luma stretched to full range.

        `plane` is Y [H, W]; or RGB [H, W, 3], weighed as BT.601 does, for which `full_range` is ignored. Raises
        SettingsError for anything else.
        """
        rgb = np.ndim(plane) == 3
        samples = [_plane(plane, 3 if rgb else 1, bit_depth)]
        _check_map(px_from_crop)
        _check_out(out, rank("out", out, 2))
        colour = rgb_luma_colour(bit_depth) if rgb else luma_colour(bit_depth, bool(full_range))
        self.implementation(samples, colour, px_from_crop, out[None])


def _plane(plane: np.ndarray, channels: int, bit_depth: int) -> np.ndarray:
    """The plane as [h, w, channels], a view."""
    wanted = _SAMPLES.get(bit_depth)
    if wanted is None:
        raise SettingsError(f"bit depth {bit_depth}; valid: 8 (uint8), 10 (uint16); reformat the frame first")
    if not isinstance(plane, np.ndarray) or plane.dtype != wanted or not plane.flags.aligned:
        found = f"{getattr(plane, 'dtype', type(plane).__name__)}"
        raise SettingsError(f"a {bit_depth}-bit plane of {found}; it must be {wanted}, aligned")
    if channels == 1 and plane.ndim == 2:
        return plane[:, :, None]
    if plane.ndim != 3 or plane.shape[2] != channels:
        shape = "[h, w]" if channels == 1 else f"[h, w, {channels}]"
        raise SettingsError(f"a plane of shape {list(plane.shape)}; it must be {shape}")
    return plane


def _check_chroma(samples: Sequence[np.ndarray]) -> None:
    """Half the size, rounded up: compiled code has room for no more."""
    high, wide, _ = samples[0].shape
    half = ((high + 1) // 2, (wide + 1) // 2)
    for chroma in samples[1:]:
        if chroma.shape[:2] != half:
            raise SettingsError(
                f"chroma of {list(chroma.shape[:2])} beside Y of {[high, wide]}; it must be {list(half)}"
            )


def _check_map(px_from_crop: np.ndarray) -> None:
    good = isinstance(px_from_crop, np.ndarray) and px_from_crop.shape == (2, 3) and px_from_crop.dtype == _FLOAT64
    if not good or not px_from_crop.flags.aligned:
        require("px_from_crop", px_from_crop, _FLOAT64, (2, 3))
    if not all(map(isfinite, px_from_crop.ravel().tolist())):
        raise SettingsError(f"px_from_crop {px_from_crop.tolist()} is not finite; drop this region")


def _check_out(out: np.ndarray, shape: tuple[int, ...]) -> None:
    if out.shape != shape or out.dtype != _FLOAT32 or not out.flags.carray or out.size == 0:
        require("out", out, _FLOAT32, shape, filled=True)
        raise SettingsError(f"out is {list(shape)}; give it a pixel or more")

"""From video samples to RGB on the 8-bit scale: where black lies, and the matrix that follows.

Given a bit depth, one of the matrices of ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance) and whether the
range is full, it returns numbers (ITU-T H.273, section 8). Both implementations of the crop use them. It does not
know pixels; transfer curves are left as they are: RGB here is the gamma-coded one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LUMA_OF_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@dataclass(frozen=True, slots=True, eq=False)
class Colour:
    """What is subtracted from samples and what the difference is multiplied by."""

    black: tuple[int, int]
    """The sample of black luma (or RGB), and of neutral chroma."""
    mix: np.ndarray
    """float32 [1 or 3, 3]: columns Y, U, V or R, G, B less black; rows luma or R, G, B on the 8-bit scale."""


def _frozen(rows: object) -> np.ndarray:
    mix = np.ascontiguousarray(rows, np.float32)
    mix.flags.writeable = False
    return mix


@lru_cache
def luma_colour(bit_depth: int, full_range: bool) -> Colour:
    """Luma alone, to full range."""
    unit = 1 << (bit_depth - 8)
    if full_range:
        return Colour((0, 0), _frozen([[255 / (256 * unit - 1), 0, 0]]))
    return Colour((16 * unit, 0), _frozen([[255 / (219 * unit), 0, 0]]))


@lru_cache
def yuv_colour(bit_depth: int, matrix: str, full_range: bool) -> Colour:
    """Y, U, V to R, G, B."""
    unit = 1 << (bit_depth - 8)
    red, blue = LUMA_OF_RED_BLUE[matrix]
    green = 1 - red - blue
    luma, chroma = (256 * unit - 1, 256 * unit - 1) if full_range else (219 * unit, 224 * unit)
    from_v = np.array([2 * (1 - red), -2 * red * (1 - red) / green, 0])
    from_u = np.array([0, -2 * blue * (1 - blue) / green, 2 * (1 - blue)])
    mix = np.stack([np.full(3, 255 / luma), from_u * 255 / chroma, from_v * 255 / chroma], 1)
    return Colour((0 if full_range else 16 * unit, 128 * unit), _frozen(mix))


@lru_cache
def rgb_colour(bit_depth: int) -> Colour:
    """R, G, B to the 8-bit scale."""
    return Colour((0, 0), _frozen(np.eye(3) * 255 / ((1 << bit_depth) - 1)))


@lru_cache
def rgb_luma_colour(bit_depth: int) -> Colour:
    """R, G, B to luma as BT.601 weighs it, the usual choice for still pictures."""
    red, blue = LUMA_OF_RED_BLUE["bt601"]
    return Colour((0, 0), _frozen(np.array([[red, 1 - red - blue, blue]]) * 255 / ((1 << bit_depth) - 1)))

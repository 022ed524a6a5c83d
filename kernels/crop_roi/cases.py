"""Named inputs for `crop_roi` and `crop_luma`, for tests and the bench.

Every case makes its own picture of smooth waves and noise from its name's seed, so that it is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

TOLERANCE = 0.03
"""In 8-bit levels: coordinates within a patch of 300 blocks are float32, up to 3e-5 off, times a slope of up to 255
levels, twice, and the colour matrix doubles it."""


def px_from_crop(center_px: tuple[float, float], side_px: float, crop_px: int, angle_rad: float = 0.0) -> np.ndarray:
    """The map float64 [2, 3] of a square of `side_px`, turned clockwise on screen, seen in `crop_px` pixels."""
    scale = side_px / crop_px
    cos, sin = np.cos(angle_rad) * scale, np.sin(angle_rad) * scale
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([turn, (np.array(center_px) - turn @ [crop_px / 2, crop_px / 2])[:, None]], 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One picture and one region of it."""

    name: str
    size_px: tuple[int, int] = (480, 270)
    """Width, height as seen."""
    center_px: tuple[float, float] = (240.3, 135.7)
    side_px: float = 150.0
    crop_px: int = 64
    angle_rad: float = 0.0
    layout: str = "i420"
    bit_depth: int = 8
    matrix: str = "bt709"
    full_range: bool = False
    quarters: int = 0
    """The picture is a view of memory turned by so many quarters."""

    def planes(self) -> tuple[np.ndarray, ...]:
        """The planes, in rows with padding as decoders have them, turned as views."""
        width, height = self.size_px if self.quarters % 2 == 0 else self.size_px[::-1]
        rng = np.random.default_rng(crc32(self.name.encode()))
        half = (-(-height // 2), -(-width // 2))
        shapes: dict[str, tuple[tuple[int, ...], ...]] = {
            "i420": ((height, width), half, half), "nv12": ((height, width), (*half, 2)), "rgb24": ((height, width, 3),)
        }  # fmt: skip
        return tuple(np.rot90(self._plane(shape, rng), self.quarters) for shape in shapes[self.layout])

    def _plane(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        peak, padded = (1 << self.bit_depth) - 1, (shape[0], shape[1] + 13, *shape[2:])
        row, column = np.mgrid[: padded[0], : padded[1]].reshape(2, *padded[:2], *[1] * (len(shape) - 2))
        wave = 0.5 + 0.25 * np.sin(row / 7 + rng.uniform(0, 6)) + 0.2 * np.sin(column / 11 + row / 29)
        noisy = np.clip(wave + rng.normal(0, 0.15, padded), 0, 1) * peak
        return noisy.astype(np.uint8 if self.bit_depth == 8 else np.uint16)[:, : shape[1]]

    def px_from_crop(self) -> np.ndarray:
        """float64 [2, 3]."""
        return px_from_crop(self.center_px, self.side_px, self.crop_px, self.angle_rad)

    def arguments(self) -> tuple[Any, ...]:
        """What `crop_roi` takes, with an out full of NaN."""
        out = np.full((3, self.crop_px, self.crop_px), np.nan, np.float32)
        picture = (self.planes(), self.layout, self.bit_depth, self.matrix, self.full_range)
        return *picture, self.px_from_crop(), out

    def luma_arguments(self) -> tuple[Any, ...]:
        """What `crop_luma` takes for the same region, with an out full of NaN."""
        out = np.full((self.crop_px, self.crop_px), np.nan, np.float32)
        return self.planes()[0], self.bit_depth, self.full_range, self.px_from_crop(), out


def bytes_moved(arguments: tuple[Any, ...]) -> int:
    """By one call: of the picture only the square that is looked at."""
    *_, mapping, out = arguments
    planes = arguments[0] if isinstance(arguments[0], tuple) else arguments[:1]
    return int(sum(plane.nbytes for plane in planes) * share_of(mapping, out.shape[-1], planes[0].shape)) + out.nbytes


def share_of(mapping: np.ndarray, crop_px: int, picture: tuple[int, ...]) -> float:
    """How much of a picture [H, W] a crop covers, at most all."""
    covered_px = abs(float(np.linalg.det(mapping[:, :2]))) * crop_px**2
    return min(covered_px / (picture[0] * picture[1]), 1.0)


CASES = (
    Case("shrink_1x", side_px=64),
    Case("shrink_2x", side_px=128, angle_rad=0.4),
    Case("shrink_3x", side_px=200, angle_rad=-0.2),
    Case("shrink_4x", side_px=256),
    Case("shrink_5x", side_px=320, angle_rad=1.0),
    Case("shrink_6x", side_px=384, angle_rad=-0.1),
    Case("shrink_7x", side_px=448, angle_rad=0.1),
    Case("shrink_8x", side_px=256, crop_px=32, angle_rad=0.1),
    Case("shrink_9x", side_px=320, crop_px=36, angle_rad=2.0),
    Case("shrink_11x", side_px=352, crop_px=32, angle_rad=-2.5),
    Case("shrink_15x", side_px=480, crop_px=32, angle_rad=0.3),
    Case("shrink_90x", side_px=270, crop_px=3),
    Case("tie_of_block_sizes", side_px=480, crop_px=64, center_px=(240, 135)),
    Case("enlarge_4x", side_px=16, angle_rad=0.7),
    Case("enlarge_50x", side_px=1.3),
    Case("half_outside", center_px=(5, 8), angle_rad=0.5),
    Case("corner_outside", center_px=(478, 266), side_px=300, angle_rad=-0.5),
    Case("wider_than_the_picture", side_px=900, angle_rad=0.2),
    Case("wholly_outside", center_px=(-900, 2000)),
    Case("far_outside", center_px=(1e12, -1e15)),
    Case("odd_size", size_px=(479, 271), center_px=(470, 265), side_px=130, angle_rad=0.3),
    Case("tiny_picture", size_px=(3, 5), center_px=(1.5, 2.5), side_px=8, angle_rad=0.3),
    Case("one_pixel", size_px=(1, 1), center_px=(0.5, 0.5), side_px=3),
    Case("nv12", layout="nv12", angle_rad=0.3),
    Case("nv12_shrink_5x", layout="nv12", side_px=320, angle_rad=0.3),
    Case("rgb24", layout="rgb24", angle_rad=0.3),
    Case("rgb24_shrink_3x", layout="rgb24", side_px=190, angle_rad=-0.9),
    Case("i420_10_bit", bit_depth=10, side_px=210, angle_rad=0.3),
    Case("nv12_10_bit_full_bt2020", layout="nv12", bit_depth=10, matrix="bt2020", full_range=True),
    Case("largest_block_10_bit", bit_depth=10, full_range=True, side_px=270, crop_px=4),
    Case("bt601_full", matrix="bt601", full_range=True),
    Case("turned_once", quarters=1, size_px=(271, 479), center_px=(130, 240), angle_rad=0.2),
    Case("turned_twice_nv12", quarters=2, layout="nv12", side_px=310, angle_rad=0.2),
    Case("turned_thrice_10_bit", quarters=3, bit_depth=10, size_px=(270, 481), center_px=(130, 9), side_px=330),
    Case("turned_once_rgb24", quarters=1, layout="rgb24", size_px=(271, 479), center_px=(130, 240), angle_rad=0.2),
)

BENCH_CASES = (
    Case("1080p_300_px", (1920, 1080), (960, 540), 300, 128),
    Case("1080p_600_px", (1920, 1080), (960, 540), 600, 128),
    Case("1080p_900_px", (1920, 1080), (960, 540), 900, 128),
    Case("1080p_900_px_turned", (1920, 1080), (960, 540), 900, 128, 0.3),
    Case("1080p_900_px_nv12", (1920, 1080), (960, 540), 900, 128, layout="nv12"),
    Case("1080p_900_px_rgb24", (1920, 1080), (960, 540), 900, 128, layout="rgb24"),
    Case("1080p_whole", (1920, 1080), (960, 540), 1920, 256),
)
"""Sizes at which time is worth measuring; `1080p_whole` is what the detector asks `crop_luma` for."""

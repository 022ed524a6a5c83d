"""Named inputs for `crop_nv12`, for tests and the bench: pictures as `crop_roi`'s cases make them, several squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.kernels.crop_nv12 import Crops, Nv12
from tracker.kernels.crop_roi.cases import Case as Picture
from tracker.kernels.crop_roi.cases import px_from_crop, share_of

TOLERANCE = 1.0
"""In 8-bit levels, rounded ones: two that lie on either side of a half differ by one. Tests compare with the unrounded
reference, and there allow `UNROUNDED` beyond the rounding."""
UNROUNDED = 0.03
"""As `crop_roi`'s."""

Square = tuple[float, float, float, float]
"""Centre x and y and side in px, angle in rad."""
SQUARES: tuple[Square, ...] = ((240.3, 135.7, 150, 0.0), (100, 80, 90, 0.7), (400, 200, 64, -2.0))


@dataclass(frozen=True, slots=True)
class Case:
    """One picture and squares of it."""

    name: str
    squares: tuple[Square, ...] = SQUARES
    side_px: int = 40
    size_px: tuple[int, int] = (480, 270)
    matrix: str = "bt709"
    full_range: bool = False
    scale: tuple[float, float, float] = (1 / 255, 1 / 255, 1 / 255)
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def picture(self) -> Nv12:
        """Rows are padded, as decoders have them."""
        luma, chroma = Picture(self.name, self.size_px, layout="nv12").planes()
        return Nv12(luma, chroma, self.matrix, self.full_range)

    def maps(self) -> np.ndarray:
        """px_from_crop float64 [B, 2, 3]."""
        return np.stack([px_from_crop((x, y), side, self.side_px, angle) for x, y, side, angle in self.squares])

    def arguments(self) -> tuple[Any, ...]:
        """Picture, px_from_crop, and crops full of 77 and of NaN."""
        batch, side = len(self.squares), self.side_px
        rgb, tensor = np.full((batch, side, side, 3), 77, np.uint8), np.full((batch, 3, side, side), np.nan, np.float16)
        return self.picture(), self.maps(), Crops(rgb, tensor, self.scale, self.shift)


def difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest, in 8-bit levels; infinite where the tensor is further off than its own precision allows."""
    a, b = found[-1], wanted[-1]
    scale = np.abs(a.scale)[:, None, None]
    # Half of half precision's spacing for either, and what the values before rounding may differ by.
    allowed = np.abs(b.tensor).astype(np.float64) * 2.0**-10 + UNROUNDED * scale + 1e-7
    if not (np.abs(a.tensor.astype(np.float64) - b.tensor) <= allowed).all():
        return float("inf")
    return float(np.abs(a.rgb.astype(int) - b.rgb).max())


def bytes_moved(arguments: tuple[Any, ...]) -> int:
    """By one call: of the picture only the squares that are looked at, and nothing of it twice."""
    picture, maps, crops = arguments
    share = min(sum(share_of(mapping, crops.rgb.shape[1], picture.luma.shape) for mapping in maps), 1.0)
    return int((picture.luma.nbytes + picture.chroma.nbytes) * share) + crops.rgb.nbytes + crops.tensor.nbytes


def _turned(side: float) -> tuple[Square, ...]:
    return ((240.3, 135.7, side, 0.0), (200, 150, side, 0.785), (260, 100, side, -2.5))


CASES = (
    Case("three_faces"),
    Case("one_face", SQUARES[:1], 128),
    Case("crop_of_one_tile", side_px=16),
    Case("crop_of_odd_tiles", side_px=33),
    Case("crop_of_one_pixel", side_px=1),
    Case("enlarge_4x", _turned(10)),
    Case("shrink_most_before_blocks", _turned(59.9)),
    Case("shrink_2x", _turned(80)),
    Case("shrink_3x", _turned(120)),
    Case("tie_of_block_sizes", _turned(300), 40),
    Case("shrink_7x", _turned(280)),
    Case("shrink_30x", _turned(300), 10),
    Case("shrink_beyond_the_largest_block", _turned(900), 3, (1000, 700)),
    Case("at_the_edges", ((5, 8, 100, 0.5), (478, 266, 150, -0.5), (240, -30, 90, 0.1), (-10, 269, 64, 3.0))),
    Case("outside", ((-900, 2000, 100, 0.2), (1e12, -1e15, 100, 0.0), (240, 135, 2000, 0.3))),
    Case("odd_size", ((470, 265, 130, 0.3), (20, 20, 60, 0.0)), size_px=(479, 271)),
    Case("tiny_picture", ((1.5, 2.5, 8, 0.3),), size_px=(3, 5)),
    Case("one_pixel", ((0.5, 0.5, 3, 0.0),), size_px=(1, 1)),
    Case("bt601_full", matrix="bt601", full_range=True),
    Case("bt601_limited", matrix="bt601"),
    Case("bt709_full", full_range=True),
    Case("bt2020", matrix="bt2020"),
    Case("imagenet", scale=(0.01712, 0.01751, 0.01743), shift=(-2.118, -2.036, -1.804)),
)

_MIDDLE = ((960.0, 540.0, 300.0, 0.1), (500.0, 400.0, 600.0, -0.3), (1300.0, 600.0, 900.0, 0.0))
BENCH_CASES = (
    Case("1080p_1_face_300_px", _MIDDLE[:1], 128, (1920, 1080)),
    Case("1080p_1_face_900_px", _MIDDLE[2:], 128, (1920, 1080)),
    Case("1080p_3_faces", _MIDDLE, 128, (1920, 1080)),
    Case("1080p_48_faces", _MIDDLE * 16, 128, (1920, 1080)),
)

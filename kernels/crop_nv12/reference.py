"""`crop_nv12` as the contract words it: `crop_roi`'s reference per face, in float64, then rounded. Given checked
arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.crop_nv12 import Crops, Nv12
from tracker.kernels.crop_roi.reference import crop as crop_planes


def crop(picture: Nv12, px_from_crop: np.ndarray, crops: Crops) -> None:
    """Fill `crops`."""
    for face, value in enumerate(unrounded(picture, px_from_crop, crops.side_px)):
        if crops.rgb is not None:
            crops.rgb[face] = np.rint(value).transpose(1, 2, 0)
        if crops.tensor is not None:
            with np.errstate(over="ignore"):
                crops.tensor[face] = value * _column(crops.scale) + _column(crops.shift)


def unrounded(picture: Nv12, px_from_crop: np.ndarray, side_px: int) -> np.ndarray:
    """RGB on the 8-bit scale, float64 [B, 3, S, S]."""
    values = np.empty((len(px_from_crop), 3, side_px, side_px))
    for affine, value in zip(px_from_crop, values, strict=True):
        crop_planes((picture.luma[:, :, None], picture.chroma), picture.colour, affine, value)
    return values


def _column(numbers: tuple[float, ...]) -> np.ndarray:
    return np.array(numbers)[:, None, None]

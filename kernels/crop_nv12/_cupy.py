"""`crop_nv12` for CUDA devices: `crop_nv12.cu`, one block per 16 x 16 pixels of a crop. Given checked arrays on the
device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tracker.kernels.crop_nv12 import Crops, Nv12
from tracker.kernels.cuda import kernel, pointer, strides_of

SOURCE = Path(__file__).with_name("crop_nv12.cu")
TILE = 16
_NOTHING = np.intp(0)


def recipe(picture: Nv12, crops: Crops) -> np.ndarray:
    """What the kernel multiplies by, float32 [15]: the mix of Y, U, V, then scale and shift of the tensor."""
    return np.concatenate([picture.colour.mix.ravel(), crops.scale, crops.shift]).astype(np.float32)


class Crop:
    """The compiled kernel. A colour or scale that is new takes a few bytes on the device and waits for them; after that
    nothing is taken, so a CUDA graph may hold its launches."""

    on_device = True

    def __init__(self) -> None:
        """Raises BackendUnavailable where there is no device."""
        self._kernel = kernel(SOURCE, "crop_nv12")
        self._recipes: dict[tuple[Any, ...], Any] = {}

    def __call__(self, picture: Nv12, px_from_crop: Any, crops: Crops) -> None:
        """Fill `crops` on the current stream, without waiting for it."""
        tiles = -(-crops.side_px // TILE)
        height, width = picture.luma.shape
        numbers = (
            np.int64(strides_of(picture.luma)[0]), np.int64(strides_of(picture.chroma)[0]),
            np.int32(width), np.int32(height), np.int32(picture.colour.black[0]),
        )  # fmt: skip
        given = (pointer(picture.luma), pointer(picture.chroma), *numbers, pointer(px_from_crop))
        filled = (_NOTHING if out is None else pointer(out) for out in (crops.rgb, crops.tensor))
        arguments = (*given, pointer(self._recipe(picture, crops)), np.int32(crops.side_px), *filled)
        self._kernel((tiles, tiles, crops.batch), (TILE, TILE), arguments)

    def _recipe(self, picture: Nv12, crops: Crops) -> Any:
        key = (picture.matrix, picture.full_range, *crops.scale, *crops.shift)
        if key not in self._recipes:
            import cupy

            self._recipes[key] = cupy.asarray(recipe(picture, crops))
        return self._recipes[key]

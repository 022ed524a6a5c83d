"""`crop_nv12` for the CPU: the compiled crop of `crop_roi`, face after face, then rounded by numpy. Given checked
arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.crop_nv12 import Crops, Nv12
from tracker.kernels.crop_roi._numba import Crop as CropPlanes
from tracker.kernels.crop_roi._numba import _crop as compiled_crop  # noqa: F401  the table asks where its code is kept


class Crop:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._planes = CropPlanes()
        self._value = np.empty((2, 3, 0, 0), np.float32)

    def __call__(self, picture: Nv12, px_from_crop: np.ndarray, crops: Crops) -> None:
        """Fill `crops`; takes scratch when the crops' side changes."""
        side = crops.side_px
        if self._value.shape[2] != side:
            self._value = np.empty((2, 3, side, side), np.float32)
        value, work = self._value
        planes = picture.luma[:, :, None], picture.chroma
        for face, affine in enumerate(px_from_crop):
            self._planes(planes, picture.colour, affine, value)
            if crops.rgb is not None:
                np.rint(value, out=work)
                np.copyto(crops.rgb[face], work.transpose(1, 2, 0), casting="unsafe")
            if crops.tensor is not None:
                for channel in range(3):
                    np.multiply(value[channel], np.float32(crops.scale[channel]), out=work[channel])
                    work[channel] += np.float32(crops.shift[channel])
                np.copyto(crops.tensor[face], work, casting="unsafe")

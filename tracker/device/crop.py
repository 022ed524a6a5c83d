"""Crops into the device's frame: from the decoder's own planes where they lie there, else cut here and copied.

Given pictures, of one stream or of several, and the squares in each it fills the frame's crops in that order. A picture
that NVDEC has left on the device is read by CuPy's `crop_nv12` through DLPack, and nothing of it comes here; all others
are cut by the processor's `crop_roi`, so that only 192 KiB a face travel, in one copy. It does not know whose faces
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tracker.detect.roi import Roi
from tracker.device.face_frame import FaceFrame
from tracker.device.row import ASKED
from tracker.kernels.backend import operator
from tracker.kernels.crop_nv12 import Crops, Nv12
from tracker.kernels.crop_roi import CropRoi
from tracker.kernels.cuda import on_stream
from tracker.regress.outputs import CROP_PX
from tracker.source.frame import Frame
from tracker.source.hardware import picture_on_device

AS_BYTES = (1.0, 1.0, 1.0)
"""The student takes crops in 0..255."""


class Exported:
    """A decoder's plane whose stream the caller has waited for: PyAV's own refuses to be told of another, and says
    that it lies on the first device, whose context CuPy would then make."""

    def __init__(self, plane: Any, number: int = 0) -> None:
        """`number` is that of the device."""
        self._plane, self._number = plane, number

    def __dlpack_device__(self) -> tuple[int, int]:
        """Kind and number of the device."""
        kind, _ = self._plane.__dlpack_device__()
        return kind, self._number

    def __dlpack__(self, **_: Any) -> Any:
        """The plane, whatever is asked for besides."""
        return self._plane.__dlpack__()


class Cropper:
    """Both ways, with the pinned memory of the second."""

    def __init__(self, crop_roi: CropRoi, largest: int, device: torch.device) -> None:
        """Raises BackendUnavailable where a CUDA device lacks CuPy."""
        self._crop_roi = crop_roi
        pinned = device.type == "cuda"
        self._here = torch.zeros((largest, 3, CROP_PX, CROP_PX), dtype=torch.float32, pin_memory=pinned)
        self._there = torch.zeros_like(self._here, device=device) if pinned else self._here
        self._crop_nv12: Any = operator("crop_nv12", "cupy")[0] if pinned else None

    def __call__(self, asked: Sequence[tuple[Frame, Sequence[Roi]]], into: FaceFrame) -> None:
        """Fill the first crops of `into`, on torch's current stream; its `asked` rows are already there."""
        there, cut, end = [], 0, 0
        for frame, rois in asked:
            begin, end = end, end + len(rois)
            picture = picture_on_device(frame) if self._crop_nv12 is not None else None
            if picture is not None:
                there.append((picture, frame, slice(begin, end)))
            else:
                self._cut(frame, rois, self._here[begin:end].numpy())
                cut = end
        if cut:
            self._send(cut, into)
        if there:
            self._from_device(there, into)

    def _cut(self, frame: Frame, rois: Sequence[Roi], crops: np.ndarray) -> None:
        for roi, crop in zip(rois, crops, strict=True):
            self._crop_roi(
                frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range,
                roi.px_from_crop(CROP_PX), crop,
            )  # fmt: skip

    def _send(self, rows: int, into: FaceFrame) -> None:
        """One copy for all; rows among these that are cropped on the device get their pixels after it."""
        there = self._there[:rows]
        if there.is_cuda:
            there.copy_(self._here[:rows], non_blocking=True)
        into.crops[:rows].copy_(there)

    def _from_device(self, pictures: Sequence[tuple[Any, Frame, slice]], into: FaceFrame) -> None:
        """One launch per picture."""
        import cupy

        with on_stream(torch.cuda.current_stream().cuda_stream):
            maps = into.asked[:, ASKED["px_from_crop"]].reshape(-1, 2, 3).contiguous()
            for picture, frame, rows in pictures:
                number = into.crops.device.index or 0
                luma, chroma = (cupy.from_dlpack(Exported(plane, number)) for plane in picture.planes)
                crops = Crops(tensor=into.crops[rows], scale=AS_BYTES)
                self._crop_nv12(Nv12(luma, chroma, frame.matrix, frame.full_range), maps[rows], crops)
        # The decoders may take the pictures back before the stream has read them.
        self._held = pictures, maps

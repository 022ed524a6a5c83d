"""Crops into the device's frame: from the decoder's own planes where they lie there, else cut here and copied.

Given a frame and squares it fills the frame's crops. A picture that NVDEC has left on the device is read by CuPy's
`crop_nv12` through DLPack, and nothing of it comes here; any other is cut by the processor's `crop_roi`, so that only
98 KB a face travel. It does not know whose faces they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    """A decoder's plane whose stream the caller has waited for: PyAV's own refuses to be told of another."""

    def __init__(self, plane: Any) -> None:
        self._plane = plane

    def __dlpack_device__(self) -> tuple[int, int]:
        """Kind and number of the device."""
        place: tuple[int, int] = self._plane.__dlpack_device__()
        return place

    def __dlpack__(self, **_: Any) -> Any:
        """The plane, whatever is asked for besides."""
        return self._plane.__dlpack__()


class Cropper:
    """Both ways, with the pinned memory of the second."""

    def __init__(self, crop_roi: CropRoi, largest: int, device: torch.device) -> None:
        """Raises BackendUnavailable where a CUDA device lacks CuPy."""
        self._crop_roi = crop_roi
        pinned = device.type == "cuda"
        self._here = torch.zeros((largest, 3, CROP_PX, CROP_PX), pin_memory=pinned)
        self._there = torch.zeros_like(self._here, device=device) if pinned else self._here
        self._crop_nv12: Any = operator("crop_nv12", "cupy")[0] if pinned else None

    def __call__(self, frame: Frame, rois: Sequence[Roi], into: FaceFrame) -> None:
        """Fill the first crops of `into`, on torch's current stream; its `asked` rows are already there."""
        picture = picture_on_device(frame)
        if picture is not None and self._crop_nv12 is not None:
            self._from_device(picture, frame, len(rois), into)
            return
        for row, roi in enumerate(rois):
            self._crop_roi(
                frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range,
                roi.px_from_crop(CROP_PX), self._here[row].numpy(),
            )  # fmt: skip
        there = self._there[: len(rois)]
        if there.is_cuda:
            there.copy_(self._here[: len(rois)], non_blocking=True)
        into.crops[: len(rois)].copy_(there)

    def _from_device(self, picture: Any, frame: Frame, faces: int, into: FaceFrame) -> None:
        import cupy

        with on_stream(torch.cuda.current_stream().cuda_stream):
            luma, chroma = (cupy.from_dlpack(Exported(plane)) for plane in picture.planes)
            maps = into.asked[:faces, ASKED["px_from_crop"]].reshape(faces, 2, 3).contiguous()
            crops = Crops(tensor=into.crops[:faces], scale=AS_BYTES)
            self._crop_nv12(Nv12(luma, chroma, frame.matrix, frame.full_range), maps, crops)
        # The decoder may take the picture back before the stream has read it.
        self._held = picture, maps

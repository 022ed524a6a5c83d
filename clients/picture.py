"""Decoded frames as RGB pictures of a fixed size, and back into frames that an encoder takes.

Given a frame in any layout the tracker reads it fills one RGB buffer, right in matrix and range; given an RGB picture
it makes a BT.709 frame. It draws nothing and writes no file.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from tracker.source.frame import Frame

_MATRIX = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.ITU709}
_BT709_CODE = 1  # in the tags of H.264 (ITU-T H.273), for matrix, primaries and transfer alike


class Painter:
    """A picture buffer of `width_px` x `height_px`, both even, filled again for every frame."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._rgb = np.zeros((height_px, width_px, 3), np.uint8)
        self._reader, self._writer = VideoReformatter(), VideoReformatter()

    def rgb(self, frame: Frame) -> tuple[np.ndarray, float]:
        """The frame as uint8 [H, W, 3], which may be drawn on, and picture pixels per source pixel.

        A frame of another size is fitted into the upper left; an odd edge is repeated once.
        """
        scale = min(self.width_px / frame.width_px, self.height_px / frame.height_px)
        odd_only = self.width_px - frame.width_px in (0, 1) and self.height_px - frame.height_px in (0, 1)
        scale = 1.0 if odd_only else scale
        wide, tall = max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale))
        shown = self._reader.reformat(
            as_av(frame), width=wide, height=tall, format="rgb24",
            src_colorspace=_MATRIX[frame.matrix], dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if frame.full_range or frame.layout == "rgb24" else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )  # fmt: skip
        self._rgb[:tall, :wide] = shown.to_ndarray()
        if odd_only:
            self._rgb[tall:] = self._rgb[tall - 1 : tall]
            self._rgb[:, wide:] = self._rgb[:, wide - 1 : wide]
        else:
            self._rgb[tall:], self._rgb[:, wide:] = 0, 0
        return self._rgb, scale

    def encodable(self, picture: np.ndarray, pts: int, time_base: Fraction) -> av.VideoFrame:
        """A yuv420p frame, BT.709 of limited range."""
        frame = self._writer.reformat(
            av.VideoFrame.from_ndarray(picture, format="rgb24"), format="yuv420p",
            dst_colorspace=Colorspace.ITU709, src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
        )  # fmt: skip
        frame.pts, frame.time_base = pts, time_base
        return frame

    @staticmethod
    def tag(codec: Any) -> None:
        """Say in the stream what `encodable` makes."""
        codec.color_range = ColorRange.MPEG
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709_CODE


def as_av(frame: Frame) -> av.VideoFrame:
    """A copy of the planes as the video library's frame: yuv420p, yuv420p10le or rgb24."""
    if frame.layout == "rgb24":
        rgb = frame.planes[0]
        eight = rgb if frame.bit_depth == 8 else (rgb >> (frame.bit_depth - 8)).astype(np.uint8)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(eight), format="rgb24")
    luma, *chroma = frame.planes
    if frame.layout == "nv12":
        chroma = [chroma[0][..., 0], chroma[0][..., 1]]
    made = av.VideoFrame(frame.width_px, frame.height_px, "yuv420p" if frame.bit_depth == 8 else "yuv420p10le")
    for plane, source in zip(made.planes, (luma, *chroma), strict=True):
        rows = np.frombuffer(memoryview(plane), source.dtype).reshape(plane.height, -1)
        rows[: source.shape[0], : source.shape[1]] = source
    return made


def scaled(image: np.ndarray, width_px: int) -> np.ndarray:
    """uint8 [H, W, 3] brought to `width_px` wide, its aspect kept; a copy."""
    if image.shape[1] == width_px:
        return image.copy()
    tall = max(1, round(image.shape[0] * width_px / image.shape[1]))
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    small: np.ndarray = VideoReformatter().reformat(frame, width=width_px, height=tall).to_ndarray()
    return np.ascontiguousarray(small)

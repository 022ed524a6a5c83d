"""A picture that a hardware decoder has left in its device's memory: a frame whose planes come here only when asked.

Given a decoded picture it has every attribute of a `Frame`. What needs pixels on the host (the detector when a face is
lost, a preview) reads `planes`, which copies the picture once; what works on the device takes `picture` and its planes
by DLPack, and then nothing is copied. It knows neither the device's libraries nor what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from tracker.errors import SourceError
from tracker.source.frame import Frame
from tracker.source.planes import FULL_RANGE, Pixels, PlaneReader, display_matrix, matrix_named

EIGHT_BITS = "nv12"
"""The one format of a device's picture that the kernels there read."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which picture it is, and when it came: the fields of `Frame` of these names."""

    pts: int
    time_base: Fraction
    index: int
    captured_ns: int
    decoded_ns: int
    dropped: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class HardwareFrame:
    """Stands wherever a `Frame` does; see there for the fields."""

    picture: VideoFrame
    """As the decoder gave it: its planes lie on the device, not turned."""
    stamp: Stamp
    _here: list[tuple[np.ndarray, ...]] = field(default_factory=list, repr=False)

    @property
    def layout(self) -> str:
        """What `planes` are."""
        return EIGHT_BITS

    @property
    def bit_depth(self) -> int:
        """Of a sample."""
        return 8

    @property
    def reformatted(self) -> bool:
        """Never."""
        return False

    @property
    def pts(self) -> int:
        """In units of `time_base`."""
        return self.stamp.pts

    @property
    def time_base(self) -> Fraction:
        """Seconds."""
        return self.stamp.time_base

    @property
    def index(self) -> int:
        """Pictures decoded before."""
        return self.stamp.index

    @property
    def captured_ns(self) -> int:
        """Monotonic."""
        return self.stamp.captured_ns

    @property
    def decoded_ns(self) -> int:
        """Monotonic."""
        return self.stamp.decoded_ns

    @property
    def dropped(self) -> int:
        """Frames never handed out."""
        return self.stamp.dropped

    @property
    def planes(self) -> tuple[np.ndarray, ...]:
        """Y and UV, copied here at the first call. Raises SourceError when the device gives nothing back."""
        if not self._here:
            try:
                self._here.append(PlaneReader()(self.picture.reformat(format=EIGHT_BITS)).planes)
            except (FFmpegError, OSError) as error:
                raise SourceError(f"the decoded picture cannot be copied from its device: {error}") from error
        return self._here[0]

    @property
    def matrix(self) -> str:
        """YUV to RGB matrix."""
        return matrix_named(self.picture.colorspace, self.height_px)

    @property
    def full_range(self) -> bool:
        """Luma spans 0..255."""
        return bool(self.picture.color_range == FULL_RANGE)

    @property
    def width_px(self) -> int:
        """Columns."""
        return self.picture.width

    @property
    def height_px(self) -> int:
        """Rows."""
        return self.picture.height

    @property
    def pts_seconds(self) -> float:
        """`pts` in seconds."""
        return self.stamp.pts * self.stamp.time_base.numerator / self.stamp.time_base.denominator


def stays_there(picture: VideoFrame) -> bool:
    """Whether the picture can be used where a device decoded it: eight bits, of even size, not to be turned."""
    inner = picture.sw_format
    if inner is None or inner.name != EIGHT_BITS or picture.width % 2 or picture.height % 2:
        return False
    return display_matrix(picture) is None


def framed(picture: VideoFrame, pixels: Pixels | None, stamp: Stamp) -> Frame:
    """The frame of a picture whose `pixels` are here, or stay on the device (None)."""
    if pixels is None:
        return cast(Frame, HardwareFrame(picture, stamp))
    return Frame(
        pixels.planes, pixels.layout, pixels.bit_depth, pixels.matrix, pixels.full_range, stamp.pts, stamp.time_base,
        stamp.index, stamp.captured_ns, stamp.decoded_ns, stamp.dropped, pixels.reformatted,
    )  # fmt: skip


def picture_on_device(frame: Frame) -> VideoFrame | None:
    """The device's picture behind a frame; None for one whose planes are here."""
    return frame.picture if isinstance(frame, HardwareFrame) else None

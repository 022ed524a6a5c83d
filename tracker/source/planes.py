"""A decoded picture's memory as numpy planes, turned upright, with what its numbers mean.

Given a picture of PyAV it returns views of the picture's own memory, without the padding at the end of each row; a
pixel format that the kernels do not read is converted to I420 first, and counted. It does not know where the picture
comes from or when it was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from av.buffer import Buffer
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from tracker.errors import SourceError
from tracker.source.frame import SAMPLES, plane_shapes

DIRECT = {
    "yuv420p": ("i420", 8),
    "yuvj420p": ("i420", 8),
    "yuv420p10le": ("i420", 10),
    "nv12": ("nv12", 8),
    "rgb24": ("rgb24", 8),
}
"""Pixel formats that are read as they are: layout and bit depth. P010 is not among them: its samples are shifted."""

MATRIX_OF = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020"}
"""Names of the matrix coefficients of ITU-T H.273, table 4; SMPTE 240M (7) is all but BT.709."""
FULL_RANGE = 2
HD_HEIGHT_PX = 720
"""From here on an unnamed matrix is BT.709."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Planes and what their numbers mean, as in `Frame`."""

    planes: tuple[np.ndarray, ...]
    """Views, upright and read-only."""
    layout: str
    """One of `LAYOUTS`."""
    bit_depth: int
    """8 or 10."""
    matrix: str
    """One of `MATRICES`."""
    full_range: bool
    """Luma spans 0..max."""
    reformatted: bool
    """Whether the picture had to be converted."""


class PlaneReader:
    """Views pictures as planes, one after another; for one thread.

    A conversion allocates its picture; all others allocate nothing.
    """

    def __init__(self) -> None:
        self.reformatted = 0
        self._reformatter: VideoReformatter | None = None

    def __call__(self, picture: VideoFrame) -> Pixels:
        """The planes of `picture`. Raises SourceError for a pixel format that cannot be converted."""
        # Each of PyAV's attributes makes an object anew, so every one is asked for once.
        readable, name = picture, picture.format.name
        reformatted = name not in DIRECT
        if reformatted:
            readable = self._convert(picture)
            name = readable.format.name
            self.reformatted += 1
        layout, bit_depth = DIRECT[name]
        height = readable.height
        shapes = plane_shapes(layout, height, readable.width)
        planes = [_view(plane, shape, bit_depth) for plane, shape in zip(readable.planes, shapes, strict=True)]
        if (turn := display_matrix(picture)) is not None:
            planes = [upright(plane, turn) for plane in planes]
        full_range = layout == "rgb24" or name.startswith("yuvj") or readable.color_range == FULL_RANGE
        matrix = matrix_named(readable.colorspace, height)
        return Pixels(tuple(planes), layout, bit_depth, matrix, full_range, reformatted)

    def _convert(self, picture: VideoFrame) -> VideoFrame:
        """The picture as I420, of 10 bits where it has more than 8; of YUV, matrix and range stay what they are."""
        given = picture.sw_format or picture.format  # a hardware decoder's picture says only "cuda" of itself
        reformatter = self._reformatter = self._reformatter or VideoReformatter()
        try:
            if given.is_rgb or given.name == "pal8":
                return reformatter.reformat(
                    picture, format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG,
                    threads=1,
                )  # fmt: skip
            deep = max((component.bits for component in given.components), default=8) > 8
            wanted = "yuvj420p" if given.name.startswith("yuvj") else "yuv420p10le" if deep else "yuv420p"
            return reformatter.reformat(picture, format=wanted, threads=1)
        except (FFmpegError, ValueError, OSError) as error:
            raise SourceError(f"pixel format {given.name!r} cannot be converted; give video in yuv420p") from error


def matrix_named(colorspace: int, height_px: int) -> str:
    """One of `MATRICES`; where the picture does not say, by its height."""
    return MATRIX_OF.get(colorspace, "bt709" if height_px >= HD_HEIGHT_PX else "bt601")


def display_matrix(picture: VideoFrame) -> np.ndarray | None:
    """How the picture is to be turned, int32 [9] as `upright` takes it; None for one that stands upright."""
    # Not `picture.side_data`: the picture would keep it, and it the picture, and only a garbage collection could free
    # the two. By then hundreds of pictures have piled up, a gigabyte at 720 rows.
    beside: Mapping[str, Buffer] = SideDataContainer(picture)  # type: ignore[call-arg]
    matrix = beside.get("DISPLAYMATRIX") if len(beside) else None
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def _view(plane: VideoPlane, shape: tuple[int, ...], bit_depth: int) -> np.ndarray:
    """The plane's memory as an array that keeps it alive; rows may be padded, or stand bottom up."""
    line, sample = plane.line_size, 1 if bit_depth == 8 else 2
    strides = (line, sample) if len(shape) == 2 else (line, shape[2] * sample, sample)
    start = 0 if line > 0 else -line * (shape[0] - 1)
    view: np.ndarray = np.ndarray(shape, SAMPLES[bit_depth], plane, start, strides)  # type: ignore[arg-type]
    view.setflags(write=False)
    return view


def upright(plane: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The plane as a view turned by a display matrix, int32 [9] of ISO/IEC 14496-12: quarter turns and mirrors.

    It maps a stored pixel (x, y) to x' = a x + c y, y' = b x + d y; other angles go to the nearest of these. A plane
    of odd size that is mirrored has its chroma half a sample off.
    """
    a, b, c, d = (int(turn[index]) for index in (0, 1, 3, 4))
    columns, rows = a, d
    if abs(a) + abs(d) < abs(b) + abs(c):
        plane, columns, rows = plane.swapaxes(0, 1), c, b
    return plane[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1]

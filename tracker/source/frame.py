"""One decoded video frame, as it flows: the decoder's own planes plus when and how they came.

Given by the sources, read by find and regress. Planes are never converted to RGB as a whole; a rotated picture is a
turned view of the same memory. Their memory is the decoder's own and lives as long as a plane is held; the decoder
may still predict from it, so planes are read-only. It knows nothing of containers, codecs or faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tracker.errors import SourceError

LAYOUTS = ("i420", "nv12", "rgb24")
MATRICES = ("bt601", "bt709", "bt2020")
NANOSECOND = Fraction(1, 10**9)
"""The time base of what has only a clock's times."""
SAMPLES = {8: np.dtype(np.uint8), 10: np.dtype(np.uint16)}
"""What a sample of each bit depth stands in."""


def plane_shapes(layout: str, height_px: int, width_px: int) -> list[tuple[int, ...]]:
    """The shape of each plane; an odd size has half a chroma sample over, hence a whole one."""
    full, half = (height_px, width_px), (-(-height_px // 2), -(-width_px // 2))
    if layout == "i420":
        return [full, half, half]
    return [full, (*half, 2)] if layout == "nv12" else [(*full, 3)]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Planes upright as a viewer sees them."""

    planes: tuple[np.ndarray, ...]
    """uint8 or uint16 (10 bit). i420: Y [H, W], U and V [ceil(H/2), ceil(W/2)]; nv12: Y [H, W] and
    UV [ceil(H/2), ceil(W/2), 2]; rgb24: one [H, W, 3]. Any strides."""
    layout: str
    """One of `LAYOUTS`."""
    bit_depth: int
    """8 or 10; a 10-bit sample stands in the low bits of a uint16."""
    matrix: str
    """YUV to RGB matrix, one of `MATRICES`; meaningless for rgb24."""
    full_range: bool
    """Luma spans 0..max instead of 16..235 (scaled to the bit depth)."""
    pts: int | None
    """Presentation time in units of `time_base`; when it came of a live stream without times, None for an image."""
    time_base: Fraction
    index: int
    """Counts the frames that the source decoded, dropped ones included."""
    captured_ns: int
    """Monotonic; when the picture was taken, as far as is known; for an unpaced file, when it was decoded."""
    decoded_ns: int
    """Monotonic; when the planes were ready."""
    dropped: int = 0
    """Frames decoded but never handed out, since the source opened."""
    reformatted: bool = False
    """True where the decoder gave another pixel format and it was converted to one of `LAYOUTS` first."""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise SourceError(f"layout {self.layout!r}; valid: {', '.join(LAYOUTS)}")
        if self.matrix not in MATRICES:
            raise SourceError(f"matrix {self.matrix!r}; valid: {', '.join(MATRICES)}")
        dtype = SAMPLES.get(self.bit_depth)
        shapes = []
        for plane in self.planes:
            if plane.dtype != dtype:
                raise SourceError(f"{self.bit_depth}-bit planes of {plane.dtype}; valid: 8 in uint8, 10 in uint16")
            shapes.append(plane.shape)
        if shapes != plane_shapes(self.layout, *self.planes[0].shape[:2]):
            raise SourceError(f"{self.layout} planes of shapes {shapes}; see Frame.planes for those that fit")

    @property
    def width_px(self) -> int:
        """Columns of the upright picture."""
        return self.planes[0].shape[1]

    @property
    def height_px(self) -> int:
        """Rows of the upright picture."""
        return self.planes[0].shape[0]

    @property
    def pts_seconds(self) -> float | None:
        """`pts` in seconds, or None without time."""
        # Two integers divide to the same float as the fraction would, without the arithmetic of fractions.
        base = self.time_base
        return None if self.pts is None else self.pts * base.numerator / base.denominator

    def __repr__(self) -> str:
        shapes = ", ".join(str(list(plane.shape)) for plane in self.planes)
        return f"Frame({self.layout} {self.bit_depth} bit {shapes}, index={self.index}, pts_seconds={self.pts_seconds})"

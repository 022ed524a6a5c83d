"""A single picture from a caller's memory as a `Frame`: an RGB array, or a picture that PyAV decoded.

For those who bring their own video. Nothing is copied, so the caller must not write to the picture while the frame is
in use. It does not know about sources.
"""

from __future__ import annotations

from math import nan
from typing import SupportsFloat

import numpy as np
from av.video.frame import VideoFrame

from tracker.clock import monotonic_ns
from tracker.errors import SettingsError
from tracker.source.frame import NANOSECOND, Frame
from tracker.source.planes import PlaneReader

MOST_SECONDS = 9e9
"""Of a time, three centuries: its nanoseconds still fit a message's 64 bits."""


def frame_from_image(rgb: np.ndarray, pts_seconds: float | None = None) -> Frame:
    """A frame of `rgb`, uint8 [H, W, 3] with any strides. Raises SettingsError for anything else."""
    if not isinstance(rgb, np.ndarray) or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        found = f"{rgb.dtype} {list(rgb.shape)}" if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise SettingsError(f"an image must be uint8 [H, W, 3], RGB, not {found}; an av.VideoFrame is welcome too")
    view = rgb.view()
    view.flags.writeable = False
    now_ns = monotonic_ns()
    return Frame((view,), "rgb24", 8, "bt601", True, _pts(pts_seconds), NANOSECOND, 0, now_ns, now_ns)


def frame_from_av(picture: VideoFrame, pts_seconds: float | None = None) -> Frame:
    """A frame of a picture in memory, turned as it says. Raises SettingsError, or SourceError for its pixel format."""
    if not isinstance(picture, VideoFrame):
        raise SettingsError(f"an av.VideoFrame is wanted, not {type(picture).__name__}")
    pts = _pts(pts_seconds)
    pixels = PlaneReader()(picture)
    now_ns = monotonic_ns()
    return Frame(
        pixels.planes, pixels.layout, pixels.bit_depth, pixels.matrix, pixels.full_range, pts, NANOSECOND, 0, now_ns,
        now_ns, reformatted=pixels.reformatted,
    )  # fmt: skip


def _pts(pts_seconds: float | None) -> int | None:
    if pts_seconds is None:
        return None
    try:
        seconds = float(pts_seconds) if isinstance(pts_seconds, SupportsFloat) else nan
    except (TypeError, ValueError, OverflowError):  # several numbers, or one beyond any
        seconds = nan
    if not abs(seconds) <= MOST_SECONDS:
        raise SettingsError(f"pts_seconds={pts_seconds!r}; give seconds, or None for an image without time")
    return round(seconds * 1e9)

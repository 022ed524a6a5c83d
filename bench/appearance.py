"""How a face looks in its picture, in three plain numbers: how large, how bright, how sharp.

Given luma and the points of a face it measures inside their box, so that accuracy can be told by group. It does not
know who found the points, nor what is large, bright or sharp enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.bench.metrics import box_of, box_scale_px

SIDE_PX = 96
"""Sharpness is measured at this size, so that a large face is not sharp for being large."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One face."""

    size_px: float
    """Square root of the area of the points' box."""
    brightness: float
    """Mean luma in the box, 0..255; NaN where the box is outside the picture."""
    sharpness: float
    """Standard deviation of the Laplacian over that of the luma, the box at `SIDE_PX` squared: what is flat or dark
    is not blurred. NaN where the box is outside."""


def appearance(luma: np.ndarray, points: np.ndarray) -> Appearance:
    """Of the face with `points` [N, 2 or 3] in `luma` uint8 [H, W]."""
    import cv2

    size = box_scale_px(points)
    height, width = luma.shape
    x0, y0, x1, y1 = box_of(points)
    left, top = max(0, round(x0)), max(0, round(y0))
    right, bottom = min(width, round(x1)), min(height, round(y1))
    if right - left < 2 or bottom - top < 2:
        return Appearance(size, float("nan"), float("nan"))
    inside = np.ascontiguousarray(luma[top:bottom, left:right])
    shrinks = min(inside.shape) > SIDE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(inside, (SIDE_PX, SIDE_PX), interpolation=how).astype(np.float32)
    contrast = float(small.std())
    sharp = float(cv2.Laplacian(small, cv2.CV_32F).std()) / contrast if contrast > 0 else float("nan")
    return Appearance(size, float(inside.mean()), sharp)


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """uint8 [H, W] by BT.601 of uint8 RGB [H, W, 3]."""
    weighed = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighed).astype(np.uint8)

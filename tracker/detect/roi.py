"""Where to look: the rotated square around a head, and a detection that proposes one.

The square is tied to the head, not to the face's outline: its centre is a fixed point of head space and its side a
fixed length in millimetres at the head's depth, so that a smile or an open jaw does not move it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# What the mesh's box covers of the square, seen from the front: width and height of the mean face over the side.
MESH_OF_ROI = (0.61, 0.71)


@dataclass(frozen=True, slots=True)
class Roi:
    """A rotated square in source pixels."""

    x_px: float
    y_px: float
    side_px: float
    roll_rad: float
    """Direction of the square's x axis in the picture; positive is clockwise on screen."""

    def px_from_crop(self, crop_px: int) -> np.ndarray:
        """float64 [2, 3]: crop coordinates (0..crop_px, pixel centres at halves) to source pixels."""
        scale = self.side_px / crop_px
        c, s = math.cos(self.roll_rad) * scale, math.sin(self.roll_rad) * scale
        half = crop_px / 2
        # One row of numbers and a reshape: a third of what rows in rows take to read.
        return np.array((c, -s, self.x_px - (c - s) * half, s, c, self.y_px - (s + c) * half)).reshape(2, 3)

    def box_px(self) -> np.ndarray:
        """float32 [4]: x0, y0, x1, y1 of about what the mesh of a frontal face would cover."""
        half_width, half_height = self.side_px * MESH_OF_ROI[0] / 2, self.side_px * MESH_OF_ROI[1] / 2
        c, s = abs(math.cos(self.roll_rad)), abs(math.sin(self.roll_rad))
        dx, dy = c * half_width + s * half_height, s * half_width + c * half_height
        return np.array([self.x_px - dx, self.y_px - dy, self.x_px + dx, self.y_px + dy], np.float32)


@dataclass(frozen=True, slots=True)
class Detection:
    """A head the detector proposes."""

    roi: Roi
    score: float
    """0..1."""


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes [4]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = float(width * height)
    return shared / float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

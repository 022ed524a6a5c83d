"""The pinhole camera that every estimate is made for: `fx fy cx cy` in pixels.

Without calibration a vertical field of view of 63 degrees is assumed, a common webcam's. It knows nothing of lenses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tracker.errors import SettingsError

DEFAULT_VERTICAL_FOV_DEG = 63.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole without distortion, square to the image, in pixels of the upright source image."""

    fx: float
    fy: float
    cx: float
    cy: float

    @staticmethod
    def from_fov(width_px: int, height_px: int, vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG) -> Camera:
        """Square pixels, principal point in the middle. Raises SettingsError outside 5 to 150 degrees."""
        if not 5.0 <= vertical_fov_deg <= 150.0:
            raise SettingsError(f"vertical field of view {vertical_fov_deg} degrees; give 5 to 150 (webcams: 40 to 70)")
        focal = height_px / 2 / math.tan(math.radians(vertical_fov_deg) / 2)
        return Camera(focal, focal, width_px / 2, height_px / 2)

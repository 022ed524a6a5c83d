"""The pinhole camera that every estimate is made for: `fx fy cx cy` in pixels.

Without calibration a vertical field of view of 63 degrees is assumed, a common webcam's. It knows nothing of lenses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from tracker.errors import SettingsError

DEFAULT_VERTICAL_FOV_DEG = 63.0
LEAST_FOV_DEG, MOST_FOV_DEG = 5.0, 150.0


def require_fov(vertical_fov_deg: float) -> None:
    """Raises SettingsError outside 5 to 150 degrees."""
    if not isinstance(vertical_fov_deg, Real) or not LEAST_FOV_DEG <= vertical_fov_deg <= MOST_FOV_DEG:
        raise SettingsError(
            f"vertical_fov_deg {vertical_fov_deg!r}; give {LEAST_FOV_DEG:.0f} to {MOST_FOV_DEG:.0f} degrees (webcams: "
            "40 to 70)"
        )


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
        require_fov(vertical_fov_deg)
        focal = height_px / 2 / math.tan(math.radians(vertical_fov_deg) / 2)
        return Camera(focal, focal, width_px / 2, height_px / 2)

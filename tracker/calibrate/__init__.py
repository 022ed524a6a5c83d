"""Calibration: a person's own neutral face and range of motion, learned from a take and applied to faces."""

from tracker.calibrate.calibrator import CalibrateSettings, Calibrator
from tracker.calibrate.profile import Profile, ShapeRange, read_profile, require_place, write_profile
from tracker.calibrate.take import Take, learn

__all__ = [
    "CalibrateSettings",
    "Calibrator",
    "Profile",
    "ShapeRange",
    "Take",
    "learn",
    "read_profile",
    "require_place",
    "write_profile",
]

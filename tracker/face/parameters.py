"""What we say about one face in one frame: the published estimate and its parts.

Given by the smoother, read by the publisher, the API and every client. Frame of reference everywhere: OpenCV camera
axes (x right, y down, z forward), millimetres, right-handed; left and right are the subject's. Head space: origin
midway between the eyeball centres, axes parallel to the camera's when the head looks straight into it, so a face that
looks straight ahead looks along -z. It does not know how any of it was found.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

LANDMARKS = 478
EXPRESSIONS = 52


class TrackState(IntEnum):
    """Where a track stands. The number is what goes over the wire."""

    ACQUIRING = 0
    """A face was found, but not yet in enough frames in a row to be sure."""
    TRACKING = 1
    """The face is seen in this frame."""
    COASTING = 2
    """The face was not seen in this frame; the last estimate is held."""
    LOST = 3
    """Held for too long: the last message of this track."""


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """Standard deviations, one entry per block: what the network predicts of its own errors, with what the filters
    cannot know."""

    expression: np.ndarray
    """float32 [52], in coefficients."""
    identity: float
    """In units of the identity coefficients (which have unit variance over people)."""
    rotation_rad: float
    """Geodesic angle."""
    translation_mm: np.ndarray
    """float32 [3], camera axes."""
    landmarks_px: float
    """Of one landmark, in source pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame, as published. Arrays belong to the holder: they are never written again."""

    track_id: int
    """Stays with one person while tracked; not reused within a publisher's epoch."""
    state: TrackState
    landmarks_px: np.ndarray
    """float32 [478, 3]: x, y in source pixels, z at the same scale relative to the head's origin, nearer is
    smaller. MediaPipe order. From the filtered estimate."""
    blendshapes: np.ndarray
    """float32 [52] in 0..1, filtered, in the order of `ARKIT_NAMES`; calibrated where `profile_id` says so."""
    blendshapes_raw: np.ndarray
    """float32 [52] in 0..1, of this frame alone."""
    rotation: np.ndarray
    """float32 [3, 3]: cam_from_head, filtered."""
    rotation_raw: np.ndarray
    """float32 [3, 3]: cam_from_head, of this frame alone."""
    translation_mm: np.ndarray
    """float32 [3]: the head's origin in camera space, filtered."""
    translation_raw_mm: np.ndarray
    """float32 [3]: the same, of this frame alone."""
    identity: np.ndarray
    """float32 [I]: coefficients of the face model's identity basis, averaged over the track."""
    gaze: np.ndarray
    """float32 [2, 3]: unit vectors in head space, left eye first, filtered."""
    lighting: np.ndarray
    """float32 [9, 3]: spherical-harmonics coefficients (order 2, RGB) of the light on the face, camera axes."""
    confidence: float
    """0..1: that this is a face and that the fit holds."""
    region_confidence: np.ndarray
    """float32 [5] in 0..1, in the order of `REGIONS`: eyes, brows, mouth, jaw, cheeks."""
    deviation: Deviation
    """Standard deviations of the blocks above; of the shapes before they were calibrated."""
    profile_id: bytes = b""
    """8 bytes: the calibration profile that `blendshapes` went through; empty where none did."""

    def __post_init__(self) -> None:
        for name, shape in _SHAPES.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"Face.{name} has shape {found}; it must be {shape}")

    def __repr__(self) -> str:
        shown = []
        for field in fields(self):
            value = getattr(self, field.name)
            shown.append(f"{field.name}={list(value.shape) if isinstance(value, np.ndarray) else value!r}")
        return f"Face({', '.join(shown)})"


_SHAPES: dict[str, tuple[int, ...]] = {
    "landmarks_px": (LANDMARKS, 3),
    "blendshapes": (EXPRESSIONS,),
    "blendshapes_raw": (EXPRESSIONS,),
    "rotation": (3, 3),
    "rotation_raw": (3, 3),
    "translation_mm": (3,),
    "translation_raw_mm": (3,),
    "gaze": (2, 3),
    "lighting": (9, 3),
    "region_confidence": (5,),
}

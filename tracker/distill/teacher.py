"""The teacher: MediaPipe's Face Landmarker asked one image at a time.

Given RGB arrays it returns, per face, 478 landmarks in pixels and one score per ARKit shape. It is used to label
training data; nothing at run time imports it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import AssetError, BackendUnavailable
from tracker.face.expression import from_mediapipe

NEEDS_EXTRA = "the teacher needs MediaPipe: pip install 'facewire[train]'"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the teacher says about one face."""

    landmarks_px: np.ndarray
    """float32 [478, 3]: x, y in image pixels, z at the same scale, smaller is nearer."""
    scores: np.ndarray
    """float32 [52] in ARKit order; `tongueOut`, which the teacher lacks, is zero."""


class Teacher:
    """MediaPipe Face Landmarker, `max_faces` faces an image. Raises AssetError for a bad model file."""

    def __init__(self, model_path: str | Path, max_faces: int = 1) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        path = Path(model_path)
        if not path.is_file():
            raise AssetError(f"no teacher model at {path}; give the path of a face_landmarker.task file")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise BackendUnavailable(NEEDS_EXTRA) from error
        self._image = mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            running_mode=vision.RunningMode.IMAGE,
            output_face_blendshapes=True,
            num_faces=max_faces,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise AssetError(
                f"{path} is not a Face Landmarker bundle ({str(error).splitlines()[0]}); "
                "give the float16 face_landmarker.task with blendshapes"
            ) from error

    def __call__(self, rgb: np.ndarray) -> list[Lesson]:
        """Label `rgb` (uint8 [H, W, 3]); an empty list where no face is found."""
        height, width = rgb.shape[:2]
        # MediaPipe misreads rows with padding without an error, so the array is made contiguous here, always.
        image = self._image(image_format=self._format, data=np.ascontiguousarray(rgb))
        result = self._landmarker.detect(image)
        lessons = []
        for points, shapes in zip(result.face_landmarks, result.face_blendshapes, strict=True):
            landmarks = np.array([(p.x * width, p.y * height, p.z * width) for p in points], np.float32)
            scores = np.array(from_mediapipe({s.category_name: s.score for s in shapes}), np.float32)
            lessons.append(Lesson(landmarks, scores))
        return lessons

    def close(self) -> None:
        """Free the native graph."""
        self._landmarker.close()

"""The peer in every comparison: MediaPipe's Face Landmarker, as a user of its tasks API would call it.

Given RGB arrays it answers with landmarks in pixels, scores in ARKit's order and the head's rotation in our camera
axes. IMAGE mode is the teacher of the accuracy benches, VIDEO mode the competitor of the latency bench. It knows
nothing of our pipeline.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import AssetError, BackendUnavailable
from tracker.face.expression import from_mediapipe

NEEDS_EXTRA = "the peer needs MediaPipe: pip install 'facewire[bench]'"
# MediaPipe's matrix carries a head whose y is up and z towards the viewer into a camera with the same axes (OpenGL);
# ours has y down and z forward in both spaces, so a half turn about x stands on either side of the rotation.
_HALF_TURN_X = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the peer says about one face."""

    landmarks_px: np.ndarray
    """float32 [478, 3]: x, y in image pixels, z at the same scale, smaller is nearer."""
    scores: np.ndarray
    """float32 [52] in ARKit order; `tongueOut`, which the peer lacks, is zero."""
    rotation: np.ndarray
    """float32 [3, 3]: cam_from_head in OpenCV axes."""


def contiguous_rgb(frame: Any) -> np.ndarray:
    """uint8 [H, W, 3] from an `av.VideoFrame`, upright. PyAV pads the rows of some widths, and MediaPipe 1.2.2
    misreads padded rows without an error, so the array is always made contiguous."""
    rgb: np.ndarray = frame.to_ndarray(format="rgb24")
    quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns) if quarter_turns else rgb)


class Landmarker:
    """Face Landmarker with blendshapes and matrices on. Raises AssetError for a bad model file, BackendUnavailable
    where MediaPipe is not installed."""

    def __init__(self, model_path: str | Path, *, video: bool = False, max_faces: int = 1) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        path = Path(model_path)
        if not path.is_file():
            raise AssetError(f"no peer model at {path}; give the path of a face_landmarker.task file")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise BackendUnavailable(NEEDS_EXTRA) from error
        self._mediapipe = mediapipe
        self._video = video
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=max_faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"{path} is not a Face Landmarker bundle ({str(error).splitlines()[0]}); "
                "give the float16 face_landmarker.task with blendshapes"
            ) from error

    def detect(self, rgb: np.ndarray, time_ms: int = 0) -> Any:
        """The call that is timed: MediaPipe's own result for a contiguous uint8 [H, W, 3]. In VIDEO mode `time_ms`
        must grow from call to call; in IMAGE mode it is not read."""
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb)
        return self._landmarker.detect_for_video(image, time_ms) if self._video else self._landmarker.detect(image)

    def __call__(self, rgb: np.ndarray, time_ms: int = 0) -> list[Answer]:
        """The faces in `rgb` (uint8 [H, W, 3], any strides); empty where none is found."""
        height, width = rgb.shape[:2]
        result = self.detect(np.ascontiguousarray(rgb), time_ms)
        return answers_from(result, width, height)

    def close(self) -> None:
        """Free the native graph."""
        self._landmarker.close()

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answers_from(result: Any, width_px: int, height_px: int) -> list[Answer]:
    """MediaPipe's result as one `Answer` a face."""
    answers = []
    faces = zip(result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True)
    for points, shapes, matrix in faces:
        landmarks = np.array([(p.x * width_px, p.y * height_px, p.z * width_px) for p in points], np.float32)
        scores = np.array(from_mediapipe({s.category_name: s.score for s in shapes}), np.float32)
        answers.append(Answer(landmarks, scores, rotation_from_matrix(np.asarray(matrix))))
    return answers


def rotation_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """cam_from_head float32 [3, 3] in OpenCV axes from MediaPipe's 4x4 facial transformation matrix, its scale
    removed."""
    turned = matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))
    return (_HALF_TURN_X[:, None] * turned * _HALF_TURN_X).astype(np.float32)

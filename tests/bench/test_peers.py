"""The peer: its conventions turned into ours, and its model where the data folder has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench.metrics import pitch_yaw_roll_deg
from tracker.bench.peers import Landmarker, contiguous_rgb, rotation_from_matrix
from tracker.errors import AssetError
from tracker.face.pose import exp_so3


def test_the_matrix_loses_its_scale_and_turns_its_axes() -> None:
    # In OpenGL's axes (y up, z to the viewer) a positive turn about y shows the viewer the head's own right cheek:
    # the nose goes to the image's right. OpenCV's axes are half a turn about x away, where it is negative.
    matrix = np.eye(4)
    matrix[:3, :3] = 9.5 * exp_so3(np.array([0, 0.3, 0]))
    matrix[:3, 3] = 1, 2, -40
    np.testing.assert_allclose(rotation_from_matrix(matrix), exp_so3(np.array([0, -0.3, 0])), atol=1e-6)
    matrix[:3, :3] = exp_so3(np.array([0.2, 0, 0]))
    np.testing.assert_allclose(rotation_from_matrix(matrix), exp_so3(np.array([0.2, 0, 0])), atol=1e-6)


def test_rows_are_never_padded() -> None:
    av = pytest.importorskip("av")
    picture = np.arange(10 * 650 * 3, dtype=np.uint32).astype(np.uint8).reshape(10, 650, 3)
    rgb = contiguous_rgb(av.VideoFrame.from_ndarray(picture, format="rgb24"))
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, picture)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no peer model at .*face_landmarker.task"):
        Landmarker(tmp_path / "none.task")


def test_a_wrong_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    (tmp_path / "wrong.task").write_bytes(b"not a bundle" * 100)
    with pytest.raises(AssetError, match="wrong.task is not a Face Landmarker bundle"):
        Landmarker(tmp_path / "wrong.task")


def test_a_face_is_found_and_turned_as_the_truth_says(data_dir: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("mediapipe")
    folder = data_dir / "eval/aflw2000"
    with np.load(folder / "truth.npz") as truth:
        yaws = truth["pitch_yaw_roll_deg"][:, 1]
        chosen = [int(np.abs(yaws - wanted).argmin()) for wanted in (-40, 40)]
        images, angles = truth["image"][chosen], truth["pitch_yaw_roll_deg"][chosen]
    with Landmarker(data_dir / "teacher/face_landmarker.task", max_faces=5) as landmarker:
        for image, wanted in zip(images, angles, strict=True):
            rgb = np.ascontiguousarray(cv2.imread(str(folder / str(image)))[:, :, ::-1])
            (answer,) = landmarker(rgb)
            assert answer.landmarks_px.shape == (478, 3) and answer.scores.shape == (52,)
            assert abs(pitch_yaw_roll_deg(answer.rotation)[1] - wanted[1]) < 15

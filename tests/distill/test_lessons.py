"""What the student and the detector are shown: geometry of crops and truth, without any real face."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill import augment  # noqa: E402
from tracker.distill.augment import Look  # noqa: E402
from tracker.distill.corpus import SYNTHETIC, Corpus  # noqa: E402
from tracker.distill.lessons import Poses, carry, known_poses  # noqa: E402
from tracker.distill.scenes import CELL_PX, CELLS, VIEW_PX, mark  # noqa: E402
from tracker.regress.outputs import CROP_PX  # noqa: E402


def test_the_centre_of_a_look_lands_in_the_middle():
    look = Look(np.array([90.0, 70.0]), 64.0, 0.5)
    warp = look.crop_from_patch()
    assert np.allclose(warp @ [90, 70, 1], [CROP_PX / 2, CROP_PX / 2])
    assert np.isclose(np.sqrt(np.linalg.det(warp[:, :2])), CROP_PX / 64)


def test_a_look_agrees_with_the_square_of_the_run_time():
    from tracker.detect.roi import Roi

    forth = Look(np.array([90.0, 70.0]), 64.0, 0.5).crop_from_patch()
    back = Roi(90.0, 70.0, 64.0, 0.5).px_from_crop(CROP_PX)
    assert np.allclose(np.vstack([forth, [0, 0, 1]]) @ np.vstack([back, [0, 0, 1]]), np.eye(3))


def test_landmarks_move_with_the_pixels():
    patch = np.zeros((224, 224, 3), np.uint8)
    cv2.circle(patch, (130, 80), 3, (255, 255, 255), -1)
    warp = Look(np.array([112.0, 100.0]), 100.0, -0.4).crop_from_patch()
    crop = augment.cut(patch, warp, np.random.default_rng(0))
    ys, xs = np.nonzero(crop[:, :, 0] > 128)
    point = carry(np.array([[130.0, 80.0, 10.0]]), warp)[0]
    assert np.hypot(xs.mean() - point[0], ys.mean() - point[1]) < 0.7
    assert np.isclose(point[2], 10 * CROP_PX / 100)


def test_damage_keeps_shape_and_type_whatever_happens():
    rng = np.random.default_rng(3)
    for _ in range(60):
        crop = augment.damage(rng.integers(0, 256, (CROP_PX, CROP_PX, 3), np.uint8), rng, augment.texture(rng))
        assert crop.shape == (CROP_PX, CROP_PX, 3) and crop.dtype == np.uint8


def test_an_erased_face_is_gone():
    patch = np.full((224, 224, 3), 200, np.uint8)
    patch[80:140, 80:140] = np.random.default_rng(0).integers(0, 256, (60, 60, 3))
    for seed in range(6):
        erased = augment.erase_face(patch, np.array([75, 75, 145, 145]), np.random.default_rng(seed))
        assert (erased[80:140, 80:140] == patch[80:140, 80:140]).mean() < 0.2


def test_marks_read_back_as_the_head_they_were_made_from():
    truth = np.zeros((7, CELLS, CELLS), np.float32)
    mark(truth, 100.0, 61.0, 48.0, 0.3)
    y, x = np.unravel_index(truth[0].argmax(), truth[0].shape)
    assert np.isclose((x + 0.5 + truth[1, y, x]) * CELL_PX, 100, atol=1e-3)
    assert np.isclose((y + 0.5 + truth[2, y, x]) * CELL_PX, 61, atol=1e-3)
    assert np.isclose(np.exp(truth[3, y, x]) * VIEW_PX, 48, rtol=1e-4)
    assert np.isclose(np.arctan2(truth[4, y, x], truth[5, y, x]), 0.3, atol=1e-5)


def test_synthetic_faces_keep_the_poses_they_were_made_with(tmp_path):
    rng = np.random.default_rng(0)
    landmarks = rng.normal(100, 30, (4, 478, 3)).astype(np.float32)
    made = {"landmarks": landmarks[:3], "rotation": rng.normal(size=(3, 3, 3)).astype(np.float32),
            "scale": np.float32([1, 2, 3]), "centre": rng.normal(100, 9, (3, 2)).astype(np.float32)}  # fmt: skip
    (tmp_path / "synthetic").mkdir()
    np.savez(tmp_path / "synthetic/labels.npz", **made)
    nothing = np.zeros(4, np.int32)
    # A labelled face, and two of the three synthetic ones in another order, as an open corpus has them.
    corpus = Corpus(
        np.zeros((4, 1)), landmarks[[3, 2, 0, 3]], np.zeros((4, 52)), nothing, nothing,
        np.array([0, SYNTHETIC, SYNTHETIC, 1]), nothing > 0, nothing > 0,
    )  # fmt: skip
    fitted = Poses(np.zeros((4, 3, 3)), np.zeros(4), np.zeros((4, 2)), np.zeros((4, 478, 2)))
    poses = known_poses(tmp_path, corpus, fitted)
    for name in ("rotation", "scale", "centre"):
        found = getattr(poses, name)
        assert np.allclose(found[[1, 2]], made[name][[2, 0]]) and not found[[0, 3]].any()
    assert not fitted.scale.any()

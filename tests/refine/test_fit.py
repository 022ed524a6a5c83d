"""From the network's vector to a head in the picture, checked against geometry done by hand."""

import math

import numpy as np

from tracker.detect.roi import Roi
from tracker.face.camera import Camera
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3
from tracker.kernels.backend import choose
from tracker.refine.fit import Refiner, orthonormal
from tracker.refine.identity import IdentityMemory
from tracker.refine.light import Light, harmonics
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH
from tracker.regress.regressor import Guess
from tracker.smooth.estimate import Estimator, place


def a_guess(roi, **parts):
    output = np.zeros(WIDTH, np.float32)
    output[SLICES["rotation"]] = [1, 0, 0, 0, 1, 0]
    for name in SLICES:
        if name.endswith("log_std"):
            output[SLICES[name]] = -4
    for name, value in parts.items():
        output[SLICES[name]] = value
    return Guess(roi, np.zeros((3, CROP_PX, CROP_PX), np.float32), output, 0.9)


def test_a_neutral_vector_puts_the_anchor_in_the_middle():
    fit = Refiner(1, 64)(a_guess(Roi(200.0, 100.0, ROI_SIDE_MM, 0.0)), 0)
    assert np.isclose(fit.scale_px_per_mm, 1.0)
    assert np.allclose(fit.center_px, [200, 100 - ROI_CENTRE_MM[1]])
    assert np.allclose(fit.rotation, np.eye(3)) and fit.plausible


def test_the_square_of_a_fit_is_the_square_it_came_from():
    roi = Roi(320.0, 240.0, 180.0, 0.4)
    back = Refiner(1, 64)(a_guess(roi), 0).roi()
    for name in ("x_px", "y_px", "side_px", "roll_rad"):
        assert math.isclose(getattr(back, name), getattr(roi, name), abs_tol=1e-4)


def test_expression_is_clipped_and_doubt_costs_confidence():
    refiner = Refiner(1, 64)
    sure = refiner(a_guess(Roi(0, 0, 100, 0), expression=1.7, region_log_std=-6), 0).region_confidence.copy()
    fit = refiner(a_guess(Roi(0, 0, 100, 0), expression=-0.3, region_log_std=-2), 0)
    assert (fit.expression == 0).all()
    assert (fit.region_confidence < sure * 0.3).all()


def test_far_off_guesses_are_not_followed():
    refiner = Refiner(1, 64)
    assert not refiner(a_guess(Roi(0, 0, 100, 0), log_scale=1.4), 0).plausible
    assert not refiner(a_guess(Roi(0, 0, 100, 0), centre=[0.8, 0]), 0).plausible


def test_orthonormal_is_a_rotation_for_any_six_numbers():
    for seed in range(5):
        r = orthonormal(np.random.default_rng(seed).normal(size=6).astype(np.float32))
        assert np.allclose(r.T @ r, np.eye(3), atol=1e-9) and np.isclose(np.linalg.det(r), 1)


def test_place_projects_back_to_where_the_head_is():
    camera = Camera.from_fov(640, 480)
    rotation, translation = place(exp_so3(np.array([0.1, 0.3, 0])), np.array([500.0, 100.0]), 2.0, camera)
    x, y, z = translation
    assert np.allclose([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], [500, 100])
    assert np.isclose(z, camera.fx / 2.0) and np.isclose(np.linalg.det(rotation), 1)


def test_a_head_that_faces_the_camera_off_axis_is_turned_towards_it():
    camera = Camera.from_fov(640, 480)
    rotation, translation = place(np.eye(3), np.array([600.0, 240.0]), 2.0, camera)
    nose = rotation @ [0, 0, -1]
    assert np.allclose(nose, -translation / np.linalg.norm(translation), atol=1e-9)


def test_landmarks_of_the_mean_face_and_straight_gaze():
    model, kernels = FaceModel.load(), choose()
    estimator = Estimator(model, kernels.morph, kernels.project)
    zeros = np.zeros(52, np.float32)
    points = estimator.landmarks(np.zeros(64, np.float32), zeros, np.eye(3), np.array([100.0, 50.0]), 2.0)
    assert np.allclose(points[:, :2], model.mean_mm[:, :2] * 2 + [100, 50], atol=1e-3)
    assert np.allclose(points[:, 2], model.mean_mm[:, 2] * 2, atol=1e-3)
    assert np.allclose(estimator.gaze(zeros), [[0, 0, -1], [0, 0, -1]])


def test_looking_left_turns_both_eyes_to_the_subjects_left():
    from tracker.face.expression import ARKIT_INDEX

    model, kernels = FaceModel.load(), choose()
    expression = np.zeros(52, np.float32)
    expression[[ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInRight"]]] = 0.8
    gaze = Estimator(model, kernels.morph, kernels.project).gaze(expression)
    assert (gaze[:, 0] > 0.15).all() and np.allclose(np.linalg.norm(gaze, axis=1), 1)


def test_identity_settles_and_does_not_mix_people():
    memory, refiner = IdentityMemory(1, 64), Refiner(1, 64)
    rng = np.random.default_rng(0)
    for _ in range(200):
        noisy = refiner(a_guess(Roi(0, 0, 100, 0), identity=1 + rng.normal(0, 1, 64)), 0, 5)
        mean = memory(0, noisy).copy()
    assert abs(mean - 1).mean() < 0.15
    fresh = memory(0, refiner(a_guess(Roi(0, 0, 100, 0), identity=-2), 0, 6))
    assert np.allclose(fresh, -2)


def test_light_from_one_side_is_seen_as_such():
    model = FaceModel.load()
    light = Light(model)
    roi = Roi(64.0, 64.0, 128.0, 0.0)
    crop = np.tile(np.linspace(40, 220, CROP_PX, dtype=np.float32), (3, CROP_PX, 1))
    guess = Guess(roi, crop, np.zeros(WIDTH, np.float32), 1.0)
    fit = Refiner(1, 64)(a_guess(roi), 0)
    out = np.zeros((9, 3), np.float32)
    light(guess, fit, out)
    assert (out[3] > 0.05).all(), "the image's right is brighter: light from +x"
    assert np.isfinite(out).all()


def test_harmonics_are_orthonormal_over_the_sphere():
    normals = np.random.default_rng(0).normal(size=(200_000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    basis = harmonics(normals, np.zeros((len(normals), 9)))
    assert np.allclose(basis.T @ basis * 4 * np.pi / len(normals), np.eye(9), atol=0.03)

"""From filtered parameters to what is published: the mesh in the picture, gaze, and the face at rest that is kept."""

import numpy as np
import pytest

from tracker.detect.roi import Roi
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel
from tracker.face.parameters import TrackState
from tracker.face.pose import exp_so3
from tracker.kernels.backend import choose
from tracker.refine.fit import Fit
from tracker.smooth.estimate import IDENTITY_STEP_MM, Estimator
from tracker.smooth.track_filter import Filtered

CAMERA = Camera.from_fov(640, 480)
LIGHT = np.zeros((9, 3), np.float32)


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


@pytest.fixture
def estimator(model):
    kernels = choose()
    return Estimator(model, kernels.morph, kernels.project, kernels.portray)


def a_fit(track_id=0):
    five, many = np.full(5, 0.64, np.float32), np.full(52, 0.1, np.float32)
    return Fit(
        track_id, many, np.zeros(64, np.float32), np.eye(3), np.array([300.0, 200.0]), 2.0, 0.9, five, 0.64, many,
        0.1, 0.2, 4.0, 0.05, True,
    )  # fmt: skip


def filtered(expression=None, rotation=None):
    expression = np.zeros(52, np.float32) if expression is None else expression
    turned = np.eye(3) if rotation is None else rotation
    return Filtered(expression, turned, np.array([310.0, 190.0]), 2.5, np.zeros(58, np.float32))


def test_landmarks_of_the_mean_face(model, estimator):
    zeros = np.zeros(52, np.float32)
    points = estimator.landmarks(np.zeros(64, np.float32), zeros, np.eye(3), np.array([100.0, 50.0]), 2.0)
    assert np.allclose(points[:, :2], model.mean_mm[:, :2] * 2 + [100, 50], atol=1e-3)
    assert np.allclose(points[:, 2], model.mean_mm[:, 2] * 2, atol=1e-3)


def test_a_published_face_has_the_mesh_of_its_parameters(estimator):
    rng = np.random.default_rng(0)
    rotation, identity = exp_so3(np.array([0.1, 0.4, 0.0])), rng.normal(0, 1, 64).astype(np.float32)
    estimate = filtered(rng.random(52).astype(np.float32), rotation)
    face = estimator(a_fit(), estimate, identity, CAMERA, LIGHT, TrackState.ACQUIRING)
    wanted = estimator.landmarks(identity, estimate.expression, rotation, estimate.center_px, 2.5)
    assert np.abs(face.landmarks_px - wanted).max() < 1e-3 + 2.5 * 64 * IDENTITY_STEP_MM
    assert np.array_equal(face.blendshapes, estimate.expression) and face.state == TrackState.ACQUIRING
    assert np.isclose(face.confidence, 0.9 * 0.8)
    x, y, z = face.translation_mm
    assert np.allclose([CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy], [310, 190], atol=1e-3)
    assert np.isclose(z, CAMERA.fx / 2.5) and np.isclose(face.translation_raw_mm[2], CAMERA.fx / 2.0)
    assert np.isclose(face.deviation.translation_mm[2], 0.05 * z)


def test_what_is_uncertain_of_the_distance_is_so_of_the_place_beside_the_axis(estimator):
    """Deviations in camera axes, against translations drawn from those of the place in the picture and of the size."""
    rng, camera = np.random.default_rng(3), Camera(500.0, 500.0, 60.0, 240.0)
    face = estimator(a_fit(), filtered(), np.zeros(64, np.float32), camera, LIGHT)
    place_px = np.array([310.0, 190.0]) + rng.normal(0, 2 * 2.5, (40_000, 2))  # the fit's 2 mm, at 2.5 px a mm
    depth = 500 / 2.5 * np.exp(rng.normal(0, 0.05, 40_000))
    drawn = np.column_stack([(place_px - [60, 240]) / 500 * depth[:, None], depth])
    np.testing.assert_allclose(face.translation_mm, drawn.mean(0), atol=1)
    np.testing.assert_allclose(face.deviation.translation_mm, drawn.std(0), rtol=0.03)
    assert np.isclose(face.deviation.landmarks_px, 2 * 2.5, rtol=0.03)


def test_a_wandering_identity_is_followed_to_the_stated_step(model, estimator):
    rng = np.random.default_rng(1)
    identity = rng.normal(0, 1, 64).astype(np.float32)
    for _ in range(300):
        identity += rng.normal(0, 0.002, 64).astype(np.float32)
        face = estimator(a_fit(), filtered(), identity, CAMERA, LIGHT)
    wanted = estimator.landmarks(identity, np.zeros(52), np.eye(3), np.array([310.0, 190.0]), 2.5)
    assert np.abs(face.landmarks_px - wanted).max() < 1e-3 + 2.5 * 64 * IDENTITY_STEP_MM


def test_faces_at_rest_do_not_mix(model, estimator):
    one, other = np.full(64, 1.5, np.float32), np.full(64, -1.5, np.float32)
    first = estimator(a_fit(1), filtered(), one, CAMERA, LIGHT).landmarks_px
    estimator(a_fit(2), filtered(), other, CAMERA, LIGHT)
    assert np.array_equal(estimator(a_fit(1), filtered(), one, CAMERA, LIGHT).landmarks_px, first)
    estimator.drop(1)
    assert 1 not in estimator._rests and 2 in estimator._rests
    estimator.reset()
    assert not estimator._rests


def test_gaze_is_straight_at_rest_and_turns_to_the_subjects_left(estimator):
    zeros = np.zeros(64, np.float32)
    assert np.allclose(estimator(a_fit(), filtered(), zeros, CAMERA, LIGHT).gaze, [[0, 0, -1], [0, 0, -1]])
    expression = np.zeros(52, np.float32)
    expression[[ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInRight"]]] = 0.8
    gaze = estimator(a_fit(), filtered(expression), zeros, CAMERA, LIGHT).gaze
    assert (gaze[:, 0] > 0.15).all() and np.allclose(np.linalg.norm(gaze, axis=1), 1)


def test_only_looks_turn_the_eyes(estimator):
    expression = np.zeros(52, np.float32)
    expression[[ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["jawOpen"], ARKIT_INDEX["eyeSquintRight"]]] = 1.0
    gaze = estimator(a_fit(), filtered(expression), np.zeros(64, np.float32), CAMERA, LIGHT).gaze
    assert np.allclose(gaze, [[0, 0, -1], [0, 0, -1]])


def test_the_next_square_follows_the_fit():
    roi = a_fit().roi()
    assert isinstance(roi, Roi) and np.isclose(roi.side_px, 448) and np.allclose([roi.x_px, roi.y_px], [300, 260])

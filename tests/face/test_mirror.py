"""The laws of a mirror: twice is nothing, left is right, and geometry and pictures agree."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tracker.face.expression import ARKIT_INDEX
from tracker.face.mirror import identity_sign, mirrored, mirrored_vertices
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.pose import yaw_pitch_roll_rad
from tracker.face.topology import LEFT_IRIS, OUTER_EYE_CORNERS, RIGHT_IRIS
from tracker.wire import decode

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "frame_v1_0.bin"
WIDTH_PX = 1280


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


@pytest.fixture
def face(model: FaceModel) -> Face:
    """A face whose landmarks are its model's, seen by a scaled orthographic camera."""
    known = decode(GOLDEN.read_bytes()).faces[1]
    vertices = vertices_of(model, known)
    landmarks = 1.5 * vertices @ known.rotation.T + np.float32([700, 300, 0])
    return replace(known, landmarks_px=landmarks.astype(np.float32))


def vertices_of(model: FaceModel, face: Face) -> np.ndarray:
    moved = np.einsum("i,ivk->vk", face.identity, model.identity_mm)
    return model.mean_mm + moved + np.einsum("e,evk->vk", face.blendshapes, model.expression_mm)


def test_twice_is_nothing(model: FaceModel, face: Face) -> None:
    sign = identity_sign(model.identity_mm, model.mirror_index)
    twice = face
    for _ in range(2):
        twice = mirrored(twice, WIDTH_PX, model.mirror_index, sign)
    for field in fields(Face):
        before, after = getattr(face, field.name), getattr(twice, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_allclose(after, before, rtol=0, atol=1e-4, err_msg=field.name)
            assert after.dtype == before.dtype, field.name
    np.testing.assert_array_equal(twice.deviation.expression, face.deviation.expression)


def test_left_is_right(model: FaceModel, face: Face) -> None:
    other = mirrored(face, WIDTH_PX, model.mirror_index)
    for left in ("eyeBlinkLeft", "jawLeft", "mouthSmileLeft", "browDownLeft"):
        right = left.replace("Left", "Right")
        assert other.blendshapes[ARKIT_INDEX[right]] == face.blendshapes[ARKIT_INDEX[left]]
        assert other.blendshapes_raw[ARKIT_INDEX[left]] == face.blendshapes_raw[ARKIT_INDEX[right]]
    assert other.blendshapes[ARKIT_INDEX["jawOpen"]] == face.blendshapes[ARKIT_INDEX["jawOpen"]]
    right_corner, left_corner = OUTER_EYE_CORNERS
    assert other.landmarks_px[left_corner, 0] == pytest.approx(WIDTH_PX - face.landmarks_px[right_corner, 0])
    assert other.landmarks_px[LEFT_IRIS[0], 1] == face.landmarks_px[RIGHT_IRIS[0], 1]
    np.testing.assert_array_equal(other.gaze[0], face.gaze[1] * [-1, 1, 1])


def test_yaw_and_roll_turn_round_and_pitch_stays(model: FaceModel, face: Face) -> None:
    other = mirrored(face, WIDTH_PX, model.mirror_index)
    yaw, pitch, roll = yaw_pitch_roll_rad(face.rotation)
    assert abs(yaw) > 0.1
    np.testing.assert_allclose(yaw_pitch_roll_rad(other.rotation), (-yaw, pitch, -roll), atol=1e-6)
    assert np.linalg.det(other.rotation_raw) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(other.translation_mm, face.translation_mm * [-1, 1, 1])


def test_the_models_mesh_of_a_mirrored_face_is_the_mirrored_mesh(model: FaceModel, face: Face) -> None:
    """Identity, expression and landmarks are flipped by three different tables: they must tell the same story."""
    sign = identity_sign(model.identity_mm, model.mirror_index)
    assert set(np.unique(sign)) == {-1, 1}
    other = mirrored(face, WIDTH_PX, model.mirror_index, sign)
    mesh = vertices_of(model, other)
    np.testing.assert_allclose(mesh, mirrored_vertices(vertices_of(model, face), model.mirror_index), atol=1e-3)
    projected = 1.5 * mesh @ other.rotation.T + np.float32([WIDTH_PX - 700, 300, 0])
    np.testing.assert_allclose(projected, other.landmarks_px, atol=1e-2)


def test_light_comes_from_the_other_side(model: FaceModel, face: Face) -> None:
    """The harmonics' sum over a normal is that of the flipped normal under the flipped light."""
    other = mirrored(face, WIDTH_PX, model.mirror_index)
    for normal in np.random.default_rng(0).normal(size=(5, 3)):
        np.testing.assert_allclose(_shade(face, normal), _shade(other, normal * [-1, 1, 1]), rtol=1e-5)


def _shade(face: Face, normal: np.ndarray) -> np.ndarray:
    x, y, z = normal
    return np.array([1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]) @ face.lighting


def test_the_given_face_is_left_alone(model: FaceModel, face: Face) -> None:
    before = face.landmarks_px.copy()
    mirrored(face, WIDTH_PX, model.mirror_index)
    np.testing.assert_array_equal(face.landmarks_px, before)

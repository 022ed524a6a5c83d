"""Rotations: every representation comes back as it was."""

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.face.camera import Camera
from tracker.face.pose import (
    exp_so3,
    geodesic_rad,
    log_so3,
    quaternion_from_matrix,
    ray_rotation,
    yaw_pitch_roll_rad,
)


def matrix_of(quaternion):
    """By the cross product with the axis, column by column."""
    axis, w = quaternion[:3], quaternion[3]
    return (np.eye(3) + 2 * np.cross(axis, np.cross(axis, np.eye(3)) + w * np.eye(3))).T


@pytest.mark.parametrize("seed", range(8))
def test_quaternion_and_vector_round_trip(seed):
    vector = np.random.default_rng(seed).normal(size=3)
    vector *= min(1.0, 3.0 / np.linalg.norm(vector))
    rotation = exp_so3(vector)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.allclose(log_so3(rotation), vector, atol=1e-5)
    assert np.allclose(matrix_of(quaternion_from_matrix(rotation)), rotation, atol=1e-6)


@pytest.mark.parametrize("axis", [(np.pi, 0, 0), (0, np.pi, 0), (0, 0, np.pi), (0, 0, 0)])
def test_half_turns_and_none(axis):
    rotation = exp_so3(np.array(axis))
    quaternion = quaternion_from_matrix(rotation)
    assert np.isclose(np.linalg.norm(quaternion), 1) and quaternion[3] >= 0
    assert np.allclose(matrix_of(quaternion), rotation, atol=1e-6)


def test_geodesic_is_the_angle():
    assert np.isclose(geodesic_rad(np.eye(3), exp_so3(np.array([0, 0.3, 0]))), 0.3, atol=1e-6)


def test_ray_rotation_carries_the_axis_and_nothing_more():
    direction = np.array([0.4, -0.2, 1.0])
    turn = ray_rotation(direction)
    assert np.allclose(turn @ [0, 0, 1], direction / np.linalg.norm(direction))
    assert np.isclose(np.linalg.det(turn), 1) and np.allclose(ray_rotation(np.array([0, 0, 2.0])), np.eye(3))


def test_yaw_turns_the_nose_to_the_images_left_when_positive():
    nose = exp_so3(np.array([0, 0.5, 0])) @ [0, 0, -1]
    assert nose[0] < 0
    assert np.allclose(yaw_pitch_roll_rad(exp_so3(np.array([0, 0.5, 0]))), (0.5, 0, 0), atol=1e-9)
    assert np.allclose(yaw_pitch_roll_rad(exp_so3(np.array([0, 0, 0.2]))), (0, 0, 0.2), atol=1e-9)


def test_camera_field_of_view():
    camera = Camera.from_fov(640, 480, 90.0)
    assert np.isclose(camera.fy, 240) and camera.cx == 320 and camera.cy == 240
    with pytest.raises(SettingsError, match="vertical_fov_deg 0.0; give 5 to 150"):
        Camera.from_fov(640, 480, 0.0)

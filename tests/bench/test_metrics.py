"""Every measure against a value worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench import metrics
from tracker.face.pose import exp_so3


def test_mean_distance_reads_two_coordinates() -> None:
    found = np.array([[3.0, 4.0, 99.0], [0.0, 1.0, -99.0]])
    assert metrics.mean_distance_px(found, np.zeros((2, 3))) == pytest.approx((5 + 1) / 2)


def test_scales() -> None:
    mesh = np.zeros((478, 3))
    mesh[33], mesh[263] = (1, 2, 3), (31, 42, 1000)
    assert metrics.interocular_px(mesh) == pytest.approx(50)
    points = np.zeros((68, 2))
    points[36], points[45] = (1, 2), (7, 10)
    assert metrics.interocular_68_px(points) == pytest.approx(10)
    assert metrics.box_scale_px(np.array([[1, 1], [5, 10.0]])) == pytest.approx(6)  # sqrt(4 * 9)


def test_the_68_points_are_taken_by_number() -> None:
    mesh = np.arange(478)[:, None] * np.ones(3)
    points = metrics.points_68(mesh)
    assert points.shape == (68, 2)
    # Chin, the two outer corners of the eyes, the corners of the mouth.
    assert [points[index, 0] for index in (8, 36, 45, 48, 54)] == [152, 33, 263, 61, 291]


def test_correlation_by_hand() -> None:
    theirs = np.array([[1.0, 1, 1, 5], [3, 2, 2, 5], [2, 3, 3, 5]])
    ours = np.array([[1.0, 3, 0.3, 1], [2, 2, 0.3, 2], [3, 1, 0.3, 3]])
    r = metrics.correlation(ours, theirs)
    # Deviations (-1, 0, 1) and (-1, 1, 0): product 1 over norms 2. Then opposite; ours still; theirs still.
    np.testing.assert_allclose(r[:3], [0.5, -1, 0], atol=1e-12)
    assert np.isnan(r[3])


def test_correlation_of_one_frame_is_unknown() -> None:
    assert np.isnan(metrics.correlation(np.ones((1, 52)), np.ones((1, 52)))).all()


def test_a_shape_moves_above_a_twentieth() -> None:
    # A standard deviation of 0.04 and one of 0.06.
    assert metrics.moving(np.array([[0.0, 0.0], [0.08, 0.12]])).tolist() == [False, True]
    assert not metrics.moving(np.zeros((0, 2))).any()


def test_a_mean_passes_over_what_is_no_number() -> None:
    assert metrics.mean(np.array([1.0, np.nan, 4.0])) == 2.5
    assert np.isnan(metrics.mean([])) and np.isnan(metrics.mean(iter([float("nan")])))


# Positive pitch, yaw and roll of 3DDFA as rotations about OpenCV's axes, worked out from its three matrices.
@pytest.mark.parametrize("which,axis", [(0, (-1, 0, 0)), (1, (0, 1, 0)), (2, (0, 0, 1))])
def test_euler_angles_about_one_axis(which: int, axis: tuple[int, int, int]) -> None:
    found = metrics.pitch_yaw_roll_deg(exp_so3(np.radians(25.0) * np.array(axis)))
    wanted = np.zeros(3)
    wanted[which] = 25.0
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_euler_angles_of_a_matrix_written_out() -> None:
    # Pitch 30, yaw 60, roll 0 composed by hand: Rx(p) Ry(y) in 3DDFA's axes is
    # [[cy, 0, -sy], [sp sy, cp, sp cy], [cp sy, -sp, cp cy]]; the half turn about x flips its first row and column.
    half, tall = 0.5, np.sqrt(3) / 2
    rotation = np.array([[half, 0, tall], [-half * tall, tall, half * half], [-tall * tall, -half, tall * half]])
    np.testing.assert_allclose(metrics.pitch_yaw_roll_deg(rotation), [30, 60, 0], atol=1e-9)


def test_euler_angles_and_rotation_are_inverse() -> None:
    angles = np.array([-22.9, 71.5, 34.0])
    rotation = metrics.rotation_from_pitch_yaw_roll(angles)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(metrics.pitch_yaw_roll_deg(rotation), angles, atol=1e-9)


def test_angles_wrap() -> None:
    np.testing.assert_allclose(metrics.wrapped_deg(np.array([359.0, -190, 10])), [-1, 170, 10])

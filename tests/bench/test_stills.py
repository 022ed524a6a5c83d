"""AFLW2000-3D and 300-W, on truth made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import stills
from tracker.bench.metrics import rotation_from_pitch_yaw_roll
from tracker.errors import SourceError
from tracker.face.topology import POINTS_68

ANGLES = np.array([[0.0, 10, 0], [0, 45, 0], [5, -80, 3], [0, 20, 120]])


def _points() -> np.ndarray:
    """68 points whose box is 10 wide and 40 high (scale 20) and whose eye corners are 10 apart."""
    points = np.zeros((68, 2))
    points[45] = 10, 0
    points[8] = 0, 40
    return points


def _mesh(shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    mesh = np.zeros((478, 3))
    mesh[list(POINTS_68), :2] = _points() + shift
    return mesh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = np.array([f"{index}.jpg" for index in range(4)])
    points = np.repeat(_points()[None], 4, 0)
    deep = np.concatenate([points, np.full((4, 68, 1), 7.0)], 2).transpose(0, 2, 1)
    (tmp_path / "aflw2000").mkdir()
    np.savez(tmp_path / "aflw2000/truth.npz", image=names, points_68_px=deep, pitch_yaw_roll_deg=ANGLES)
    (tmp_path / "w300").mkdir()
    np.savez(tmp_path / "w300/truth.npz", image=names, points_68_px=points)
    return tmp_path


def test_truth_of_both_kinds(folder: Path) -> None:
    aflw = stills.read_truth(folder / "aflw2000", "aflw2000")
    np.testing.assert_allclose(aflw.points_px[0], _points())
    np.testing.assert_allclose(aflw.scale_px, 20)
    # The last image's roll of 120 degrees is not to be trusted; its yaw still sorts it.
    assert np.isfinite(aflw.pitch_yaw_roll_deg).all(1).tolist() == [True, True, True, False]
    np.testing.assert_allclose(aflw.yaw_deg, ANGLES[:, 1])
    w300 = stills.read_truth(folder / "w300", "w300", limit=2)
    assert [path.name for path in w300.images] == ["0.jpg", "1.jpg"]
    np.testing.assert_allclose(w300.scale_px, 10)
    assert np.isnan(w300.yaw_deg).all()


def test_missing_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="truth.npz"):
        stills.read_truth(tmp_path, "w300")


def test_errors_misses_bins_and_pose_by_hand(folder: Path) -> None:
    truth = stills.read_truth(folder / "aflw2000", "aflw2000")
    turned = [rotation_from_pitch_yaw_roll(angles + [2, 0, 0]) for angles in ANGLES]
    turned[1] = rotation_from_pitch_yaw_roll(ANGLES[1] + [2, 6, 0])
    far = (_mesh((30, 0)), np.eye(3))
    # Off by 2 px of 20; by 4 px with a far face beside it; missed altogether; only a far face.
    ours = [[(_mesh((2, 0)), turned[0])], [far, (_mesh((0, 4)), turned[1])], [], [far]]
    theirs = [[(_mesh((1, 0)), np.eye(3))], [], [(_mesh((1, 0)), turned[2])], [(_mesh((1, 0)), turned[3])]]
    our_side, their_side = stills.score_side(truth, ours), stills.score_side(truth, theirs)
    np.testing.assert_allclose(our_side.error, [0.1, 0.2, np.nan, np.nan])
    row = stills.summarise("ours", truth, our_side, their_side)
    assert (row.images, row.misses, row.both) == (4, 2, 1)
    assert row.nme_found == pytest.approx(0.15)
    assert row.nme_both == pytest.approx(0.1)
    assert row.by_yaw[0] == (1, pytest.approx(0.1))
    assert row.by_yaw[1] == (1, pytest.approx(0.2))
    assert row.by_yaw[2][0] == 0 and np.isnan(row.by_yaw[2][1])
    assert row.pose is not None and row.pose.count == 1
    np.testing.assert_allclose(row.pose.mean_absolute, [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(row.pose.without_offset, 0, atol=1e-6)
    # At a yaw of 10 degrees two degrees of pitch turn the head by two degrees.
    assert row.pose.geodesic == pytest.approx(2, abs=1e-4)


def test_the_offset_is_the_median(folder: Path) -> None:
    truth = stills.read_truth(folder / "aflw2000", "aflw2000")
    off = [2.0, 3.0, 7.0]
    faces = [[(_mesh(), rotation_from_pitch_yaw_roll(ANGLES[index] + [0, off[index], 0]))] for index in range(3)]
    side = stills.score_side(truth, [*faces, []])
    row = stills.summarise("ours", truth, side, side)
    assert row.pose is not None
    np.testing.assert_allclose(row.pose.mean_absolute[1], 4, atol=1e-6)
    np.testing.assert_allclose(row.pose.median_offset[1], 3, atol=1e-6)
    np.testing.assert_allclose(row.pose.without_offset[1], (1 + 0 + 4) / 3, atol=1e-6)


def test_without_pose_there_are_no_bins(folder: Path) -> None:
    truth = stills.read_truth(folder / "w300", "w300")
    side = stills.score_side(truth, [[(_mesh((1, 0)), np.eye(3))]] * 4)
    row = stills.summarise("ours", truth, side, side)
    assert row.nme_found == pytest.approx(0.1)
    assert row.by_yaw == () and row.pose is None


def test_errors_less_the_offset_stay_within_half_a_turn(folder: Path) -> None:
    truth = stills.read_truth(folder / "aflw2000", "aflw2000")
    found = truth.pitch_yaw_roll_deg + np.array([[0, 0, -170], [0, 0, -170], [0, 0, 100], [0, 0, 0]])
    side = stills.Side(np.array([0.1, 0.1, 0.1, np.nan]), found, np.zeros(4))
    row = stills.summarise("ours", truth, side, side)
    assert row.pose is not None and row.pose.without_offset[2] == pytest.approx(90 / 3), "270 degrees are 90"

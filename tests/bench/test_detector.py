"""Recall by size and false faces, with detectors whose faults are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import detector
from tracker.bench.detector import Settings
from tracker.bench.scenes import Still
from tracker.errors import SettingsError, SourceError

pytest.importorskip("cv2")
SKIN = np.array([250, 5, 250])


def _boxes(rgb: np.ndarray) -> list[np.ndarray]:
    """The box of everything in the still's colour: a perfect detector for these scenes."""
    rows, columns = np.nonzero((np.abs(rgb.astype(int) - SKIN) < 40).all(2))
    if rows.size < 40:
        return []
    return [np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    rgb = np.full((300, 200, 3), 90, np.uint8)
    rgb[80:200, 60:140] = SKIN
    box = np.array([60.0, 80, 140, 200])
    monkeypatch.setattr(detector, "read_stills", lambda settings, say: [Still(rgb, box, (box,))])
    monkeypatch.setattr("tracker.bench.scenes.TEXTURES", ("gradient",))
    monkeypatch.setattr("tracker.bench.scenes.texture", lambda rng, kind, h, w: np.full((h, w, 3), 30, np.uint8))
    return Settings(tmp_path, tmp_path / "none.task", frames_per_bin=8, faceless=20, dump=tmp_path / "dump")


def test_recall_and_false_faces_by_hand(settings: Settings) -> None:
    def shy(rgb: np.ndarray) -> list[np.ndarray]:
        """Misses what is below an eighth of the height."""
        return [box for box in _boxes(rgb) if (box[3] - box[1]) / rgb.shape[0] > 0.125]

    def eager(rgb: np.ndarray) -> list[np.ndarray]:
        """Sees a face in every left upper corner."""
        return [np.array([0.0, 0, 5, 5]), *_boxes(rgb)]

    result = detector.measure(settings, stages={"eager": eager, "shy one": shy})
    raw, checked = result.rows
    assert raw.recall == (1.0, 1.0, 1.0)
    assert raw.false_faces == 20 and raw.false_per_1000 == 1000
    assert checked.recall[0] == 0.0 and checked.recall[2] == 1.0
    assert checked.false_faces == 0 and checked.false_by_kind == {}
    missed = {path.name[:8] for path in (settings.dump or Path()).glob("missed-*-shy-one.jpg")}
    assert "missed-6" in missed and "missed-30" not in missed
    assert len(list((settings.dump or Path()).glob("false-*-eager.jpg"))) == 20
    assert "1000.0" in detector.report(result)


def test_a_box_that_overlaps_too_little_is_a_miss(settings: Settings) -> None:
    def wide(rgb: np.ndarray) -> list[np.ndarray]:
        """Boxes of twice the width: an overlap of half at most."""
        return [box + np.array([0, 0, (box[2] - box[0]) * 1.2, 0]) for box in _boxes(rgb)]

    result = detector.measure(settings, stages={"wide": wide, "right": _boxes})
    assert result.rows[0].recall == (0.0, 0.0, 0.0)
    assert result.rows[1].recall == (1.0, 1.0, 1.0)


def test_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="faceless 0"):
        Settings(tmp_path, tmp_path, faceless=0)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="aflw2000 or w300"):
        detector.read_stills(Settings(tmp_path, tmp_path / "none.task"), lambda *step: None)


def test_everything_that_may_be_a_face_is_cut_from_a_background(tmp_path: Path, data_dir: Path) -> None:
    pytest.importorskip("mediapipe")
    import shutil

    from tracker.bench.metrics import box_of
    from tracker.bench.stills import read_truth

    source = data_dir / "eval/w300"
    folder = tmp_path / "w300"
    folder.mkdir()
    truth = read_truth(source, "w300", 3)
    with np.load(source / "truth.npz") as archive:
        np.savez(folder / "truth.npz", **{name: archive[name][:3] for name in archive})
    for path in truth.images:
        shutil.copy(path, folder / path.name)
    teacher = data_dir / "teacher/face_landmarker.task"
    stills = detector.read_stills(Settings(tmp_path, teacher, cache=tmp_path / "cache"), lambda *step: None)
    assert len(stills) == 3
    for still, points in zip(stills, truth.points_px, strict=True):
        whole = box_of(points)
        assert any((box[:2] <= whole[:2]).all() and (box[2:] >= whole[2:]).all() for box in still.faces_px)

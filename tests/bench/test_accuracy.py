"""The accuracy bench as a whole: real files, the real teacher where the data folder has it, a stand-in for our side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tracker.bench import accuracy, agreement
from tracker.bench.accuracy import Settings
from tracker.bench.answers import Answers, Oracle
from tracker.errors import SettingsError, SourceError
from tracker.face.model import FaceModel
from tracker.face.parameters import TrackState
from tracker.source.frame import Frame


@dataclass
class _Face:
    landmarks_px: np.ndarray
    blendshapes_raw: np.ndarray
    state: TrackState = TrackState.TRACKING
    identity: np.ndarray = field(default_factory=lambda: np.zeros(len(FaceModel.load().identity_mm)))


class _NoisyTeacher:
    """Says what the teacher says, its landmarks shifted by a hundredth of the inter-ocular distance."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def reset(self) -> None:
        pass

    def track(self, frame: Frame) -> list[_Face]:
        faces = []
        for row in self._answers.of(frame.index):
            mesh = self._answers.landmarks_px[row]
            step = np.linalg.norm(mesh[33, :2] - mesh[263, :2]) * 0.01
            faces.append(_Face(mesh + np.array([step, 0, 0], np.float32), self._answers.scores[row]))
        return faces


def test_a_noisy_teacher_scores_what_its_noise_is(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    teacher = data_dir / "teacher/face_landmarker.task"
    clips = sorted((data_dir / "eval/clips").glob("*.mp4"))
    clip = min(clips, key=lambda path: path.stat().st_size)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / clip.name).symlink_to(clip)
    answers = Oracle(teacher, tmp_path / "cache")(tmp_path / "clips" / clip.name)
    assert len(answers.frame), "the teacher finds this clip's face"
    settings = Settings(tmp_path, teacher, cache=tmp_path / "cache")
    told: list[str] = []
    result = accuracy.measure(settings, lambda done, total, text: told.append(text), pipeline=_NoisyTeacher(answers))
    (ours,) = result.clips
    assert ours.found_share == 1.0
    assert ours.nme == pytest.approx(0.01, rel=1e-3)
    assert np.isnan(ours.correlation) or ours.correlation == pytest.approx(1.0)
    assert told[0] == f"clips: {clip.name}"
    assert all(group.sides[0].missed == 0 for group in result.groups["clips"])
    ours_steady, teacher_steady = result.steadiness
    assert ours_steady.landmarks == pytest.approx(teacher_steady.landmarks, rel=0.05)
    assert ours_steady.shapes == teacher_steady.shapes or np.isnan(teacher_steady.shapes)
    assert result.identity is not None and result.identity.spreads[0].within_clip == 0
    assert result.without[0]["nothing"] == ours.correlation or np.isnan(ours.correlation)
    text = accuracy.report(result)
    assert clip.name in text and "1.00%" in text and "100.0%" in text
    assert "clips: by group" in text and "variance of identity" in text


def test_images_beside_the_peer(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    settings = Settings(data_dir / "eval", data_dir / "teacher/face_landmarker.task", "aflw2000", limit=6)
    result = accuracy.measure(settings, finds=lambda rgb: [])
    ours, theirs = result.stills["aflw2000"]
    assert (ours.who, ours.images, ours.misses, ours.both) == ("ours", 6, 6, 0)
    assert theirs.misses <= 1 and theirs.nme_found < 0.06
    assert "6 (100.0%)" in accuracy.report(result)
    by_yaw = [group for group in result.groups["aflw2000"] if group.by == "yaw"]
    assert sum(group.faces for group in by_yaw) == 6
    assert sum(group.sides[0].missed for group in by_yaw) == 6


def test_a_folder_of_clips_is_enough(faceless_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing = Answers(30, np.zeros(0, np.int32), np.zeros((0, 478, 3)), np.zeros((0, 52)), np.zeros((0, 3, 3)))
    monkeypatch.setattr(Oracle, "__call__", lambda self, path: nothing)
    monkeypatch.setattr(agreement, "track_clip", lambda path, pipeline: [[]] * 30)
    settings = Settings(faceless_clip.parent, tmp_path / "none.task")
    result = accuracy.measure(settings, pipeline=_NoisyTeacher(nothing))
    assert result.clips[0].rows == ()
    assert "clip" in accuracy.report(result)


def test_bad_settings_are_named(tmp_path: Path) -> None:
    task = tmp_path / "none.task"
    with pytest.raises(SettingsError, match="'w3000'; valid: clips, aflw2000, w300, synthetic, repeatability, all"):
        accuracy.measure(Settings(tmp_path, task, "w3000"))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="limit 0"):
        accuracy.measure(Settings(tmp_path, task, limit=0))
    with pytest.raises(SourceError, match="holds no clips, aflw2000 or w300"):
        accuracy.measure(Settings(tmp_path, task))
    with pytest.raises(SourceError, match="not a folder"):
        accuracy.measure(Settings(tmp_path / "missing", task))
    (tmp_path / "clips").mkdir()
    with pytest.raises(SourceError, match="holds no clip"):
        accuracy.measure(Settings(tmp_path, task))

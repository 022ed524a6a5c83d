"""The synthetic suite on answers that are known: truth itself, truth with errors, and nobody found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from tracker.bench import accuracy, synthetic  # noqa: E402
from tracker.bench.synthetic import Seen, area_under_roc  # noqa: E402
from tracker.distill.synthesize import Face  # noqa: E402
from tracker.errors import SettingsError, SourceError  # noqa: E402
from tracker.face.expression import ARKIT_INDEX  # noqa: E402


def _portrait(stage: object, number: int, yaw_deg: float | None = None, closed: bool | None = None) -> Face:
    rng = np.random.default_rng(number)
    scores = rng.random(52).astype(np.float32)
    scores[[ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0.9 if closed else 0.1
    gaze = np.array([[0.0, 0.0, -1.0]] * 2, np.float32)
    landmarks = rng.uniform(100, 200, (478, 3)).astype(np.float32)
    picture = np.array([[[number, bool(closed), 0]]], np.uint8)
    return Face(picture, landmarks, scores, np.eye(3, dtype=np.float32), 1.0, np.zeros(2, np.float32), gaze, False)


def _knows(picture: np.ndarray) -> Sequence[Seen]:
    number, closed = int(picture[0, 0, 0]), bool(picture[0, 0, 1])
    face = _portrait(None, number, closed=closed)
    tilt = np.radians(10)
    gaze = np.array([[np.sin(tilt), 0, -np.cos(tilt)]] * 2)
    return [Seen(face.landmarks + 300, face.scores, gaze), Seen(face.landmarks, face.scores * 0.5, gaze)]


def test_the_nearest_face_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "portrait", _portrait)
    (row,) = synthetic.measure(None, {"knows": _knows}, 8)  # type: ignore[arg-type]
    assert (row.faces, row.found, row.both) == (8, 8, 8)
    assert row.nme == pytest.approx(0, abs=1e-6)
    assert row.gaze_deg == pytest.approx(10, abs=1e-3)
    assert 0.15 < row.mean_absolute < 0.35, "half of what is true is said"
    assert np.mean(list(row.error_by_shape.values())) == pytest.approx(row.mean_absolute, rel=1e-5)
    moved = [r for name, r in row.by_shape.items() if not name.startswith("eyeBlink")]
    assert np.allclose(moved, 1)
    assert [one.auc for one in row.blinks] == [1.0, 1.0, 1.0]
    assert row.blinks[0].accuracy == 0.5, "0.45 is not above the threshold"
    assert row.blinks[0].best == 1 and 0.05 < row.blinks[0].threshold < 0.45
    assert row.blinks[0].separation == pytest.approx(0.4)
    text = accuracy.report(accuracy.Result((), {}, (row, row)))
    assert "yaw 40" in text and "jawOpen" in text


def test_a_person_blinks_and_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, float | None, bool | None]] = []

    def portrait(stage: object, number: int, yaw_deg: float | None = None, closed: bool | None = None) -> Face:
        shown.append((number, yaw_deg, closed))
        return _portrait(stage, number, yaw_deg, closed)

    monkeypatch.setattr(synthetic, "portrait", portrait)
    synthetic.measure(None, {"knows": _knows}, 5)  # type: ignore[arg-type]
    pairs = shown[5:]
    assert [pair[:2] for pair in pairs[::2]] == [pair[:2] for pair in pairs[1::2]]
    assert [closed for _, _, closed in pairs] == [True, False] * 6
    assert len({number for number, _, _ in shown}) == 5 + 6, "four faces a yaw, two of each person, none seen before"


def test_the_best_threshold() -> None:
    score, closed = np.array([0.3, 0.1, 0.4, 0.2]), np.array([True, False, True, False])
    nobody = np.zeros(4, bool)
    best, threshold = synthetic.best_threshold(score, closed, nobody)
    assert best == 1 and 0.2 < threshold < 0.3
    assert synthetic.best_threshold(score, closed, np.arange(4) == 0)[0] == 0.75, "what is missed is wrong at any"
    assert np.isnan(synthetic.best_threshold(score[:0], closed[:0], nobody[:0])[0])


def test_nobody_found_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "portrait", _portrait)
    with pytest.raises(SourceError, match="no face of 3"):
        synthetic.measure(None, {"blind": lambda rgb: []}, 3)  # type: ignore[arg-type]


def test_area_under_the_curve() -> None:
    closed = np.array([True, True, False, False])
    assert area_under_roc(np.array([0.9, 0.8, 0.1, 0.2]), closed) == 1
    assert area_under_roc(np.array([0.1, 0.1, 0.1, 0.1]), closed) == 0.5
    assert np.isnan(area_under_roc(np.array([0.3]), np.array([True])))


def test_a_missing_head_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    settings = accuracy.Settings(tmp_path / "data", tmp_path / "none.task", suite="synthetic")
    with pytest.raises(SourceError, match="--ict"):
        accuracy.measure(settings)
    with pytest.raises(SettingsError, match="synthetic"):
        accuracy.measure(accuracy.Settings(tmp_path, tmp_path, suite="nonsense"))  # type: ignore[arg-type]


def test_one_face_leaves_none_for_blinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "portrait", _portrait)
    (row,) = synthetic.measure(None, {"knows": _knows}, 1)  # type: ignore[arg-type]
    assert row.found == 1 and all(one.faces == 0 and np.isnan(one.accuracy) for one in row.blinks)
    assert "yaw 40" in accuracy.report(accuracy.Result((), {}, (row, row)))

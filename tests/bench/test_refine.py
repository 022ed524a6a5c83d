"""The bench of the refining steps: its sums on made-up errors, and a short run of the real thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import refine
from tracker.errors import SettingsError, SourceError

MILLISECOND = 1_000_000


def test_changes_are_by_the_row_without_steps() -> None:
    one = np.array([[0.04, 0.03, 0.02], [0.04, 0.03, 0.02], [np.nan, 0.5, 0.5]])
    other = np.array([[0.02, 0.021, 0.02]])
    zero, first, second = refine._rows([one, other, np.full((2, 3), np.nan)], [[MILLISECOND]] * 3)
    assert (zero.frames, zero.change, zero.best, zero.worst) == (3, 0, 0, 0)
    assert zero.error == pytest.approx(0.03) and first.error == pytest.approx(0.0255)
    assert first.change == pytest.approx(-0.15) and first.best == pytest.approx(-0.25)
    assert first.worst == pytest.approx(0.05) and second.worst == pytest.approx(0.0)


def test_no_face_anywhere_is_an_error() -> None:
    with pytest.raises(SourceError, match="no face is found"):
        refine._rows([np.full((2, 3), np.nan)], [[1]] * 3)


def test_the_error_is_a_share_of_the_distance_of_the_eyes() -> None:
    true = np.zeros((478, 3))
    true[33, 0], true[263, 0] = -20, 20
    assert refine._error(true + [3, 4, 99], true) == pytest.approx(5 / 40)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="0 sequences"):
        refine.Settings(tmp_path, tmp_path, sequences=0)
    with pytest.raises(SourceError, match="ict is not a folder"):
        refine.measure(refine.Settings(tmp_path, tmp_path))


def test_a_short_run_on_rendered_people(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("mediapipe")
    teacher = data_dir / "teacher/face_landmarker.task"
    if not (data_dir / "ict").is_dir() or not teacher.is_file():
        pytest.skip("no ICT head or no teacher in the data folder")
    figure = tmp_path / "covered.png"
    result = refine.measure(refine.Settings(data_dir, teacher, tmp_path, sequences=1, frames=12, figure=figure))
    assert [row.steps for row in result.rows] == [0, 1, 2] and result.rows[0].frames >= 6
    assert result.rows[0].error < 0.06 and abs(result.rows[1].change) < 0.2
    assert figure.stat().st_size > 20_000
    shown = refine.report(result)
    assert "1 rendered people" in shown and "cheeks" in shown
    assert [bar.target_ns for bar in result.bars] == [150_000, 500_000] and "confidence of the regions alone" in shown

"""Tables a person can read, and one JSON line a program can."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tracker.bench import report
from tracker.bench.measure import Spread, machine, spread
from tracker.errors import OutputError, SettingsError


@dataclass(frozen=True, slots=True)
class _Result:
    share: float
    by_name: dict[str, Spread]
    values: np.ndarray
    path: Path


def _result() -> _Result:
    return _Result(float("nan"), {"a": spread([1, 2])}, np.array([1.5, np.inf], np.float32), Path("x.mp4"))


def test_columns_line_up() -> None:
    lines = report.table(("who", "n"), [("ours", 7), ("a longer name", 1.23456), ("none", float("nan"))]).splitlines()
    assert lines[1] == "-" * 20
    assert lines[2] == "ours               7"
    assert lines[3] == "a longer name  1.235"
    assert lines[4] == "none               -"


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(SettingsError, match="2 cells under 1"):
        report.table(("who",), [("ours", 7)])


def test_percent() -> None:
    assert report.percent(0.02714) == "2.71%"
    assert report.percent(1.0, 0) == "100%"
    assert report.percent(float("nan")) == "-"


def test_the_json_line_is_plain_json() -> None:
    line = report.json_line("latency", _result())
    assert "\n" not in line
    whole = json.loads(line)
    assert whole["bench"] == "latency"
    assert whole["machine"]["versions"]["numpy"] == np.__version__
    assert whole["result"]["share"] is None
    assert whole["result"]["values"] == [1.5, None]
    assert whole["result"]["by_name"]["a"]["p50_ns"] == 1.5
    assert whole["result"]["path"] == "x.mp4"


def test_the_last_line_printed_is_the_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report.emit("kernels", "a table", _result(), tmp_path / "result.json")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "a table"
    assert json.loads(printed[-1])["bench"] == "kernels"
    assert (tmp_path / "result.json").read_text().rstrip("\n") == printed[-1]


def test_nothing_is_saved_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report.emit("kernels", "a table", _result())
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named_and_takes_nothing_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        report.emit("kernels", "", _result(), tmp_path / "missing" / "result.json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bench"] == "kernels"


def test_whether_a_file_can_be_written_is_asked_before(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("kept")
    report.check_writable(there)
    report.check_writable(tmp_path / "new.json")
    assert there.read_text() == "kept" and list(tmp_path.iterdir()) == [there]
    for path in (tmp_path / "missing" / "a.json", there / "a.json", tmp_path):
        with pytest.raises(SettingsError, match=f"cannot write {path} "):
            report.check_writable(path)


def test_a_folder_is_made_or_named(tmp_path: Path) -> None:
    report.open_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir() and not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "in"):
        with pytest.raises(SettingsError, match=f"cannot write to the folder {folder} "):
            report.open_folder(folder)


def test_the_machine_is_as_it_was_before(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report.emit("kernels", "", _result(), tmp_path / "a.json", replace(machine(), load=0.25))
    assert "load 0.25" in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text())["machine"]["load"] == 0.25


def test_a_full_disk_leaves_the_result_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fills_up(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:5].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "result.json").write_text("an earlier result")
    (tmp_path / "link.json").symlink_to("result.json")
    monkeypatch.setattr(Path, "write_text", fills_up)
    for name in ("result.json", "link.json"):
        with pytest.raises(OutputError, match="result.json: no space left"):
            report.emit("kernels", "", _result(), tmp_path / name)
    assert (tmp_path / "result.json").read_text() == "an earlier result"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "result.json"]

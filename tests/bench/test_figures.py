"""The README's figures come from results, and from nowhere else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tracker.bench.figures import figures
from tracker.bench.marks import BLOCKS, marks, rewrite
from tracker.bench.sizes import sizes
from tracker.errors import SettingsError, SourceError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench/results"
BEGIN, END = marks("figures")


@pytest.mark.parametrize(("name", "text"), [("figures", "README.md"), ("sizes", "docs/latency.md")])
def test_no_figure_is_typed_by_hand(name: str, text: str) -> None:
    begin, end = marks(name)
    whole = (ROOT / text).read_text(encoding="utf-8")
    shown = whole[whole.index(begin) + len(begin) : whole.index(end)].strip()
    assert shown == BLOCKS[name](RESULTS), "run `facewire bench report` after a bench wrote into bench/results"


def test_a_new_result_changes_the_text_and_nothing_else(tmp_path: Path) -> None:
    results, text = tmp_path / "results", tmp_path / "README.md"
    shutil.copytree(RESULTS, results)
    text.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    assert rewrite(text, results) and not rewrite(text, results)
    path = results / "detector.json"
    found = json.loads(path.read_text())
    found["result"]["rows"][-1]["false_faces"] = 77
    path.write_text(json.dumps(found))
    assert rewrite(text, results)
    assert "| 77 |" in text.read_text()
    assert text.read_text().startswith("# Before\n\n") and text.read_text().endswith(f"{END}\n\nAfter.\n")


def test_what_was_not_measured_has_no_row(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "detector.json", tmp_path)
    assert "AFLW" not in figures(tmp_path) and "composed frames" in figures(tmp_path)


def test_bars_stand_beside_what_was_measured_and_a_wrong_answer_has_no_row(tmp_path: Path) -> None:
    bar = {"what": "two pictures", "target_ns": 120_000, "spread": {"p50_ns": 61_400}, "reached": True}
    machine = {"cores": 2, "processor": "one", "python": "3", "versions": {}}
    found = {
        "bench": "kernels",
        "machine": machine,
        "result": {"bars": [bar, {**bar, "what": "another", "spread": None}]},
    }
    (tmp_path / "kernels.json").write_text(json.dumps(found))
    text = figures(tmp_path)
    assert "| two pictures, hot, on one thread, p50 (bar: 120 us) | 61 us |  |" in text and "another" not in text


def test_stills_are_compared_where_both_find_the_face_and_by_axis(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "accuracy_aflw2000.json", tmp_path)
    found = json.loads((tmp_path / "accuracy_aflw2000.json").read_text())
    ours, peer = found["result"]["stills"]["aflw2000"]
    ours["pose"]["without_offset"], peer["pose"]["without_offset"] = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    groups = [g for g in found["result"]["groups"]["aflw2000"] if g["by"] == "yaw"]
    groups[0]["sides"][0]["nme_both"], groups[0]["sides"][1]["nme_both"] = 0.0111, 0.0222
    (tmp_path / "accuracy_aflw2000.json").write_text(json.dumps(found))
    table = figures(tmp_path)
    assert "| 1.00 / 2.00 / 3.00 degrees | 4.00 / 5.00 / 6.00 degrees |" in table
    row = next(line for line in table.splitlines() if "both find, yaw of" in line)
    assert " 1.11% / " in row.split("|")[2] and " 2.22% / " in row.split("|")[3]


def test_what_the_smoothing_is_held_to_stands_beside_it(tmp_path: Path) -> None:
    found = json.loads((RESULTS / "smoothing.json").read_text())
    result = found["result"]
    for one in result["advantages"]:
        one["ratio"], one["high"] = (0.11, 0.22) if one["part"] == "rendered" else (0.33, 0.44)
    result["advantages"][0]["ratio"] = None  # no setting of somebody's is that early
    result["advantages"][-1]["high"] = 0.55
    result["irregular_jitter"] = {"landmarks": 0.04, "pose": -0.07, "shapes": 0.0}
    result["irregular_lag_ms"] = {"landmarks": 0.5, "pose": 1.5, "shapes": -0.1}
    path = tmp_path / "smoothing.json"
    path.write_text(json.dumps(found))
    table = figures(tmp_path)
    assert table.count("by One-Euro's") == 3 and " 0.11 / 0.11 / 0.11 / 0.11 / 0.11 (0.22 / " in table
    assert "(and of the upper ends) | 0.33 (0.55) |" in table
    assert "+4% / -7% / +0%, +0.5 / +1.5 / -0.1 ms" in table
    result["irregular_lag_ms"]["pose"], result["advantages"] = None, []
    path.write_text(json.dumps(found))
    assert "One-Euro's" not in figures(tmp_path) and "a fifth of the frames" not in figures(tmp_path)


def test_subscribers_that_come_back_are_told_of(tmp_path: Path) -> None:
    found = json.loads((RESULTS / "end_to_end.json").read_text())
    found["result"]["cases"][0]["slow"] = [
        {"received": 9, "away_seconds": 61.2, "behind_frames": 0, "back_ms": 5.0},
        {"received": 9, "away_seconds": 62.0, "behind_frames": 3, "back_ms": 5.0},
        {"received": 4, "away_seconds": None, "behind_frames": -1, "back_ms": None},
    ]
    (tmp_path / "end_to_end.json").write_text(json.dumps(found))
    wanted = "| 2 of these 3 back after 61 / 62 s: frames from their first message to the newest | 0 / 3 |"
    assert wanted in figures(tmp_path)


def test_a_picture_is_shown_where_it_was_drawn(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "detector.json", tmp_path)
    assert "end_to_end.png" not in figures(tmp_path)
    (tmp_path / "end_to_end.png").write_bytes(b"")
    assert figures(tmp_path).endswith("](bench/results/end_to_end.png)")


def _with_machine(path: Path, **changed: object) -> None:
    line = json.loads((RESULTS / path.name).read_text())
    line["machine"] |= changed
    path.write_text(json.dumps(line))


def test_on_what_it_was_measured(tmp_path: Path) -> None:
    """One sentence only where it is true of all."""
    for name in ("latency", "soak", "detector"):
        _with_machine(tmp_path / f"{name}.json", cores=2, processor="A", python="3.11", versions={"av": "18"})
    assert figures(tmp_path).startswith("2 cores of A, Python 3.11.\n")
    _with_machine(tmp_path / "soak.json", cores=2, processor="A", python="3.11", versions={"mediapipe": "1"})
    assert figures(tmp_path).startswith("2 cores of A, Python 3.11, MediaPipe 1 as the peer on the same frames.\n")
    _with_machine(tmp_path / "soak.json", cores=8, processor="B", python="3.11", versions={"av": "18"})
    told = "Not all on one machine with the same versions. latency, detector: 2 cores of A, Python 3.11. soak: 8 cores"
    assert figures(tmp_path).startswith(f"{told} of B, Python 3.11.\n")
    _with_machine(tmp_path / "soak.json", cores=2, processor="A", python="3.11", versions={"av": "19"})
    assert "soak: 2 cores of A, Python 3.11, av 19." in figures(tmp_path)


def test_a_line_of_another_bench_is_named(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    shutil.copy(RESULTS / "end_to_end.json", path)
    with pytest.raises(SourceError, match="soak.json is not of bench 'soak' but of 'end_to_end'; .* bench soak and"):
        figures(tmp_path)
    for text, reason in (('{"bench":"soak"}', "no 'machine'"), ("{}", "not of bench 'soak';"), ("[1]", "not of bench")):
        path.write_text(text)
        with pytest.raises(SourceError, match=f"soak.json .*{reason}"):
            figures(tmp_path)
    whole = json.loads((RESULTS / "soak.json").read_text())
    for growth, reason in ((None, "TypeError"), ("far", "ValueError")):
        path.write_text(json.dumps(whole | {"result": whole["result"] | {"growth_mb": growth}}))
        with pytest.raises(SourceError, match=f"soak.json lacks what is shown of it .{reason}"):
            figures(tmp_path)
    (tmp_path / "end_to_end_sizes.json").write_text('{"bench":"end_to_end","result":{"cases":[]}}')
    with pytest.raises(SourceError, match="end_to_end_sizes.json lacks"):
        sizes(tmp_path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="run the benches first"):
        figures(tmp_path)
    (tmp_path / "detector.json").write_text("{")
    with pytest.raises(SourceError, match="detector.json is not the JSON line"):
        figures(tmp_path)
    with pytest.raises(SourceError, match="bench end-to-end --sizes"):
        sizes(tmp_path)
    for text, reason in ((None, "no file"), ("no marks", "lacks"), (f"{END}{BEGIN}", "lacks"), (BEGIN, "lacks")):
        path = tmp_path / "README.md"
        if text is not None:
            path.write_text(text)
        with pytest.raises(SettingsError, match=reason):
            rewrite(path, RESULTS)


def test_what_a_small_run_leaves_unknown_is_a_dash(tmp_path: Path) -> None:
    found = json.loads((RESULTS / "accuracy_aflw2000.json").read_text())
    found["result"]["stills"]["aflw2000"][0]["by_yaw"][2] = [0, None]
    (tmp_path / "accuracy_aflw2000.json").write_text(json.dumps(found))
    assert re.search(r"of those found, yaw of .* \| [\d.]+% / [\d.]+% / - \|", figures(tmp_path))
    found = json.loads((RESULTS / "accuracy_clips.json").read_text())
    found["result"]["clips"][0]["correlation"] = found["result"]["without"][0]["dead"] = None
    (tmp_path / "accuracy_clips.json").write_text(json.dumps(found))
    assert "shapes that move | - |" in figures(tmp_path) and "dead in the teacher | - |" in figures(tmp_path)

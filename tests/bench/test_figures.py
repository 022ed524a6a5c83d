"""The README's figures come from results, and from nowhere else."""

from __future__ import annotations

import json
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


def test_a_picture_is_shown_where_it_was_drawn(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "detector.json", tmp_path)
    assert "end_to_end.png" not in figures(tmp_path)
    (tmp_path / "end_to_end.png").write_bytes(b"")
    assert figures(tmp_path).endswith("](bench/results/end_to_end.png)")


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

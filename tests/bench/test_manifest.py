"""The manifest: who is in a file, and what was noted of the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.bench.manifest import Manifest
from tracker.errors import SourceError

ROWS = """file,split,identity,notes
train/clips/a.mp4,train,p1,SYNTHETIC face; from git history, not HEAD
eval/w300/b.jpg,eval,,truth in truth.npz; helen
"""


def test_entries_by_path(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(ROWS)
    (tmp_path / "train/clips").mkdir(parents=True)
    manifest = Manifest.near(tmp_path / "train/clips")
    known = manifest(tmp_path / "train/clips/a.mp4")
    assert (known.person, known.split, known.notes) == ("p1", "train", ("SYNTHETIC face",))
    nobody = manifest(tmp_path / "eval/w300/b.jpg")
    assert (nobody.person, nobody.notes) == ("b", ("helen",)), "where a file came from is no note of its face"
    other = manifest(tmp_path / "train/clips/c.mp4")
    assert (other.person, other.split, other.notes) == ("c", "", ())


def test_without_a_manifest_every_file_is_a_person(tmp_path: Path) -> None:
    manifest = Manifest.near(tmp_path)
    assert manifest(tmp_path / "a.mp4").person == "a"


def test_a_manifest_that_a_spreadsheet_saved(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("\ufefffile,split,identity,notes\na.mp4,eval,p1\n", encoding="utf-8")
    known = Manifest.near(tmp_path)(tmp_path / "a.mp4")
    assert (known.person, known.split, known.notes) == ("p1", "eval", ()), "with a mark before, and a cell too few"


@pytest.mark.parametrize("text", [b"name;who\na.mp4;p1\n", b"file,identity\na.mp4,Ren\xe9\n"])
def test_a_manifest_of_another_kind_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(text)
    with pytest.raises(SourceError, match=r"manifest\.csv (has|is) no .*take it away"):
        Manifest.near(tmp_path)

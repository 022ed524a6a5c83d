"""Files appear whole or not at all, and a full disk is said in one line."""

import errno

import pytest

from tracker.distill.whole import whole
from tracker.errors import OutputError


def test_what_was_written_stands_under_the_name(tmp_path):
    with whole(tmp_path / "new" / "a.txt") as part:
        part.write_text("all of it")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert [(p.name, p.read_text()) for p in (tmp_path / "new").iterdir()] == [("a.txt", "all of it")]


def test_a_full_disk_leaves_what_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(OutputError, match="no space left") as caught, whole(path) as part:
        part.write_text("half of")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_hides_why_it_failed_is_seen_through(tmp_path, monkeypatch):
    from tracker.distill import whole as module

    with pytest.raises(RuntimeError, match="writer failed"), whole(tmp_path / "a.pt"):
        raise RuntimeError("writer failed")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(OutputError, match="no space left"), whole(tmp_path / "a.pt"):
        raise RuntimeError("writer failed")


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"), whole(tmp_path / "file" / "a.txt") as part:
        part.write_text("")


def test_mistakes_of_the_programmer_pass_unchanged(tmp_path):
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "a.txt") as part:
        part.write_text(str(1 / 0))
    assert not list(tmp_path.iterdir())

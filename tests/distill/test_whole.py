"""Files appear whole or not at all, and a full disk is said in one line."""

import errno
import os
import subprocess
import sys

import pytest

from tracker.distill.whole import together, whole
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


def _gone():
    """The id of a process that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


def test_two_that_write_one_file_do_not_meet_and_what_a_killed_one_left_goes(tmp_path):
    path = tmp_path / "a.txt"
    left, theirs = (path.with_name(f"a.txt.{pid}.part") for pid in (_gone(), os.getppid()))
    left.write_text("half of")
    theirs.write_text("half of another's")
    with whole(path) as part:
        part.write_text("all of it")
    assert sorted(tmp_path.iterdir()) == [path, theirs]
    assert theirs.read_text() == "half of another's" and path.read_text() == "all of it"


def test_files_that_belong_together_are_put_in_place_together(tmp_path):
    (tmp_path / "model").write_text("before")
    with pytest.raises(OutputError, match="no space left"), together(tmp_path) as folder:
        (folder / "model").write_text("after")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "model").read_text() == "before" and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "network").mkdir()
    with pytest.raises(OutputError, match="a folder has that name"), together(tmp_path) as folder:
        (folder / "model").write_text("after")
        (folder / "network").write_text("after")
    assert (tmp_path / "model").read_text() == "before"
    (tmp_path / f"new/.{_gone()}.part").mkdir(parents=True)
    with together(tmp_path / "new") as folder:
        (folder / "model").write_text("after")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["model"]

"""Labelling can be killed and goes on; its workers end with it; what cannot be labelled is said in one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.label import Labelled, files_under, label  # noqa: E402
from tracker.errors import OutputError, SourceError  # noqa: E402

_LABEL = "import sys; from pathlib import Path; from tracker.distill.label import label; " \
    "label(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), workers=1)"  # fmt: skip
_PARENT = """
import multiprocessing, os, sys, time
from tracker.distill import lifeline

def work(_):
    lifeline.hold()
    print(os.getpid(), flush=True)
    time.sleep(600)

multiprocessing.get_context("fork").Process(target=work, args=(0,)).start()
time.sleep(600)
"""


def _wait_for(happened, seconds=120.0):
    until = time.monotonic() + seconds
    while not (result := happened()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return result


def _alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc whether a process is alive")
def test_a_worker_ends_with_its_parent():
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    assert _alive(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _wait_for(lambda: not _alive(worker), 20)


@pytest.fixture
def stills(tmp_path, data_dir):
    """Six images, one of them with a face found for sure, and the teacher."""
    pytest.importorskip("mediapipe", reason="the teacher needs MediaPipe, which comes with the train extra")
    folder = tmp_path / "stills"
    folder.mkdir()
    for path in sorted((data_dir / "train/images").glob("*.jpg"))[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder, data_dir / "teacher/face_landmarker.task"


def test_labelling_that_was_killed_goes_on(stills, tmp_path):
    folder, teacher = stills
    cache = tmp_path / "labels"
    command = [sys.executable, "-c", _LABEL, str(folder), str(teacher), str(cache)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait_for(lambda: list(cache.glob("*.npz")))
    running.send_signal(signal.SIGKILL)
    running.wait()
    for path in cache.glob("*.npz"):
        with np.load(path) as whole:
            assert set(whole) == {*Labelled.__slots__, "source", "teacher"}
    (first, *_) = sorted(cache.glob("*.npz"))
    written = first.stat().st_mtime_ns
    label(folder, teacher, cache, workers=1)
    assert sorted(p.stem for p in cache.glob("*.npz")) == sorted(p.name for p in folder.iterdir())
    assert first.stat().st_mtime_ns == written and not list(cache.glob("*.part"))
    first.write_bytes(first.read_bytes()[:999])
    assert label(folder, teacher, cache, workers=1) == len(np.load(first)["frame"]), "what is damaged is labelled anew"


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_not_waited_for(stills, tmp_path):
    folder, teacher = stills
    (folder / "000.mp4").write_bytes(b"words, not a video")
    with pytest.raises(SourceError, match=r"000\.mp4") as caught:
        label(folder, teacher, tmp_path / "labels", workers=1)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_said(stills, tmp_path):
    folder, teacher = stills
    (tmp_path / "labels").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="labels"):
        label(folder, teacher, tmp_path / "labels", workers=1)


@pytest.mark.parametrize("inside", [(), ("notes.txt",)])
def test_a_folder_with_nothing_to_label_is_refused(tmp_path, inside):
    for name in inside:
        (tmp_path / name).write_text("")
    with pytest.raises(SourceError, match="no video or image"):
        files_under(tmp_path)
    with pytest.raises(SourceError, match="no folder"):
        files_under(tmp_path / "missing")
    assert os.listdir(tmp_path) == list(inside)

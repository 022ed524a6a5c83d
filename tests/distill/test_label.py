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

from tracker.distill.label import Labelled, _frames, files_under, label  # noqa: E402
from tracker.distill.shelf import digest  # noqa: E402
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


def test_what_only_has_the_name_of_a_file_is_passed_over(tmp_path):
    (tmp_path / "holiday.mp4").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "holiday.mp4/a.jpg").write_text("")
    assert files_under(tmp_path) == [tmp_path / "holiday.mp4/a.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file name is text")
@pytest.mark.parametrize("name", ["caf\udce9.jpg", "n" * 248 + ".jpg"])
def test_a_name_that_nothing_can_be_made_of_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(SourceError, match="rename it"):
        files_under(tmp_path)


def test_a_video_of_another_kind_is_not_called_an_image(tmp_path):
    (tmp_path / "camcorder.MTS").write_bytes(b"")
    with pytest.raises(SourceError, match=r"neither a video nor an image by its name; .*\.mp4"):
        list(_frames(tmp_path / "camcorder.MTS", None))


def test_a_file_that_goes_away_meanwhile_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"a\.jpg cannot be read"):
        digest(tmp_path / "a.jpg")


@pytest.mark.parametrize("options", [{}, {"live": "1"}])
def test_a_video_is_thinned_whether_or_not_it_says_how_long_it_is(tmp_path, options):
    av = pytest.importorskip("av")
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libvpx", rate=30, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for k in range(50):
            picture = np.full((64, 64, 3), 5 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert [index for index, _ in _frames(path, 20)] == list(range(0, 50, 3))
    assert len(list(_frames(path, None))) == 50


@pytest.mark.parametrize("inside", [(), ("notes.txt",)])
def test_a_folder_with_nothing_to_label_is_refused(tmp_path, inside):
    for name in inside:
        (tmp_path / name).write_text("")
    with pytest.raises(SourceError, match="no video or image"):
        files_under(tmp_path)
    with pytest.raises(SourceError, match="no folder"):
        files_under(tmp_path / "missing")
    assert os.listdir(tmp_path) == list(inside)

"""Training ends in one line and with a checkpoint when it is interrupted, or when what draws its examples dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.loop import drawing, keep_on  # noqa: E402
from tracker.distill.train import TrainSettings  # noqa: E402
from tracker.errors import BackendUnavailable  # noqa: E402

_PARENT = """
import multiprocessing, time
import numpy as np
from tracker.distill.loop import drawing

class Source:
    def batch(self, size):
        return np.zeros(size)

with drawing(Source(), 4, 0) as draw:
    draw()
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(600)
"""


class Source:
    """Draws `good` batches, the last of them too large for a pipe, then dies as if for want of memory."""

    def __init__(self, good):
        self.rng, self.good = None, good

    def batch(self, size):
        if not self.good:
            time.sleep(0.2)  # the batch before is under way by now
            os.kill(os.getpid(), signal.SIGKILL)
        self.good -= 1
        return np.full((size, 10 if self.good else 10_000_000), self.good, np.uint8)


class Run:
    settings = TrainSettings(minutes=10)

    def __init__(self, error=None):
        self.seconds, self.steps, self.error = 0.0, 0, error

    def step(self, batch):
        if self.steps and self.error:
            raise self.error
        self.steps += 1
        return {}

    def save(self, path):
        path.write_text(str(self.steps))


@pytest.fixture(autouse=True)
def soon():
    """A test that would wait for ever fails."""

    def late(*_):
        raise AssertionError("waited in vain")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_drawer_that_dies_ends_the_training_with_a_checkpoint(tmp_path):
    said, run = [], Run()
    ends = pytest.raises(BackendUnavailable, match=r"ended with status -9.*goes on where it stopped")
    with ends as caught, drawing(Source(3), 4, 0) as draw:
        time.sleep(0.5)  # it dies in the middle of its last batch, which nobody has taken yet
        keep_on(run, draw, tmp_path / "a.pt", said.append)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "a.pt").read_text() == "2" and "stopped at step 2" in said[-1]


def test_a_drawer_that_dies_at_once_is_said_and_nothing_is_written(tmp_path):
    with pytest.raises(BackendUnavailable), drawing(Source(0), 4, 0) as draw:
        keep_on(Run(), draw, tmp_path / "a.pt", print)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_a_checkpoint(tmp_path):
    said = []
    with pytest.raises(KeyboardInterrupt):
        keep_on(Run(KeyboardInterrupt()), lambda: None, tmp_path / "a.pt", said.append)
    assert (tmp_path / "a.pt").read_text() == "1" and "stopped at step 1" in said[-1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc whether a process is alive")
def test_what_draws_ends_with_a_killed_parent_and_not_with_ctrl_c():
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    drawer = int(parent.stdout.readline())
    os.kill(drawer, signal.SIGINT)
    time.sleep(0.2)
    assert _alive(drawer)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while _alive(drawer):
        time.sleep(0.02)


def _alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"

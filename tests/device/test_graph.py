"""A graph's rows and its replay, on the processor, where there is nothing to capture; on a GPU, what was captured."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device import row  # noqa: E402
from tracker.device.face_frame import FaceFrame, shared_on  # noqa: E402
from tracker.device.graph import Graph  # noqa: E402
from tracker.device.network import Student  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.refine.sharpen import RefineSettings  # noqa: E402
from tracker.smooth.settings import SmoothSettings  # noqa: E402


def graph_on(device, batch=2, slots=2):
    shared = shared_on(device, slots, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
    return Graph(FaceFrame(batch, shared), slots)


def answers(graph, looks):
    """Three looks, one after the other, beside an empty place."""
    found, last = [], None
    for look in looks[:3]:
        step = 0.0 if last is None else look.seconds - last
        row.ask(graph.asked[0], look.roi, look.camera, 1, (step, last is None, 0.0, 0.0), 0.5)
        graph.leave_empty(1)
        graph.run(lambda into, look=look: into.crops[:1].copy_(torch.from_numpy(look.crop[None])))
        found.append(graph.answered.copy())
        last = look.seconds
    return np.stack(found)


def test_rows_go_there_and_come_back(here, looks):
    found = answers(graph_on(here), looks)
    assert np.isfinite(found).all()
    assert all(row.accepted(one[0]) and not row.accepted(one[1]) for one in found)
    for one, look in zip(found, looks, strict=False):
        fit = row.fit_of(one[0], 7)
        assert fit.track_id == 7 and fit.plausible and fit.presence > 0.9
        assert abs(fit.roi().x_px - look.roi.x_px) < 0.2 * look.roi.side_px
        assert np.allclose(fit.rotation @ fit.rotation.T, np.eye(3), atol=1e-5)
    assert not np.array_equal(found[0, 0], found[1, 0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_replay_is_the_run_on_the_processor(here, looks):
    """Half precision in the student is what is left between them."""
    wanted, found = answers(graph_on(here), looks), answers(graph_on(torch.device("cuda")), looks)
    part = row.ANSWERED["landmarks_px"]
    assert np.abs(found[:, 0, part] - wanted[:, 0, part]).max() < 0.3
    assert np.array_equal(found, answers(graph_on(torch.device("cuda")), looks)), "the same bits on every run"


def test_a_replay_waits_for_the_default_stream_of_its_own_device(here, monkeypatch):
    """A thread that has not been told otherwise is on the first device; by a stand-in for torch's streams."""
    graph, at, waited = graph_on(here), [0], []

    @contextmanager
    def stream(of):
        at.append(of.number)
        yield
        at.pop()

    graph._stream = SimpleNamespace(number=1, wait_stream=waited.append)
    graph._done = SimpleNamespace(record=lambda: waited.append("done"), synchronize=lambda: waited.append("read"))
    graph._captured = SimpleNamespace(replay=lambda: waited.append("replayed"))
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda: f"default of {at[-1]}")
    graph.run()
    assert waited == ["default of 1", "replayed", "done", "read"] and at == [0]

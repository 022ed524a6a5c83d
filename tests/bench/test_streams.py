"""Streams' bench on the processor, small: its gate, which can fail; one timing per number of streams; its one error."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
pytest.importorskip("onnx")

from tracker.bench import streams  # noqa: E402
from tracker.bench.looks import CLIP  # noqa: E402
from tracker.device.faces import DeviceFaces  # noqa: E402
from tracker.errors import SourceError  # noqa: E402

HERE = torch.device("cpu")


def test_streams_pass_the_gate_and_fail_when_they_mix(monkeypatch):
    found = streams.streams_gate(HERE, 3)
    assert found.passed and "0 states differ, 8 faces" in found.found, found
    made = DeviceFaces.__init__
    monkeypatch.setattr(DeviceFaces, "__init__", lambda self, replays, first, slots: made(self, replays, 0, slots))
    assert not streams.streams_gate(HERE, 3).passed, "all in one slot"


def test_every_number_of_streams_is_timed(monkeypatch):
    monkeypatch.setattr(streams, "COUNTS", (1, 3))
    found = streams.stream_timings(HERE, CLIP, 19, "cpu")
    assert [one.batch for one in found] == [1, 3] and [one.spread.count for one in found] == [4, 4]
    assert [one.name[:22] for one in found] == ["faces of 1 stream, pic", "faces of 3 streams, pi"]
    assert found[1].per_second == pytest.approx(3e9 / found[1].spread.p50_ns)


def test_a_clip_that_shows_nobody_for_long_enough_is_refused():
    with pytest.raises(SourceError, match="shows a face"):
        streams.stream_timings(HERE, CLIP, 8, "cpu")

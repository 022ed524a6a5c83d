"""The GPU's bench without one: its gates, its clocks on the processor, small, what it says is missing, how it exits."""

from dataclasses import replace

import pytest

from tracker.bench import gpu
from tracker.bench.gpu import Result, Settings, out_of, report, status
from tracker.errors import BackendUnavailable, SettingsError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
pytest.importorskip("onnx")

from tracker.bench import ends, gates, replay  # noqa: E402
from tracker.bench.gates import Gate  # noqa: E402
from tracker.device.face_frame import shared_on  # noqa: E402
from tracker.device.faces import on_processor  # noqa: E402
from tracker.device.network import Student  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.kernels.rasterize.cases import Case  # noqa: E402
from tracker.refine.sharpen import RefineSettings  # noqa: E402
from tracker.smooth.settings import SmoothSettings  # noqa: E402

HERE = torch.device("cpu")
PASSED, FAILED = Gate("a", True, "0 of 1"), Gate("b", False, "2 of 1")
NOTHING = Result(None, {}, (PASSED,), (), None, {"frames": "no driver"})


@pytest.fixture(scope="module")
def operators():
    """Numba's, on tensors."""
    from tracker.device.operators import _on_numpy
    from tracker.kernels.backend import operator

    return {row: _on_numpy(operator(row, "numba")[0]) for row in ("rasterize", "shade", "shade_gradient")}


def test_gates_pass_here_and_fail_when_they_should(operators):
    found = list(gates.pictures_gate(operators["rasterize"], HERE, (1, 3), side_px=24))
    assert [gate.passed for gate in found] == [True, True]

    def shifted(vertices, triangles, ids, depth):
        operators["rasterize"](vertices + 0.5, triangles, ids, depth)

    assert not any(gate.passed for gate in gates.pictures_gate(shifted, HERE, (1,), side_px=24))
    assert gates.student_gate(HERE, 6).passed
    near = gates.faces_gate(on_processor, 8)
    assert near.passed and "0 states differ, 8 faces" in near.found
    gone = gates.unseen_gate(on_processor)
    assert gone.passed and "0 states differ, 8 faces" in gone.found, gone
    held = lambda **parts: on_processor(**parts | {"smooth": SmoothSettings(enabled=False)})  # noqa: E731
    assert not gates.unseen_gate(held).passed
    never = lambda **parts: on_processor(**parts | {"refine": RefineSettings(2)})  # noqa: E731
    assert gates.faces_gate(never, 4).found != near.found


def test_pictures_are_timed_forward_backward_and_as_a_replay(operators):
    case = Case("head", columns=14, rows=7, side_px=32, closed=True)
    found = replay.render_timings(operators, case, 2, 2, HERE)
    assert [one.batch for one in found] == [2, 2, 1] and all(one.spread.p50_ns > 0 for one in found)
    assert found[1].spread.p50_ns > found[0].spread.p50_ns, "forward is part of both"
    del operators["shade_gradient"]
    assert len(replay.render_timings(operators, case, 1, 1, HERE)) == 2


def test_whole_frames_are_timed_by_the_batch():
    shared = shared_on(HERE, 2, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
    one, two = replay.frame_timings(shared, (1, 2), 2, 2)
    assert one.target == "p50 0.6 ms, p99 1.0 ms" and two.target.startswith("1000 faces")
    assert one.reached is False and one.per_second == pytest.approx(1e9 / one.spread.p50_ns)


def test_decoded_to_received_goes_through_a_real_subscriber():
    sent = ends.end_to_end(gates.CLIP, on_processor, "cpu", 25, realtime=False)
    assert sent.frames == 25 and sent.lost == 0 and sent.with_faces > 0.9
    assert sent.received.count == 10 and sent.received.p50_ns > 0 and not sent.decoded_on_device


@pytest.fixture
def stand_in(monkeypatch):
    """The processor in the place of a GPU."""
    from tracker.device import faces
    from tracker.device.operators import _on_numpy
    from tracker.kernels import backend

    found = backend.operator
    monkeypatch.setattr(gpu, "why_not_cuda", lambda: None)
    monkeypatch.setattr(gpu, "cuda_device", lambda: HERE)
    monkeypatch.setattr(faces, "on_cuda", on_processor)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "no GPU at all")
    monkeypatch.setattr(gates, "LARGEST_BATCHES", (1,))
    monkeypatch.setattr(
        backend, "operator",
        lambda row, name="auto": (_on_numpy(found(row, "numba")[0]), None) if name == "triton" else found(row, name),
    )  # fmt: skip
    sent = ends.EndToEnd("demo.mp4", 640, 480, 30, False, ends.spread([1, 2]), 1.0, 0)
    monkeypatch.setattr(ends, "end_to_end", lambda clip, device, decode, most: sent)


def test_the_whole_way_with_a_gpu_runs_on_what_stands_in_for_one(stand_in):
    """Every gate and every time in their order, on the processor; nothing about a GPU but that this text runs there."""
    result = gpu.measure(Settings(batch=1, frames=30, repeats=1))
    assert result.device == "no GPU at all" and result.passed and result.sent, result
    assert [one.batch for one in result.timings] == [1] * 5 and status(result) == 0
    assert "faces on NVDEC's pictures" in result.not_measured and "whole frame" in report(result)


def test_what_fails_or_breaks_off_takes_only_its_own_times_with_it(stand_in, monkeypatch):
    def broken(*given):
        raise RuntimeError("no such\n instruction " + "x" * 400)

    monkeypatch.setattr(gates, "unseen_gate", broken)
    monkeypatch.setattr(gates, "faces_gate", lambda *given: PASSED)
    result = gpu.measure(Settings(batch=1, frames=30, repeats=1))
    failed = [gate for gate in result.gates if not gate.passed]
    assert [gate.found[:36] for gate in failed] == ["RuntimeError: no such instruction xxx"[:36]] and status(
        result
    ) == 1
    assert len(failed[0].found) < 350 and len(result.timings) == 3 and result.sent is None
    assert all("no speed counts" in result.not_measured[part] for part in gpu.FRAMES)
    monkeypatch.setattr(gates, "unseen_gate", lambda *given: PASSED)
    monkeypatch.setattr(replay, "frame_timings", broken)
    result = gpu.measure(Settings(batch=1, frames=30, repeats=1))
    assert result.passed and len(result.timings) == 3 and result.sent
    assert "it broke off: RuntimeError" in result.not_measured[gpu.FRAMES[0]]
    assert gpu.measure(Settings(batch=1, frames=30, gates_only=True)).timings == ()


def test_the_exit_says_what_happened():
    assert status(NOTHING) == 3 and status(replace(NOTHING, device="a GPU")) == 0
    assert status(replace(NOTHING, gates=(PASSED, FAILED))) == 1
    text = report(replace(NOTHING, gates=(PASSED, FAILED)))
    assert "NOT measured" in text and "frames: no driver" in text and "NO" in text and "no GPU" in text


def test_a_gpus_figures_are_not_overwritten_by_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert out_of(NOTHING) is None, "no folder"
    gpu.OUT.parent.mkdir(parents=True)
    assert out_of(NOTHING) == gpu.OUT
    gpu.OUT.write_text('{"result":{"device":null}}')
    assert out_of(NOTHING) == gpu.OUT
    gpu.OUT.write_text('{"result":{"device":"a GPU"}}')
    assert out_of(NOTHING) is None and out_of(replace(NOTHING, device="another")) == gpu.OUT


def test_settings_and_packages_are_asked_for(monkeypatch):
    with pytest.raises(SettingsError, match="batch 5000"):
        Settings(batch=5000)
    with pytest.raises(SettingsError, match="frames 3"):
        Settings(frames=3)
    monkeypatch.setattr(gpu, "missing_packages", lambda: ["torch", "cupy"])
    with pytest.raises(BackendUnavailable, match="without torch; pip install"):
        gpu.measure(Settings())


def test_interpreted_kernels_pass_their_gates():
    pytest.importorskip("triton")
    from tracker.bench.interpreted import interpreted_gates

    found = interpreted_gates()
    assert all(gate.passed for gate in found), found
    assert "rasterize" in found[-1].name and "shade" in found[-1].name

"""The GPU's bench without one: its gates, its clocks on the processor, small, what it says is missing, how it exits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.bench import gpu
from tracker.bench.gpu import Result, Settings, out_of, report, status
from tracker.errors import BackendUnavailable, SettingsError, SourceError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
pytest.importorskip("onnx")

from tracker.bench import cases, ends, gates, places, replay, streams  # noqa: E402
from tracker.bench.cases import cases_of  # noqa: E402
from tracker.bench.gates import Gate  # noqa: E402
from tracker.bench.looks import CLIP, look  # noqa: E402
from tracker.device.crop import Exported  # noqa: E402
from tracker.device.face_frame import shared_on  # noqa: E402
from tracker.device.faces import on_processor  # noqa: E402
from tracker.device.network import Student  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.kernels.rasterize.cases import Case  # noqa: E402
from tracker.refine.sharpen import RefineSettings  # noqa: E402
from tracker.smooth.settings import SmoothSettings  # noqa: E402

HERE = torch.device("cpu")
PASSED, FAILED = Gate("a", True, "0 of 1"), Gate("b", False, "2 of 1")
NOTHING = Result(None, {}, (PASSED,), (), (), None, {"frames": "no driver"})
SENT = ends.EndToEnd("demo.mp4", 640, 480, 30, False, ends.spread([1, 2]), 1.0, 0)


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


def test_whole_frames_are_timed_by_the_batch_with_faces_in_slots_of_their_own():
    shared = shared_on(HERE, 2, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
    one, two = replay.frame_timings(shared, (1, 2), 2, 2)
    assert one.target == "p50 0.6 ms, p99 1.0 ms" and two.target.startswith("1000 faces")
    assert one.reached is False and one.per_second == pytest.approx(1e9 / one.spread.p50_ns)
    assert one.name == "whole frame, cropped here" and two.name.startswith(one.name)
    looks = shared.memory.identity_weight[:, 0]
    assert (looks[:2] > 1).all() and looks[2] == 0, "every slot has learned its face, nobody's has not"


def test_a_frame_without_a_face_in_it_is_not_timed(monkeypatch):
    at = look()
    empty = replace(at.frame, planes=tuple(np.full_like(plane, 128) for plane in at.frame.planes))
    monkeypatch.setattr(replay, "look", lambda: replace(at, frame=empty))
    shared = shared_on(HERE, 1, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
    with pytest.raises(SourceError, match="0 of 1 looks"):
        replay.frame_timings(shared, (1,), 1, 1)


def test_a_picture_is_laid_out_as_a_decoder_leaves_it():
    frame = look().frame
    there = replay.on_device(frame, HERE)
    luma, chroma = (torch.from_dlpack(Exported(plane)).numpy() for plane in there.picture.planes)
    for found, wanted in zip((luma, chroma[..., 0], chroma[..., 1]), frame.planes, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for name in ("matrix", "full_range", "width_px", "height_px", "pts_seconds"):
        assert getattr(there, name) == getattr(frame, name), name


def test_an_operator_is_held_against_numba_on_its_own_cases():
    here = places.place_of("numba")
    few = cases_of("shade").named("one_triangle")
    found = gates.operator_gate("shade", here, gates.operator("shade", "numba")[0], few)
    assert found.passed and found.name == "shade on triton answers as numba's" and "of 2e-05" in found.found

    def darker(*arguments):
        gates.operator("shade", "numba")[0](*arguments)
        arguments[-1].colours[0, 0, 0] -= 1e-3

    found = gates.operator_gate("shade", here, darker, few)
    assert not found.passed and "1.0e-03" in found.found
    assert not gates.operator_gate("shade", here, lambda *arguments: None, few).passed, "left as it was: NaN"
    assert gates.base_of("heads")[1] == "the reference"


def test_decoded_to_received_goes_through_a_real_subscriber():
    sent = ends.end_to_end(CLIP, on_processor, "cpu", 25, realtime=False)
    assert sent.frames == 25 and sent.lost == 0 and sent.with_faces > 0.9
    assert sent.received.count == 10 and sent.received.p50_ns > 0 and not sent.decoded_on_device


@pytest.fixture
def stand_in(monkeypatch):
    """The processor in the place of a GPU."""
    from tracker.device import faces
    from tracker.device.operators import _on_numpy
    from tracker.kernels import backend

    found = backend.operator

    def operator(row, name="auto"):
        if name not in ("triton", "cupy"):
            return found(row, name)
        return _on_numpy(found(row)[0]), None

    monkeypatch.setattr(gpu, "why_not_cuda", lambda: None)
    monkeypatch.setattr(gpu, "cuda_device", lambda: HERE)
    monkeypatch.setattr(faces, "on_cuda", on_processor)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "no GPU at all")
    monkeypatch.setattr(gates, "LARGEST_BATCHES", (1,))
    monkeypatch.setattr(places, "on_torch", lambda device: places.place_of("numba"))
    monkeypatch.setattr(cases.Cases, "for_device", lambda self: self.module.CASES[-1:])
    monkeypatch.setattr(gates, "operator", operator)
    monkeypatch.setattr(backend, "operator", operator)
    monkeypatch.setattr(ends, "end_to_end", lambda clip, device, decode, most: SENT)
    monkeypatch.setattr(streams, "COUNTS", (1,))


def names(result):
    return [gate.name for gate in result.gates if not gate.passed]


def test_the_whole_way_with_a_gpu_runs_on_what_stands_in_for_one(stand_in):
    """Every gate and every time in their order, on the processor; nothing about a GPU but that this text runs there."""
    result = gpu.measure(Settings(batch=1, frames=30, repeats=1))
    assert result.device == "no GPU at all" and result.passed and result.sent, result
    assert [one.batch for one in result.timings] == [1] * 6 and status(result) == 0
    assert "faces on NVDEC's pictures" in result.not_measured and "whole frame" in report(result)
    compared = {gate.name.split()[0] for gate in result.gates}
    assert compared >= {"rasterize", "shade", "shade_gradient", "morph", "linearize", "gauss_newton", "heads", "follow"}
    assert {peer.who for peer in result.peers} == {"Facewire, triton", "DRTK", "PyTorch3D"}


@pytest.fixture
def quick(stand_in, monkeypatch):
    """The same, with gates and times that take no time."""
    for name in ("student_gate", "faces_gate", "unseen_gate"):
        monkeypatch.setattr(gates, name, lambda *given, name=name: replace(PASSED, name=name))
    monkeypatch.setattr(gates, "pictures_gate", lambda *given: [PASSED])
    monkeypatch.setattr(gates, "operator_gate", lambda row, place: replace(PASSED, name=row))
    timing = replay.Timing("a time", 1, ends.spread([1, 2]), 1.0, "", None)
    monkeypatch.setattr(replay, "render_timings", lambda *given: [timing])
    monkeypatch.setattr(replay, "frame_timings", lambda *given: [timing])
    monkeypatch.setattr(replay, "coast_timing", lambda *given: timing)
    monkeypatch.setattr(streams, "streams_gate", lambda *given: replace(PASSED, name="streams"))
    monkeypatch.setattr(streams, "stream_timings", lambda *given: [timing])
    monkeypatch.setattr("tracker.bench.rasterizers.beside_on", lambda *given: [])
    return Settings(batch=1, frames=30, repeats=1)


def broken(*given):
    raise RuntimeError("no such\n instruction " + "x" * 400)


def test_what_a_kernel_gets_wrong_takes_with_it_what_rests_on_it(quick, monkeypatch):
    def fails(row):
        return lambda one, place: replace(PASSED, name=one, passed=one != row)

    monkeypatch.setattr(gates, "operator_gate", fails("shade_gradient"))
    result = gpu.measure(quick)
    assert names(result) == ["shade_gradient"] and status(result) == 1
    assert result.timings == () and result.sent is None
    assert all("no speed counts where a gate failed: shade_gradient" in result.not_measured[part]
               for part in (*gpu.PICTURES, *gpu.OTHERS, *gpu.FRAMES))  # fmt: skip
    monkeypatch.setattr(gates, "operator_gate", fails("follow"))
    result = gpu.measure(quick)
    assert names(result) == ["follow"] and [one.name for one in result.timings] == ["a time"]
    assert all("failed: follow" in result.not_measured[part] for part in gpu.FRAMES)


def test_what_breaks_off_is_a_gate_that_failed_and_the_rest_is_measured(quick, monkeypatch):
    monkeypatch.setattr(gates, "unseen_gate", broken)
    result = gpu.measure(quick)
    assert names(result) == ["a face that is not seen"] and status(result) == 1
    (failed,) = [gate for gate in result.gates if not gate.passed]
    assert failed.found.startswith("RuntimeError: no such instruction xxx")
    assert len(failed.found) < 350 and len(result.timings) == 1 and result.sent is None
    monkeypatch.setattr(gates, "unseen_gate", lambda *given: PASSED)
    monkeypatch.setattr(replay, "frame_timings", broken)
    result = gpu.measure(quick)
    assert names(result) == [gpu.FRAMES[0]] and len(result.timings) == 2 and result.sent and status(result) == 1
    assert "it broke off: RuntimeError" in result.not_measured[gpu.FRAMES[0]]
    only = gpu.measure(replace(quick, gates_only=True))
    assert only.timings == () and only.passed


def test_a_lost_message_fails(quick, monkeypatch):
    monkeypatch.setattr(ends, "end_to_end", lambda *given: replace(SENT, lost=2))
    result = gpu.measure(quick)
    assert status(result) == 1 and names(result) == ["every message is received"]
    assert "2 of 30 lost" in report(result)


def test_a_device_that_does_not_start_is_none(monkeypatch):
    monkeypatch.setattr(gpu, "why_not_cuda", lambda: None)
    monkeypatch.setattr(gpu, "cuda_device", broken)
    monkeypatch.setattr(gpu, "_without", lambda settings, reason, say: reason)
    assert gpu.measure(Settings()).startswith("RuntimeError: no such instruction")


def test_gates_that_break_off_here_are_part_of_the_result(monkeypatch):
    for name in ("student_gate", "faces_gate", "unseen_gate"):
        monkeypatch.setattr(gates, name, broken)
    monkeypatch.setattr(streams, "streams_gate", lambda *given: PASSED)
    monkeypatch.setattr("tracker.bench.interpreted.interpreted_gates", lambda: [PASSED])
    result = gpu._without(Settings(), "no GPU", lambda *given: None)
    assert names(result) == ["student", "faces", "a face that is not seen"] and status(result) == 1


@pytest.mark.parametrize("reason", [None, "no GPU"])
def test_a_clip_that_does_not_open_is_said_at_once(reason, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "why_not_cuda", lambda: reason)
    with pytest.raises(SourceError, match="missing.mp4"):
        gpu.measure(Settings(clip=tmp_path / "missing.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match="text.mp4"):
        gpu.measure(Settings(clip=Path(tmp_path / "text.mp4")))


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
    assert {"shade", "shade_gradient", "relight"} <= {gate.name.split()[0] for gate in found}

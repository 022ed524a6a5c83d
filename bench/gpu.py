"""`facewire bench gpu [CLIP]`: the tracker on an NVIDIA GPU, correctness first, from one kernel to the socket.

Without a GPU it runs the gates that need none, Triton's kernels in their interpreter among them, and says of everything
else that it was not measured, and why. With `--gates-only` it times nothing; that is for NVIDIA's sanitizer:

    compute-sanitizer --tool memcheck facewire bench gpu --gates-only
    compute-sanitizer --tool racecheck facewire bench gpu --gates-only

It measures nothing itself; see `gates`, `replay` and `ends`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tracker.bench.report import SPREAD_HEADERS, spread_cells, table
from tracker.device.readiness import cuda_device, missing_packages, why_not_cuda
from tracker.errors import BackendUnavailable, SettingsError, SourceError

if TYPE_CHECKING:
    from tracker.bench.ends import EndToEnd
    from tracker.bench.gates import Gate
    from tracker.bench.replay import Timing

OUT = Path("bench/results/gpu.json")
"""Where the line goes when nothing else is said and the folder is there; none never overwrites a GPU's figures."""
MEASURED, GATE_FAILED, NO_GPU = 0, 1, 3
"""Exit codes; 2 is a mistake in what was asked."""
PICTURES = ("rasterize and shade by the batch", "forward and backward", "one render as a graph's replay")
FRAMES = ("whole frames, p50 and p99, by the batch", "decoded on the GPU to received over ZeroMQ")
"""What needs a GPU."""
SANITIZER = "compute-sanitizer --tool memcheck facewire bench gpu --gates-only"
LONGEST_ERROR = 300
Progress = Callable[[int, int, str], None]
_Measured = TypeVar("_Measured")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure on."""

    clip: Path | None = None
    """A video with a face, in H.264 without B-frames for the least delay; the bundled clip by default."""
    batch: int = 1024
    """The largest batch of pictures and of faces."""
    frames: int = 120
    """Frames of the clip to compare and to send."""
    repeats: int = 300
    """Timed calls of each."""
    gates_only: bool = False
    """Only compare; what compute-sanitizer is run on."""

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 4096:
            raise SettingsError(f"batch {self.batch}; give 1 to 4096")
        if self.frames < 30 or self.repeats < 1:
            raise SettingsError(f"frames {self.frames}, repeats {self.repeats}; give 30 frames and 1 repeat or more")


@dataclass(frozen=True, slots=True)
class Result:
    """Everything."""

    device: str | None
    """The GPU; None without one."""
    backends: dict[str, str]
    """Operator of the frame -> what it runs on."""
    gates: tuple[Gate, ...]
    timings: tuple[Timing, ...]
    sent: EndToEnd | None
    not_measured: dict[str, str]
    """What -> why."""

    @property
    def passed(self) -> bool:
        """Whether every gate was."""
        return all(gate.passed for gate in self.gates)


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Gates, then times. Raises BackendUnavailable without torch, onnx or triton: there is nothing to run at all."""
    say = progress or (lambda done, total, text: None)
    absent = [name for name in missing_packages() if name != "cupy"]
    if absent:
        raise BackendUnavailable(f"bench gpu: without {', '.join(absent)}; pip install 'facewire[gpu]'")
    reason = why_not_cuda()
    return _without(settings, reason, say) if reason else _on_gpu(settings, say)


def _without(settings: Settings, reason: str, say: Progress) -> Result:
    """The gates of a machine without a GPU."""
    import torch

    from tracker.bench.gates import faces_gate, student_gate, unseen_gate
    from tracker.bench.interpreted import interpreted_gates
    from tracker.device.faces import on_processor

    say(0, 3, "student")
    gates = [student_gate(torch.device("cpu"), min(settings.frames, 40))]
    say(1, 3, "faces, in plain torch")
    gates += [faces_gate(on_processor, min(settings.frames, 60)), unseen_gate(on_processor)]
    say(2, 3, "kernels in Triton's interpreter")
    gates += interpreted_gates()
    return Result(None, {}, tuple(gates), (), None, dict.fromkeys((*PICTURES, *FRAMES, "compute-sanitizer"), reason))


def _on_gpu(settings: Settings, say: Progress) -> Result:
    import torch

    from tracker.bench import gates, replay
    from tracker.bench.ends import end_to_end
    from tracker.device.face_frame import shared_on
    from tracker.device.faces import on_cuda
    from tracker.device.network import Student
    from tracker.device.operators import operators_for
    from tracker.face.model import FaceModel
    from tracker.kernels.backend import device_columns, operator
    from tracker.kernels.rasterize.cases import Case
    from tracker.refine.sharpen import RefineSettings
    from tracker.smooth.settings import SmoothSettings

    device, backends = cuda_device(), {}
    absent = {"compute-sanitizer": f"it runs this command: {SANITIZER}"}
    say(0, 5, "gates")
    kernels = {row: operator(row, "triton")[0] for row in ("rasterize", "shade", "shade_gradient")
               if "triton" in device_columns(row)}  # fmt: skip
    drawn = _tried("rasterize", lambda: gates.pictures_gate(kernels["rasterize"], device, gates.LARGEST_BATCHES))
    seen = _tried("student", lambda: [gates.student_gate(device, settings.frames)])
    seen += _tried("faces", lambda: [gates.faces_gate(on_cuda, settings.frames)])
    seen += _tried("a face that is not seen", lambda: [gates.unseen_gate(on_cuda)])
    try:
        seen += _tried("faces on NVDEC's pictures", lambda: [gates.faces_gate(on_cuda, settings.frames, "cuda")])
    except SourceError:
        absent["faces on NVDEC's pictures"] = "NVDEC does not decode the bundled clip here"

    def pictures() -> list[Timing]:
        head = Case("head", columns=70, rows=35, side_px=256, closed=True)
        return replay.render_timings(kernels, head, settings.batch, settings.repeats, device)

    def frames() -> list[Timing]:
        shared = shared_on(device, settings.batch, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
        backends.update(operators_for(shared.mesh).backends)
        batches = tuple(size for size in (1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096) if size <= settings.batch)
        timings = replay.frame_timings(shared, batches, settings.batch, settings.repeats)
        return [*timings, replay.coast_timing(shared, settings.batch, settings.repeats)]

    def ends() -> EndToEnd:
        return end_to_end(settings.clip or gates.CLIP, on_cuda, "auto", settings.frames)

    timings: list[Timing] = []
    sent = None
    if settings.gates_only:
        absent |= dict.fromkeys((*PICTURES, *FRAMES), "only the gates were asked for")
    else:
        say(1, 5, "pictures")
        timings += _after(drawn, PICTURES, pictures, absent) or []
        say(3, 5, "frames")
        timings += _after(seen, FRAMES[:1], frames, absent) or []
        say(4, 5, "end to end")
        sent = _after(seen, FRAMES[1:], ends, absent)
    if timings and "shade_gradient" not in kernels:
        absent["forward and backward"] = "shade_gradient has no triton column"
    if sent and not sent.decoded_on_device:
        absent["decoded on the GPU"] = "NVDEC did not open this clip, so the processor decoded it"
    return Result(torch.cuda.get_device_name(), backends, (*drawn, *seen), tuple(timings), sent, absent)


def _tried(name: str, call: Callable[[], Iterable[Gate]]) -> list[Gate]:
    """Gates. One that breaks off, whatever a compiler or a driver raised, has failed, and the others still count.
    Raises SourceError where a clip cannot be decoded as asked."""
    from tracker.bench.gates import Gate

    try:
        return list(call())
    except SourceError:
        raise
    except Exception as error:
        return [Gate(name, False, _said(error))]


def _after(
    gates: list[Gate], parts: tuple[str, ...], call: Callable[[], _Measured], absent: dict[str, str]
) -> _Measured | None:
    """What `call` measures; None where a gate before it failed or it broke off, and `absent` says so of `parts`."""
    failed = [gate.name for gate in gates if not gate.passed]
    why = f"no speed counts where a gate failed: {failed[0]}" if failed else ""
    try:
        if not failed:
            return call()
    except Exception as error:
        why = f"it broke off: {_said(error)}"
    absent |= dict.fromkeys(parts, why)
    return None


def _said(error: Exception) -> str:
    """On one line: compilers say much."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST_ERROR]}" + ("..." if len(text) > LONGEST_ERROR else "")


def report(result: Result) -> str:
    """Gates, times, and what is missing."""
    marks = [[gate.name, "yes" if gate.passed else "NO", gate.found] for gate in result.gates]
    parts = [f"on {result.device or 'no GPU'}", _left(marks)]
    if result.timings:
        rows = [
            [one.name, one.batch, *(f"{ns / 1e3:.1f}" for ns in (one.spread.p50_ns, one.spread.p99_ns)),
             f"{one.per_second:,.0f}", one.target, "" if one.reached is None else "yes" if one.reached else "NO"]
            for one in result.timings
        ]  # fmt: skip
        parts.append(table(("what", "batch", "p50 us", "p99 us", "a second", "target", "reached"), rows))
    if result.sent:
        sent = result.sent
        head = f"{sent.clip}, {sent.width_px} x {sent.height_px}, decoded on {_place(sent)}"
        row = ["decoded to received", *spread_cells(sent.received)]
        parts.append(f"{table((head, *SPREAD_HEADERS), [row])}\nmessages lost: {sent.lost}")
    if result.backends:
        parts.append("backends: " + ", ".join(f"{row} {backend}" for row, backend in result.backends.items()))
    if result.not_measured:
        parts.append("NOT measured:\n" + "\n".join(f"  {what}: {why}" for what, why in result.not_measured.items()))
    return "\n\n".join(parts)


def _place(sent: EndToEnd) -> str:
    return "the GPU" if sent.decoded_on_device else "the processor"


def _left(rows: list[list[str]]) -> str:
    """Gates, what they found to the left: it is a sentence."""
    wide = max(len(row[0]) for row in rows)
    return "\n".join(f"{name.ljust(wide)}  {passed:3}  {found}" for name, passed, found in rows)


def status(result: Result) -> int:
    """The command's exit code."""
    if not result.passed:
        return GATE_FAILED
    return MEASURED if result.device else NO_GPU


def out_of(result: Result) -> Path | None:
    """Where to write the line when the user named no file."""
    if not OUT.parent.is_dir() or (result.device is None and OUT.exists() and '"device":null' not in OUT.read_text()):
        return None
    return OUT

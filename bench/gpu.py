"""`facewire bench gpu [CLIP]`: the tracker on an NVIDIA GPU, correctness first, from one kernel to the socket.

Without a GPU it runs the gates that need none, Triton's kernels in their interpreter among them, and says of everything
else that it was not measured, and why. With `--gates-only` it times nothing; that is for NVIDIA's sanitizer:

    compute-sanitizer --tool memcheck facewire bench gpu --gates-only
    compute-sanitizer --tool racecheck facewire bench gpu --gates-only

Whatever breaks off on the way is a gate that failed, so that the rest is still measured and the line still written. It
measures nothing itself; see `comparisons`, `replay`, `rasterizers` and `ends`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.bench.rasterizers import Beside, peers_table
from tracker.bench.report import SPREAD_HEADERS, Progress, quiet, said, spread_cells, table
from tracker.device.readiness import cuda_device, missing_packages, why_not_cuda
from tracker.errors import BackendUnavailable, SettingsError, SourceError

if TYPE_CHECKING:
    import torch

    from tracker.bench.ends import EndToEnd
    from tracker.bench.gates import Gate
    from tracker.bench.measure import Spread
    from tracker.bench.replay import Timing

OUT = Path("bench/results/gpu.json")
"""Where the line goes when nothing else is said and the folder is there; none never overwrites a GPU's figures."""
MEASURED, GATE_FAILED, NO_GPU = 0, 1, 3
"""Exit codes; 2 is a mistake in what was asked."""
PICTURES = ("rasterize and shade by the batch", "forward and backward", "one render as a graph's replay")
FRAMES = (
    "whole frames, p50 and p99, by the batch", "faces of several streams",
    "decoded on the GPU to received over ZeroMQ",
)  # fmt: skip
OTHERS = ("other people's rasterizers",)
"""What needs a GPU."""
SANITIZER = "compute-sanitizer --tool memcheck facewire bench gpu --gates-only"


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
    nvdiffrast: bool = False
    """Time nvdiffrast as well, beside DRTK and PyTorch3D, where it is installed; its licence is for research only."""

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
    peers: tuple[Beside, ...]
    """Other people's rasterizers beside ours."""
    sent: EndToEnd | None
    not_measured: dict[str, str]
    """What -> why."""

    @property
    def passed(self) -> bool:
        """Whether every gate was, and nothing broke off or was lost."""
        return all(gate.passed for gate in self.gates)


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Gates, then times; from then on a failure is part of the result. Raises SourceError for a clip that does not
    open, BackendUnavailable without torch, onnx or triton: there is nothing to run at all."""
    say = progress or quiet
    if settings.clip is not None:
        _open(settings.clip)
    absent = [name for name in missing_packages() if name != "cupy"]
    if absent:
        raise BackendUnavailable(f"bench gpu: without {', '.join(absent)}; pip install 'facewire[gpu]'")
    if reason := why_not_cuda():
        return _without(settings, reason, say)
    try:
        device = cuda_device()
    except Exception as error:  # a driver that lists a device and cannot start it
        return _without(settings, said(error), say)
    return _on_gpu(settings, device, say)


def _open(clip: Path) -> None:
    """Raises SourceError for what is missing, is no video, or holds no picture."""
    from tracker.source import open_source

    with open_source(str(clip)) as source:
        if next(iter(source), None) is None:
            raise SourceError(f"{clip} holds no picture; give a video with a face")


def _without(settings: Settings, reason: str, say: Progress) -> Result:
    """The gates of a machine without a GPU."""
    from tracker.bench.comparisons import Found, compare_here

    found = Found(absent=dict.fromkeys((*PICTURES, *OTHERS, *FRAMES, "compute-sanitizer"), reason))
    compare_here(settings.frames, found, say)
    return Result(None, {}, tuple(found.gates), (), (), None, found.absent)


def _on_gpu(settings: Settings, device: torch.device, say: Progress) -> Result:
    import torch

    from tracker.bench import comparisons, gates, rasterizers, replay, streams
    from tracker.bench.comparisons import DRAWN, Found
    from tracker.bench.ends import end_to_end
    from tracker.bench.looks import CLIP
    from tracker.device.face_frame import shared_on
    from tracker.device.faces import on_cuda
    from tracker.device.network import Student
    from tracker.device.operators import operators_for
    from tracker.face.model import FaceModel
    from tracker.kernels.backend import operator
    from tracker.kernels.rasterize.cases import Case
    from tracker.refine.sharpen import RefineSettings
    from tracker.smooth.settings import SmoothSettings

    name, backends, clip = torch.cuda.get_device_name(), dict[str, str](), settings.clip or CLIP
    found = Found(absent={"compute-sanitizer": f"it runs this command: {SANITIZER}"})
    say(0, 5, "gates")
    comparisons.compare_pictures(device, found)
    drawn = list(found.gates)
    comparisons.compare_frames(device, settings.frames, found)
    every = list(found.gates)

    def pictures() -> list[Timing]:
        head = Case("head", columns=70, rows=35, side_px=256, closed=True)
        kernels = {row: operator(row, "triton")[0] for row in DRAWN}
        return replay.render_timings(kernels, head, settings.batch, settings.repeats, device)

    def others() -> list[Beside]:
        triton = operator("rasterize", "triton")[0]

        def clock(call: Callable[[], object]) -> Spread:
            return replay.time_queued(call, max(settings.repeats // 4, 1), device)

        return rasterizers.beside_on(device, settings.batch, triton, clock, settings.nvdiffrast)

    def frames() -> list[Timing]:
        shared = shared_on(device, settings.batch, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
        backends.update(operators_for(shared.mesh).backends)
        batches = tuple(size for size in (1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096) if size <= settings.batch)
        timings = replay.frame_timings(shared, batches, settings.batch, settings.repeats)
        return [*timings, replay.coast_timing(shared, settings.batch, settings.repeats)]

    def together() -> list[Timing]:
        return streams.stream_timings(device, clip, settings.frames)

    def ends() -> EndToEnd:
        return end_to_end(clip, on_cuda, "auto", settings.frames)

    if settings.gates_only:
        found.absent |= dict.fromkeys((*PICTURES, *OTHERS, *FRAMES), "only the gates were asked for")
        return Result(name, backends, tuple(found.gates), (), (), None, found.absent)
    say(1, 5, "pictures")
    timings = found.after(drawn, PICTURES, pictures) or []
    say(2, 5, OTHERS[0])
    peers = found.after(drawn, OTHERS, others) or []
    say(3, 5, "frames")
    timings += found.after(every, FRAMES[:1], frames) or []
    timings += found.after(every, FRAMES[1:2], together) or []
    say(4, 5, "end to end")
    sent = found.after(every, FRAMES[2:], ends)
    if sent:
        lost = gates.Gate("every message is received", not sent.lost, f"{sent.lost} of {sent.frames} lost; none may be")
        found.gates.append(lost)
        if not sent.decoded_on_device:
            found.absent["decoded on the GPU"] = "NVDEC did not open this clip, so the processor decoded it"
    return Result(name, backends, tuple(found.gates), tuple(timings), tuple(peers), sent, found.absent)


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
    if result.peers:
        parts.append(peers_table(result.peers))
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

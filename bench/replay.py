"""How fast a device works: pictures drawn and differentiated, one render as a replay, whole frames by the batch.

Given where tensors lie it times by the device's own clock what is queued there, and by the host's what is waited for.
On the processor the same calls run, small, so that a machine without a GPU tests this text; its figures mean nothing.
It checks no result but that the faces of whole frames are accepted; see `gates`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from tracker.bench.looks import Look, look
from tracker.bench.measure import Spread, spread
from tracker.clock import monotonic_ns
from tracker.detect.finder import FindSettings
from tracker.device.coast import Coast
from tracker.device.crop import Cropper
from tracker.device.face_frame import FaceFrame, Shared
from tracker.device.graph import Graph
from tracker.device.row import accepted, ask
from tracker.errors import SourceError
from tracker.kernels.rasterize.cases import Case
from tracker.kernels.shade import Shaded, Surface
from tracker.kernels.shade_gradient import Gradient, neighbours_of
from tracker.source.frame import Frame
from tracker.source.hardware import HardwareFrame, Stamp
from tracker.source.planes import FULL_RANGE, MATRIX_OF

FRAME_TIME_NS = 1e9 / 60
SOFTNESS, REGIONS = 0.1, 5
FIRST, NEXT = (0.0, 1.0, 1.0, 0.0), (1 / 30, 0.0, 0.0, 0.0)
"""Times of a row, as `device.row.ask` takes them: of a face that its slot has never seen, and a frame later."""
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """One thing timed."""

    name: str
    batch: int
    spread: Spread
    """Of one call on the whole batch."""
    per_second: float
    """Pictures or faces, at the median."""
    target: str
    """What it should reach on an H200, in words; empty where nothing is asked for."""
    reached: bool | None
    """None where nothing is asked for."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A head of so many triangles before a photograph of noise, and what a step over it fills."""

    surface: Surface
    ids: torch.Tensor
    depth: torch.Tensor
    target: torch.Tensor
    shaded: Shaded
    neighbours: torch.Tensor
    weights: torch.Tensor
    gradient: Gradient


def scene(case: Case, device: torch.device) -> Scene:
    """The arrays there."""
    vertices, triangles = case.mesh()
    rng = np.random.default_rng(0)
    normals = rng.normal(0, 1, vertices.shape)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    lighting = rng.normal(0, 0.3, (case.batch, 9, 3)) + np.eye(9, 1) * 2
    regions = np.arange(len(triangles)) * REGIONS // len(triangles)
    picture = (case.batch, case.side_px, case.side_px)

    def there(array: np.ndarray, kind: type = np.float32) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, kind)).to(device)

    def room(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype, device=device)

    surface = Surface(
        there(vertices), there(triangles, np.int32), there(normals), there(rng.uniform(0.2, 0.9, vertices.shape)),
        there(lighting), there(regions, np.int32),
    )  # fmt: skip
    shaded = Shaded(room(*vertices.shape), room(case.batch, REGIONS), room(case.batch, REGIONS, dtype=torch.int32))
    gradient = Gradient(
        room(*vertices.shape[:2], 2), room(*vertices.shape), room(*vertices.shape), room(case.batch, 9, 3)
    )
    target = torch.randint(0, 256, (*picture, 3), dtype=torch.uint8, device=device)
    return Scene(
        surface, room(*picture, dtype=torch.int32), room(*picture), target, shaded,
        there(neighbours_of(triangles), np.int32), torch.ones((case.batch, REGIONS), device=device), gradient,
    )  # fmt: skip


def forward(operators: dict[str, Any], one: Scene) -> Callable[[], None]:
    """Rasterize, light, compare."""

    def call() -> None:
        operators["rasterize"](one.surface.vertices_px, one.surface.triangles, one.ids, one.depth)
        operators["shade"](one.surface, one.ids, one.target, SOFTNESS, one.shaded)

    return call


def both_ways(operators: dict[str, Any], one: Scene) -> Callable[[], None]:
    """The same, and the gradient by corners, normals, albedo and light."""
    there = forward(operators, one)

    def call() -> None:
        there()
        back = (one.surface, one.neighbours, one.ids, one.target, SOFTNESS, one.weights, one.gradient)
        operators["shade_gradient"](*back)

    return call


def time_queued(call: Callable[[], object], repeats: int, device: torch.device) -> Spread:
    """Of each call by the device's clock, after some that are not counted."""
    for _ in range(_WARM_UP):
        call()
    if device.type != "cuda":
        return time_waited(call, repeats)
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
    for begin, end in marks:
        begin.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return spread([round(begin.elapsed_time(end) * 1e6) for begin, end in marks])


def time_waited(call: Callable[[], object], repeats: int) -> Spread:
    """Of each call by the host's clock; the call itself waits for the device."""
    samples = []
    for _ in range(repeats):
        begin = monotonic_ns()
        call()
        samples.append(monotonic_ns() - begin)
    return spread(samples)


def as_graph(call: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """The call as a graph's replay; on the processor the call."""
    if device.type != "cuda":
        return call
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        call()
    return lambda: graph.replay()


def render_timings(
    operators: dict[str, Any], case: Case, batch: int, repeats: int, device: torch.device
) -> list[Timing]:
    """Forward, forward and backward by the batch; one render as a replay. Without a gradient's column, not that."""
    many = scene(replace(case, batch=batch), device)
    about = f"{len(many.surface.triangles)} triangles at {case.side_px} px"
    timed = time_queued(forward(operators, many), repeats, device)
    found = [_rate(f"rasterize and shade, {about}", batch, timed, 200_000)]
    if "shade_gradient" in operators:
        timed = time_queued(both_ways(operators, many), max(repeats // 4, 1), device)
        found.append(_rate(f"and backward, {about}", batch, timed, 80_000))
    del many
    one = scene(replace(case, batch=1), device)
    replay = as_graph(forward(operators, one), device)
    timed = time_queued(replay, repeats, device)
    name = f"one render as a replay, {about}"
    return [*found, Timing(name, 1, timed, 1e9 / timed.p50_ns, "40 us", timed.p50_ns <= 40_000)]


def frame_timings(shared: Shared, batches: tuple[int, ...], spare: int, repeats: int) -> list[Timing]:
    """Whole frames for each batch: rows there, crops, replay, rows back, waited for. Every face is that of the bundled
    clip, followed in a slot of its own; decoding is not in it. Raises SourceError where one is not accepted."""
    at, device = look(), shared.mesh.device
    frame = on_device(at.frame, device) if device.type == "cuda" else at.frame
    what = "whole frame, " + ("cropped there from NV12" if device.type == "cuda" else "cropped here")
    found = []
    for batch in batches:
        timed = _time_frames(shared, at, frame, (batch, spare, repeats))
        rate = batch * 1e9 / timed.p50_ns
        in_time = rate * FRAME_TIME_NS / 1e9
        if batch == 1:
            reached = timed.p50_ns <= 600_000 and timed.p99_ns <= 1_000_000
            found.append(Timing(what, 1, timed, rate, "p50 0.6 ms, p99 1.0 ms", reached))
        else:
            largest = batch == max(batches)
            target, reached_it = ("1000 faces in 16.7 ms", in_time >= 1000) if largest else ("", None)
            name = f"{what}, {in_time:.0f} faces in 16.7 ms"
            found.append(Timing(name, batch, timed, rate, target, reached_it))
    return found


def _time_frames(shared: Shared, at: Look, frame: Frame, sizes: tuple[int, int, int]) -> Spread:
    """Of a batch, with the slot of nobody and how often."""
    batch, spare, repeats = sizes
    graph = Graph(FaceFrame(batch, shared), spare)
    crop = Cropper(at.pipeline.kernels.crop_roi, batch, shared.mesh.device)

    def run() -> None:
        graph.run(lambda into: crop([(frame, [at.roi] * batch)], into))

    for times in (FIRST, NEXT):
        for slot, row in enumerate(graph.asked):
            ask(row, at.roi, at.camera, slot, times, FindSettings().keep_presence)
        run()
    timed = time_waited(run, repeats)
    seen = sum(accepted(row) for row in graph.answered)
    if seen < batch:
        raise SourceError(f"{seen} of {batch} looks at the bundled clip's face are accepted; all must be to be timed")
    return timed


def on_device(frame: Frame, device: torch.device) -> Frame:
    """A picture in I420 as NVDEC would leave it on the device: planes of NV12, which a cropper reads where they lie."""
    luma, *halves = (torch.from_numpy(np.array(plane)) for plane in frame.planes)
    planes = (luma.to(device), torch.stack(halves, -1).to(device))
    picture = SimpleNamespace(
        planes=planes, width=frame.width_px, height=frame.height_px, color_range=FULL_RANGE * frame.full_range,
        colorspace=next(number for number, name in MATRIX_OF.items() if name == frame.matrix),
    )  # fmt: skip
    stamp = Stamp(frame.pts or 0, frame.time_base, frame.index, frame.captured_ns, frame.decoded_ns)
    return cast(Frame, HardwareFrame(cast(Any, picture), stamp))


def coast_timing(shared: Shared, spare: int, repeats: int) -> Timing:
    """What a face that is not seen costs: its row there, replay, its row back, waited for."""
    graph = Graph(Coast(1, shared), spare)
    graph.run()
    timed = time_waited(graph.run, repeats)
    return Timing("a face that is not seen", 1, timed, 1e9 / timed.p50_ns, "", None)


def _rate(name: str, batch: int, timed: Spread, least: int) -> Timing:
    rate = batch * 1e9 / timed.p50_ns
    return Timing(name, batch, timed, rate, f"{least:,} a second", rate >= least)

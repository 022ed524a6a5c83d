"""Where a kernel works, the processor or a GPU: how arrays get there and back, how time is taken there, and how long it
takes there to copy bytes, which is the roof that a kernel's time is held against.

Given calls and arrays it times and moves them. It knows no kernel; torch and CuPy are loaded only where they are asked
for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.clock import monotonic_ns

# A call that takes long is not repeated for more than this.
_LONGEST_NS = 400_000_000
# Calls on a device between two looks at its clock.
_QUEUED = 20

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Place:
    """One such place."""

    there: Callable[[Any], Any]
    """Arguments with numpy's arrays moved there."""
    back: Callable[[Any], Any]
    """And back."""
    time: Callable[[Call, int], Spread]
    """Durations of a call, repeated at most so often."""
    copier: Callable[[int], Call]
    """A call that copies so many bytes: half of that is read, half written."""


def place_of(backend: str) -> Place:
    """Where a backend works. Raises ImportError for one whose library is missing."""
    return {"triton": lambda: on_torch("cuda"), "cupy": _cupy}.get(backend, _here)()


def bytes_of(value: Any) -> int:
    """Of all numpy arrays in arguments, each counted once: what has to be read or written whatever the method."""
    arrays: dict[int, np.ndarray] = {}
    moved(value, lambda array: arrays.setdefault(id(array), array), np.ndarray)
    return sum(array.nbytes for array in arrays.values())


def moved(value: Any, move: Callable[[Any], Any], kind: type) -> Any:
    """A tuple or a dataclass of arrays of one kind with each array moved; all else as it is."""
    if isinstance(value, kind):
        return move(value)
    if isinstance(value, tuple):
        return tuple(moved(one, move, kind) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: moved(getattr(value, one.name), move, kind) for one in fields(value)})
    return value


def on_the_clock(call: Call, repeats: int) -> Spread:
    """Durations of `call`, after two that are not counted (they compile and fill caches)."""
    call()
    call()
    samples: list[int] = []
    while len(samples) < repeats and sum(samples) < _LONGEST_NS:
        begin = monotonic_ns()
        call()
        samples.append(monotonic_ns() - begin)
    return spread(samples)


def _here() -> Place:
    def copier(size: int) -> Call:
        source, target = (np.full(max(size // 2, 1), fill, np.uint8) for fill in (1, 0))
        return lambda: np.copyto(target, source)

    return Place(lambda value: value, lambda value: value, on_the_clock, copier)


def _on_events(begin: Any, end: Any, elapsed_ms: Callable[[], float], queue: Call, repeats: int) -> Spread:
    """Times by the device's own clock, per call of the `_QUEUED` that `queue` hands over as one graph, so that the time
    to hand them over does not count."""
    samples = list[int]()
    while len(samples) < repeats and sum(samples) * _QUEUED < _LONGEST_NS:
        begin.record()
        queue()
        end.record()
        end.synchronize()
        samples.append(round(elapsed_ms() * 1e6 / _QUEUED))
    return spread(samples)


def on_torch(device: Any) -> Place:
    """A device of torch's. Times are by its own clock, so only on one that has such."""
    import torch

    def time(call: Call, repeats: int) -> Spread:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        call()  # compiles, and makes scratch memory, which the capture must not
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(_QUEUED):
                call()
        graph.replay()
        return _on_events(begin, end, lambda: begin.elapsed_time(end), graph.replay, repeats)

    def copier(size: int) -> Call:
        source, target = (torch.zeros(max(size // 2, 1), dtype=torch.uint8, device=device) for _ in range(2))
        return lambda: target.copy_(source)

    return Place(
        lambda value: moved(value, lambda array: torch.from_numpy(array).to(device), np.ndarray),
        lambda value: moved(value, lambda array: array.cpu().numpy(), torch.Tensor), time, copier,
    )  # fmt: skip


def _cupy() -> Place:
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()

    def time(call: Call, repeats: int) -> Spread:
        call()  # compiles, and takes what the capture must not
        end.record()
        end.synchronize()
        with cupy.cuda.Stream(non_blocking=True) as stream:
            stream.begin_capture()
            for _ in range(_QUEUED):
                call()
            graph = stream.end_capture()
            graph.launch()
            return _on_events(begin, end, lambda: cupy.cuda.get_elapsed_time(begin, end), graph.launch, repeats)

    def copier(size: int) -> Call:
        source, target = (cupy.zeros(max(size // 2, 1), cupy.uint8) for _ in range(2))
        return lambda: cupy.copyto(target, source)

    return Place(
        lambda value: moved(value, cupy.asarray, np.ndarray), lambda value: moved(value, cupy.asnumpy, cupy.ndarray),
        time, copier,
    )  # fmt: skip

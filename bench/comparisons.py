"""Every comparison that comes before a device's times, in order, and what may be timed after them.

Given a device it asks for one gate after the other. A gate that breaks off has failed, and so has a measurement that
does, whatever a compiler or a driver raised; the rest goes on. It compares nothing itself; see `gates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from tracker.bench import gates, places, streams
from tracker.bench.gates import Gate
from tracker.bench.report import Progress, said
from tracker.errors import SourceError

DRAWN = ("rasterize", "shade", "shade_gradient")
"""Operators without which no picture counts; a whole frame needs those of `device.operators` too."""
_Measured = TypeVar("_Measured")


@dataclass(slots=True)
class Found:
    """What is known so far."""

    gates: list[Gate] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """What was not measured -> why."""

    def tried(self, name: str, call: Callable[[], Iterable[Gate]]) -> None:
        """Add gates; one of that name that failed where they break off."""
        try:
            self.gates += call()
        except Exception as error:
            self.gates.append(Gate(name, False, said(error)))

    def after(self, before: list[Gate], parts: tuple[str, ...], call: Callable[[], _Measured]) -> _Measured | None:
        """What `call` measures; None where a gate before it failed, or where it breaks off, which is a failed gate."""
        failed = [gate.name for gate in before if not gate.passed]
        why = f"no speed counts where a gate failed: {failed[0]}" if failed else ""
        try:
            if not failed:
                return call()
        except Exception as error:
            why = f"it broke off: {said(error)}"
            self.gates.append(Gate(parts[0], False, why))
        self.absent |= dict.fromkeys(parts, why)
        return None


def compare_here(frames: int, found: Found, say: Progress) -> None:
    """What can be compared without a GPU: the network and faces in plain torch, kernels in Triton's interpreter."""
    from tracker.bench import interpreted
    from tracker.device.faces import on_processor

    say(0, 3, "student")
    found.tried("student", lambda: [gates.student_gate(torch.device("cpu"), min(frames, 40))])
    say(1, 3, "faces, in plain torch")
    found.tried("faces", lambda: [gates.faces_gate(on_processor, min(frames, 60))])
    found.tried("a face that is not seen", lambda: [gates.unseen_gate(on_processor)])
    found.tried("several streams", lambda: [streams.streams_gate(torch.device("cpu"), min(frames, 40))])
    say(2, 3, "kernels in Triton's interpreter")
    found.tried("Triton's interpreter", lambda: interpreted.interpreted_gates())


def compare_pictures(device: torch.device, found: Found) -> None:
    """Numba's bits for every batch, and what a picture takes besides."""
    from tracker.kernels.backend import operator

    def to_the_bit() -> Iterable[Gate]:
        return gates.pictures_gate(operator("rasterize", "triton")[0], device, gates.LARGEST_BATCHES)

    found.tried("rasterize", to_the_bit)
    _compare_operators(DRAWN, device, found)


def compare_frames(device: torch.device, frames: int, found: Found) -> None:
    """The frame's other operators, each on its own cases; the network; faces."""
    from tracker.device.faces import on_cuda
    from tracker.device.operators import FUSED, ROWS

    def on_nvdec() -> list[Gate]:
        try:
            return [gates.faces_gate(on_cuda, frames, "cuda")]
        except SourceError:
            found.absent["faces on NVDEC's pictures"] = "NVDEC does not decode the bundled clip here"
            return []

    _compare_operators([row for row in (*ROWS, *FUSED, "crop_nv12") if row not in DRAWN], device, found)
    found.tried("student", lambda: [gates.student_gate(device, frames)])
    found.tried("faces", lambda: [gates.faces_gate(on_cuda, frames)])
    found.tried("a face that is not seen", lambda: [gates.unseen_gate(on_cuda)])
    found.tried("several streams", lambda: [streams.streams_gate(device, frames)])
    found.tried("faces on NVDEC's pictures", on_nvdec)


def _compare_operators(rows: Iterable[str], device: torch.device, found: Found) -> None:
    place = places.on_torch(device)
    for row in rows:
        found.tried(row, lambda row=row: [gates.operator_gate(row, place)])  # type: ignore[misc]

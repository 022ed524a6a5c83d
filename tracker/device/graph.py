"""One CUDA graph by hand: a frame's copy to the device, its run and the copy back, replayed as one launch.

Given a frame it warms it up, so that kernels are compiled and scratch memory is taken, captures one run and from
then on replays it. The rows that cross lie in pinned memory whose addresses the graph holds. On the processor there is
nothing to capture: the same calls run the frame itself. It does not know what the rows say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

WARM_UP = 3
Frame = TypeVar("Frame", bound="Runs")


class Runs(Protocol):
    """A batch of rows there, work of fixed shape, and a batch of rows back: `FaceFrame` or `Coast`."""

    batch: int
    asked: Tensor
    answered: Tensor

    def run(self) -> None:
        """Fill `answered`, by operations that a CUDA graph may hold."""

    @property
    def leave_empty(self) -> Callable[[np.ndarray, int], None]:
        """Makes a row of `asked` nobody's, whose slot is the number given."""


class Graph(Generic[Frame]):
    """A frame ready to be replayed. Rows of `asked` are written before, those of `answered` read after `run`."""

    def __init__(self, frame: Frame, spare: int) -> None:
        """`spare` is the slot of empty places; the warm-up leaves every other as it is."""
        self.frame = frame
        self._captured: torch.cuda.CUDAGraph | None = None
        self._on_device = frame.asked.device.type == "cuda"
        self._asked, self._answered = (
            torch.zeros(there.shape, dtype=there.dtype, pin_memory=self._on_device)
            for there in (frame.asked, frame.answered)
        )
        self.asked: np.ndarray = self._asked.numpy()
        """float64 [B, ...]: see `row.ASKED` and `row.MISSED`."""
        self.answered: np.ndarray = self._answered.numpy()
        """float32 [B, ...]: see `row.ANSWERED` and `row.EXPECTED`."""
        self._nobody = np.zeros(self.asked.shape[1])
        frame.leave_empty(self._nobody, spare)
        self.leave_empty(0)
        self._stream = torch.cuda.Stream() if self._on_device else None
        self._done = torch.cuda.Event() if self._on_device else None
        if self._stream is not None:
            self._capture(self._stream)

    @property
    def batch(self) -> int:
        """Faces at a time."""
        return self.frame.batch

    def leave_empty(self, first: int) -> None:
        """No faces from this row on."""
        self.asked[first:] = self._nobody

    def run(self, fill: Callable[[Frame], None] = lambda frame: None) -> None:
        """Copy the rows there, let `fill` add what else the frame needs, replay, and wait for the answers."""
        if self._stream is None:
            self.frame.asked.copy_(self._asked)
            fill(self.frame)
            self.frame.run()
            self._answered.copy_(self.frame.answered)
            return
        assert self._captured is not None and self._done is not None
        with torch.cuda.stream(self._stream):
            # What decoded the picture has worked on the default stream: that of the graph's device, which the caller's
            # thread need not be on.
            self._stream.wait_stream(torch.cuda.default_stream())
            self.frame.asked.copy_(self._asked, non_blocking=True)
            fill(self.frame)
            self._captured.replay()
            self._done.record()
        self._done.synchronize()

    def replay(self) -> None:
        """Only the captured part, queued and not waited for: what a bench times."""
        if self._captured is None:
            self.frame.run()
        else:
            self._captured.replay()

    def _capture(self, stream: torch.cuda.Stream) -> None:
        """Run a few times on empty places, then once more into the graph."""
        self.frame.asked.copy_(self._asked)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.frame.run()
        stream.synchronize()
        self._captured = torch.cuda.CUDAGraph()
        # A source's thread may be decoding on the device meanwhile, which concerns no stream of this thread.
        with torch.cuda.graph(self._captured, stream=stream, capture_error_mode="thread_local"):
            self.frame.run()
            self._answered.copy_(self.frame.answered, non_blocking=True)


def sizes_for(faces: int) -> tuple[int, ...]:
    """Batch sizes to have graphs for: 1, 2, 4 and so on, up to the first that holds so many faces."""
    sizes = [1]
    while sizes[-1] < faces:
        sizes.append(2 * sizes[-1])
    return tuple(sizes)

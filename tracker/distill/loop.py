"""Training to the end of its time, with examples drawn ahead in other processes.

Given a run and something that yields batches it steps until the clock is up and keeps a checkpoint now and then, at
Ctrl-C, and when a process that draws dies. It knows neither networks nor what is in a batch.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from tracker.distill import lifeline
from tracker.errors import BackendUnavailable

AHEAD = 4
"""Batches that each process draws ahead."""
Batch = TypeVar("Batch")
Drawn = TypeVar("Drawn", covariant=True)
Taken = TypeVar("Taken", contravariant=True)


class Source(Protocol[Drawn]):
    """Where batches come from."""

    rng: np.random.Generator

    def batch(self, size: int, /) -> Drawn:
        """A batch of so many rows."""


class Schedule(Protocol):
    """How long a run shall take."""

    @property
    def minutes(self) -> float:
        """In all."""

    @property
    def checkpoint_minutes(self) -> float:
        """From one checkpoint to the next."""


class Run(Protocol[Taken]):
    """A training run."""

    seconds: float
    """How far it is."""
    steps: int

    @property
    def settings(self) -> Schedule:
        """The recipe."""

    def step(self, batch: Taken, /) -> dict[str, float]:
        """One update; the parts of the loss."""

    def save(self, path: Path, /) -> None:
        """Whole or not at all."""


def keep_on(run: Run[Batch], draw: Callable[[], Batch], path: Path, progress: Callable[[str], None]) -> None:
    """Step until the run's time is up and write its checkpoint.

    What cuts it short, Ctrl-C or a process that died, passes, once the checkpoint is written.
    """
    minutes = run.settings.minutes
    if run.seconds >= minutes * 60:
        progress(f"its {minutes:g} min are over; give more --minutes, or move {path} away to train anew")
    try:
        _step_on(run, draw, path, progress)
    except (KeyboardInterrupt, BackendUnavailable):
        if run.steps:
            run.save(path)
            progress(f"stopped at step {run.steps}, kept in {path}; the same command goes on from there")
        raise
    run.save(path)


def _step_on(run: Run[Batch], draw: Callable[[], Batch], path: Path, progress: Callable[[str], None]) -> None:
    mean: dict[str, float] = {}
    saved = run.seconds
    while run.seconds < run.settings.minutes * 60:
        started = time.monotonic()
        parts = run.step(draw())
        run.seconds += time.monotonic() - started
        for name, value in parts.items():
            mean[name] = mean.get(name, value) * 0.98 + value * 0.02
        if run.steps % 100 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in mean.items())
            progress(f"step {run.steps} {run.seconds / 60:.1f} of {run.settings.minutes:g} min  {shown}")
        if run.seconds - saved > run.settings.checkpoint_minutes * 60:
            run.save(path)
            saved = run.seconds


@torch.no_grad()
def fold_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move an average of weights on; counters are copied."""
    for mean, now in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1 - decay)
        else:
            mean.copy_(now)


@contextmanager
def drawing(source: Source[Drawn], size: int, seed: int) -> Iterator[Callable[[], Drawn]]:
    """A function that gives batches of `size` rows, drawn ahead in other processes: one, or where a GPU does the
    steps, as many as there are cores to spare. It raises BackendUnavailable when one of them died."""
    import cv2

    # A fork does not take OpenCV's threads along, and the child would wait for them for ever: end them first.
    cv2.setNumThreads(1)
    count = max(1, (os.cpu_count() or 1) - 2) if torch.cuda.is_available() else 1
    drawers: dict[Connection, BaseProcess] = {}
    try:
        for k in range(count):
            ours, drawer = _start(source, size, seed + 7919 * k)
            drawers[ours] = drawer
        yield lambda: _next(drawers)
    finally:
        for ours, drawer in drawers.items():
            drawer.kill()
            ours.close()


def _start(source: Source[Any], size: int, seed: int) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    drawer = context.Process(target=_draw, args=(theirs, source, size, seed), daemon=True)
    drawer.start()
    # With this end open here, or in a later fork, a drawer that dies within a batch would be waited for for ever.
    theirs.close()
    return ours, drawer


def _next(drawers: dict[Connection, BaseProcess]) -> Any:
    ready = wait(list(drawers))[0]
    assert isinstance(ready, Connection)
    try:
        return ready.recv()
    except (EOFError, OSError) as error:
        drawer = drawers[ready]
        drawer.join(1)
        raise BackendUnavailable(
            f"process {drawer.pid}, which draws the training examples, ended with status {drawer.exitcode} (killed, "
            "perhaps for want of memory, where that is -9); run the command again, which goes on where it stopped"
        ) from error


def _draw(pipe: Connection, source: Source[Any], size: int, seed: int) -> None:
    lifeline.hold()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this, and ends it
    torch.set_num_threads(1)
    source.rng = np.random.default_rng(seed)
    ahead: queue.Queue[Any] = queue.Queue(AHEAD)
    threading.Thread(target=_send, args=(pipe, ahead), daemon=True).start()
    while True:
        ahead.put(source.batch(size))


def _send(pipe: Connection, ahead: queue.Queue[Any]) -> None:
    while True:
        pipe.send(ahead.get())

"""`facewire run` in a process of its own, with a look at every frame after its message has left.

Given what a user would write after `facewire run`, it runs the very command, and keeps for each frame the number that
stands in its pixels and how long each stage took. The look costs some microseconds between two frames, none of which
is inside a stamp. It does not know when a frame was due.
"""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.bench import strip
from tracker.bench.child import Child
from tracker.clock import monotonic_ns
from tracker.errors import FacewireError

if TYPE_CHECKING:
    from tracker.face.camera import Camera
    from tracker.face.parameters import Face
    from tracker.pipeline import Pipeline
    from tracker.publish import Publisher
    from tracker.source.frame import Frame

STAGES = ("find", "regress", "refine", "smooth")
COLUMNS = ("sequence", "pts_ns", "number", "dropped", "faces", "left_ns", *(f"{stage}_ns" for stage in STAGES))
SOURCE_ID = "bench"
MOST_FRAMES = 1 << 22
"""Rows kept: four hours at 240 Hz, the most that can be asked for. Memory is taken when it is written to."""


class Tap:
    """What `facewire run` calls after every frame."""

    def __init__(self, pipeline: Pipeline, publisher: Publisher) -> None:
        self.rows = np.zeros((MOST_FRAMES, len(COLUMNS)), np.int64)
        self.count = 0
        self._pipeline, self._publisher = pipeline, publisher

    def __call__(self, frame: Frame, faces: Sequence[Face], camera: Camera) -> None:
        """One row: -1 for a number that cannot be read."""
        left_ns = monotonic_ns()
        number = strip.read(frame.planes[0])
        spent = self._pipeline.stage_ns
        seen = sum(face.confidence > 0 for face in faces)
        self.rows[self.count % MOST_FRAMES] = (
            self._publisher.sequence - 1, round((frame.pts_seconds or 0.0) * 1e9), -1 if number is None else number,
            frame.dropped, seen, left_ns,
            *(spent[stage] for stage in STAGES),
        )  # fmt: skip
        self.count += 1


def run(arguments: Sequence[str], watch: Callable[..., Any]) -> None:
    """`facewire run` with `arguments`, in this process; `watch(pipeline, publisher)` gives what is called after every
    frame. Raises FacewireError where the command would print one."""
    from tracker.cli import cli

    bound = ("--bind", "tcp://127.0.0.1:0", "--source-id", SOURCE_ID)
    with redirect_stdout(io.StringIO()):  # its lines are for a person; the bench prints its own
        cli.main(["run", *arguments, *bound], standalone_mode=False, obj=watch)


def _track(arguments: Sequence[str], standard_input: bool, pipe: Connection) -> None:
    if standard_input:
        host, _, port = arguments[0].removeprefix("tcp://").partition(":")
        os.dup2(socket.create_connection((host, int(port))).detach(), 0)
        sys.__stdin__ = os.fdopen(0)  # type: ignore[misc]  # multiprocessing has closed the one there was
        arguments = ("-", *arguments[1:])
    taps: list[Tap] = []

    def watch(pipeline: Pipeline, publisher: Publisher) -> Tap:
        taps.append(Tap(pipeline, publisher))
        pipe.send(publisher.endpoint)
        return taps[0]

    try:
        run(arguments, watch)
    except FacewireError as error:
        pipe.send(error)
        return
    pipe.send(taps[0].rows[: taps[0].count])


class Tracking:
    """The parent's handle on the process that tracks; a context manager."""

    def __init__(self, arguments: Sequence[str], standard_input: bool = False) -> None:
        """With `standard_input` the first argument, `tcp://HOST:PORT`, is connected to that instead, and `-` given."""
        self._child = Child("`facewire run`", _track, tuple(arguments), standard_input)

    def endpoint(self) -> str:
        """Once it is bound. Raises what `facewire run` would say."""
        return str(self._child.hear())

    def finish(self) -> np.ndarray:
        """int64 [N, len(COLUMNS)], one row a frame, after the source has ended."""
        return np.asarray(self._child.hear())

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

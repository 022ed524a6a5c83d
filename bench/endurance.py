"""`facewire run` round and round a file, without pause, in a process that watches its own memory.

Given footage it runs the very command until so many frames have been published, and then breaks it off. It waits with
the first frame that counts until it is told that somebody listens. It can spoil the run on purpose.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.bench import tap
from tracker.bench.child import SPAWN, Child
from tracker.clock import monotonic_ns
from tracker.errors import FacewireError

if TYPE_CHECKING:
    from tracker.pipeline import Pipeline
    from tracker.publish import Publisher

LOOK_NS = 1_000_000_000
"""How often memory is read."""
FEWEST_LOOKS = 40
"""Looks in a run too short for one a second."""
LEAK_BYTES = 1 << 20
SPOILT_EVERY = 10


class _Enough(Exception):
    """All frames are done: an endless file ends only by being broken off."""


class _Watch:
    """Called after every frame."""

    def __init__(self, publisher: Publisher, frames: int, spoil: str | None, done: Any, listening: Any) -> None:
        self.curve: list[tuple[float, int, float]] = []
        self.publisher = publisher
        self._frames, self._spoil, self._done, self._listening = frames, spoil, done, listening
        self._count = 0
        self._started_ns = self._look_ns = 0
        self._every = max(1, frames // FEWEST_LOOKS)
        self._held: list[bytearray] = []

    def __call__(self, *_: object) -> None:
        if not self._started_ns:
            # The subscriber hears what is published meanwhile: it came here to say that it stands.
            if not self._listening.is_set():
                return
            self._started_ns = self._look_ns = monotonic_ns()
        self._count += 1
        now_ns = monotonic_ns()
        if now_ns >= self._look_ns or self._count % self._every == 0 or self._count == self._frames:
            self._look(now_ns)
        if self._spoil and self._count % SPOILT_EVERY == 0:
            self._harm()
        if self._count == self._frames:
            raise _Enough

    def _look(self, now_ns: int) -> None:
        from tracker.bench.soak import resident_mb

        self._look_ns = now_ns + LOOK_NS
        self._done.value = self._count
        self.curve.append(((now_ns - self._started_ns) / 1e9, self._count, resident_mb()))

    def _harm(self) -> None:
        if self._spoil == "leak":
            self._held.append(bytearray(b"x" * LEAK_BYTES))
        elif self._spoil == "gap":
            self.publisher.sequence += 1
        elif self._spoil == "repeat":
            self.publisher.sequence -= 1


def _run(footage: Path, faces: int, frames: int, spoil: str | None, shared: tuple[Any, Any], pipe: Connection) -> None:
    watches: list[_Watch] = []

    def watch(_: Pipeline, publisher: Publisher) -> _Watch:
        watches.append(_Watch(publisher, frames, spoil, *shared))
        pipe.send(publisher.endpoint)
        return watches[0]

    try:
        tap.run((str(footage), "--loop", "--max-faces", str(faces)), watch)
    except _Enough:
        found = watches[0]
        pipe.send((np.array(found.curve), found.publisher.sequence - 1, found.publisher.overflows))
    except FacewireError as error:
        pipe.send(error)


class Endurance:
    """The parent's handle; a context manager."""

    def __init__(self, footage: Path, faces: int, frames: int, spoil: str | None = None) -> None:
        self._done, self._listening = SPAWN.Value("q", 0), SPAWN.Event()
        self._child = Child("tracker", _run, footage, faces, frames, spoil, (self._done, self._listening))
        self._frames = frames

    def endpoint(self) -> str:
        """Once it is bound. Raises what `facewire run` would say."""
        return str(self._child.hear())

    def go(self) -> None:
        """From now on frames count."""
        self._listening.set()

    def frames_so_far(self, seconds: float) -> int:
        """Wait so long, or until it has ended: frames by then."""
        return self._frames if self._child.spoke(seconds) else int(self._done.value)

    def finish(self) -> tuple[np.ndarray, int, int]:
        """Float64 [N, 3] of seconds, frames and MB; the last sequence published; how often a queue ran full."""
        curve, last, overflows = self._child.hear()
        return np.asarray(curve), int(last), int(overflows)

    def __enter__(self) -> Endurance:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

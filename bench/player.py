"""A camera made of a file: plays encoded video at its true pace to whoever connects, in a process of its own.

Given footage it remuxes the same packets round and round with times that go on. Frame n is due at start + n / rate,
whatever became of the frames before it: if the player or its listener is late, the schedule is not. It knows no faces.
"""

from __future__ import annotations

import ctypes
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tracker.bench.child import SPAWN, Child
from tracker.clock import monotonic_ns

Container = Literal["nut", "mpegts"]
# MPEG-TS would add 1.4 s to every time.
_MUXING = {"nut": {"flush_packets": "1"}, "mpegts": {"flush_packets": "1", "mpegts_copyts": "1"}}
_PATIENCE_SECONDS = 60.0
ENDLESS = 1 << 62
PR_SET_TIMERSLACK = 29
AWAKE_NS = 300_000
"""Before a frame is due the player is awake for so long: its own sleepiness is not what is to be measured."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each frame is due."""

    start_ns: int
    """Monotonic; of frame 0."""
    rate_hz: int

    def due_ns(self, number: int) -> int:
        """Monotonic."""
        return self.start_ns + number * 1_000_000_000 // self.rate_hz

    def next_after(self, now_ns: int) -> int:
        """The first frame due after `now_ns`."""
        return max(0, -((self.start_ns - now_ns) * self.rate_hz // 1_000_000_000))


class _Chunk:
    """A file that FFmpeg writes to and that is emptied frame by frame."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


class Stream:
    """The footage as bytes, frame by frame, for ever."""

    def __init__(self, path: Path, rate_hz: int, container: Container) -> None:
        import av

        with av.open(str(path)) as footage:
            source = footage.streams.video[0]
            # As bytes: a packet of a closed file may not outlive it.
            self._packets = [(bytes(packet), packet.is_keyframe) for packet in footage.demux(source) if packet.size]
            self._chunk = _Chunk()
            self._out: Any = av.open(self._chunk, "w", format=container, options=_MUXING[container])
            self._stream = self._out.add_stream_from_template(source)
        self._period = Fraction(1, rate_hz)

    def frame(self, number: int) -> bytes:
        """What to send for frame `number`; to be asked for in order. The first carries the headers, too."""
        import av

        data, is_key = self._packets[number % len(self._packets)]
        packet = av.Packet(data)
        packet.stream, packet.is_keyframe = self._stream, is_key
        packet.pts = packet.dts = number
        packet.time_base = self._period
        self._out.mux(packet)
        return self._chunk.take()


def play(stream: Stream, schedule: Schedule, wire: socket.socket, wishes: Any) -> np.ndarray:
    """Send each frame when it is due; int64 [N]: when each was sent. A listener who hangs up ends it.

    `wishes` may change meanwhile: the frame before which to end, the one before which to stall, and for how many ns.
    """
    sent_ns: list[int] = []
    while (number := len(sent_ns)) < wishes[0]:
        data = stream.frame(number)
        _sleep_until(schedule.due_ns(number) + (wishes[2] if number == wishes[1] else 0))
        # Before, not after: on one core the listener may have read and decoded it by the time the call returns.
        sent_ns.append(monotonic_ns())
        try:
            wire.sendall(data)
        except OSError:
            del sent_ns[-1]
            break
    return np.array(sent_ns, np.int64)


def _on_time() -> None:
    """Have the kernel end this process's sleeps when they are due and not when it is convenient, 50 us later: it is
    the tracker that is measured. No other system has the like of it, nor needs it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def _sleep_until(due_ns: int) -> None:
    """Sleep, and look at the clock for the last moment: a core takes its time to wake up."""
    while (left_ns := due_ns - monotonic_ns()) > 0:
        if left_ns > AWAKE_NS:
            time.sleep((left_ns - AWAKE_NS) / 1e9)


def _serve(footage: Path, rate_hz: int, container: Container, wishes: Any, pipe: Connection) -> None:
    """The child: listen, say where, play to the first who connects."""
    _on_time()
    stream = Stream(footage, rate_hz, container)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_PATIENCE_SECONDS)
        pipe.send(server.getsockname()[1])
        wire, _ = server.accept()
    with wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        schedule = Schedule(monotonic_ns() + 1_000_000, rate_hz)
        pipe.send(schedule)
        sent_ns = play(stream, schedule, wire, wishes)
    with suppress(OSError):  # where the parent has given up, nobody asks
        pipe.send(sent_ns)


class Player:
    """The parent's handle; a context manager."""

    def __init__(self, footage: Path, rate_hz: int, container: Container = "nut") -> None:
        self._wishes = SPAWN.Array("q", [ENDLESS, ENDLESS, 0], lock=False)
        self._child = Child("player", _serve, footage, rate_hz, container, self._wishes)
        self.address = f"tcp://127.0.0.1:{self._child.hear()}"

    def schedule(self) -> Schedule:
        """Once somebody has connected."""
        found: Schedule = self._child.hear()
        return found

    def end_before(self, number: int) -> None:
        """Frame `number` is not sent any more."""
        self._wishes[0] = number

    def stall_before(self, number: int, seconds: float) -> None:
        """Send nothing for so long from when frame `number` is due, as an overloaded sender does."""
        self._wishes[2] = int(seconds * 1e9)
        self._wishes[1] = number

    def finish(self) -> np.ndarray:
        """int64 [N]: when each frame was sent, after the last one."""
        return np.asarray(self._child.hear())

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

"""The subscriber library: an address in, frames out, one by one or only the newest.

Given a publisher's address it yields `FrameMessage`s with the time they came, and keeps count of what was missed. It
needs ZeroMQ, numpy and the tables of wire and face; it has no idea how faces are found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import zmq

from tracker.clock import FOREVER_SECONDS, monotonic_ns
from tracker.errors import SettingsError, WireError
from tracker.wire import topics
from tracker.wire.codec import decode
from tracker.wire.endpoint import check_endpoint
from tracker.wire.hello import Hello, decode_hello
from tracker.wire.schema import FrameMessage

if TYPE_CHECKING:
    import zmq.asyncio

AnySocket = TypeVar("AnySocket", bound="zmq.Socket[Any]")
OnError = Callable[[WireError], None]
QUEUE = 1000
LOOK_MS = 100
"""How often whoever waits for a message looks whether another thread has closed the subscription."""


@dataclass(slots=True)
class SourceCount:
    """What came of one source, and what did not."""

    epoch: int
    """Of the publisher heard last."""
    sequence: int
    """The largest seen in that epoch."""
    received: int = 1
    missed: int = 0
    """Gaps in the sequence: lost, or passed over because only the newest was asked for."""
    repeated: int = 0
    """Came again, or after a later one."""
    restarts: int = 0
    """New epochs: the publisher was started again."""

    def add(self, epoch: int, sequence: int) -> None:
        """Count one more message."""
        self.received += 1
        if epoch != self.epoch:
            self.epoch, self.sequence = epoch, sequence
            self.restarts += 1
        elif sequence > self.sequence:
            self.missed += sequence - self.sequence - 1
            self.sequence = sequence
        else:
            self.repeated += 1


class Reception:
    """What is known about the messages that came so far; sync and async subscriptions share it."""

    def __init__(self, on_error: OnError | None) -> None:
        self.sources: dict[str, SourceCount] = {}
        """By source id."""
        self.bad = 0
        """Messages that were none."""
        self._on_error = on_error

    def read(self, data: bytes) -> FrameMessage | None:
        """Decode and count. A bad message raises WireError, or is None where `on_error` took it."""
        try:
            message = decode(data, monotonic_ns())
        except WireError as error:
            self.bad += 1
            if self._on_error is None:
                raise
            self._on_error(error)
            return None
        count = self.sources.get(message.source_id)
        if count is None:
            self.sources[message.source_id] = SourceCount(message.epoch, message.sequence)
        else:
            count.add(message.epoch, message.sequence)
        return message


class Subscription:
    """An iterator over messages. A WireError does not end it: the next `next()` goes on with the next message."""

    def __init__(self, connected: zmq.Socket[bytes], timeout_seconds: float | None, on_error: OnError | None) -> None:
        self.reception = Reception(on_error)
        """Counts by source, and of bad messages."""
        self._socket, self._timeout_seconds = connected, timeout_seconds
        # A ZeroMQ socket is one thread's at a time: whoever closes it while another waits leaves that to the other.
        self._in_use, self._over = threading.Lock(), False

    def __iter__(self) -> Subscription:
        return self

    def __next__(self) -> FrameMessage:
        message = self.receive(self._timeout_seconds)
        if message is None:
            raise StopIteration
        return message

    def receive(self, timeout_seconds: float | None = None) -> FrameMessage | None:
        """The next message, or None when none came in time or the subscription is closed; waits forever without one."""
        try:
            with self._in_use:
                return self._next(_until_ns(timeout_seconds))
        finally:
            if self._over:
                self.close()

    def _next(self, until_ns: int | None) -> FrameMessage | None:
        while self._heard(until_ns):
            message = self.reception.read(self._socket.recv())
            if message is not None or _passed(until_ns):
                return message
        return None

    def _heard(self, until_ns: int | None) -> bool:
        """Whether a message is here in time, unless the subscription is closed meanwhile."""
        while not self._over:
            left = _milliseconds_left(until_ns)
            if self._socket.poll(LOOK_MS if left is None else min(left, LOOK_MS)):
                return not self._over
            if _passed(until_ns):
                break
        return False

    def close(self) -> None:
        """Hang up, from any thread: whoever waits for a message gets None a moment later. May be called twice."""
        self._over = True
        if self._in_use.acquire(blocking=False):
            self._socket.close(0)
            self._in_use.release()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSubscription:
    """The same for `async for`; a WireError does not end it either."""

    def __init__(self, connected: zmq.asyncio.Socket, timeout_seconds: float | None, on_error: OnError | None) -> None:
        self.reception = Reception(on_error)
        """Counts by source, and of bad messages."""
        self._socket, self._timeout_seconds = connected, timeout_seconds

    def __aiter__(self) -> AsyncSubscription:
        return self

    async def __anext__(self) -> FrameMessage:
        message = await self.receive(self._timeout_seconds)
        if message is None:
            raise StopAsyncIteration
        return message

    async def receive(self, timeout_seconds: float | None = None) -> FrameMessage | None:
        """The next message, or None when none came in time or the subscription is closed."""
        until_ns = _until_ns(timeout_seconds)
        while await self._heard(until_ns):
            message = self.reception.read(await self._socket.recv())
            if message is not None or _passed(until_ns):
                return message
        return None

    async def _heard(self, until_ns: int | None) -> bool:
        """Whether a message is here in time; none is where another task closes the subscription meanwhile."""
        from asyncio import CancelledError, current_task

        try:
            return not self._socket.closed and bool(await self._socket.poll(_milliseconds_left(until_ns)))
        except CancelledError:
            waiting = current_task()
            if self._socket.closed and not (waiting and waiting.cancelling()):  # by the socket, not by whoever runs us
                return False
            raise

    def close(self) -> None:
        """Hang up. May be called twice."""
        self._socket.close(0)

    async def __aenter__(self) -> AsyncSubscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def subscribe(
    url: str, newest: bool = False, source_id: str | None = None, timeout_seconds: float | None = None,
    on_error: OnError | None = None,
) -> Subscription:  # fmt: skip
    """Listen to a publisher: `for frame in subscribe("tcp://127.0.0.1:5570"): for face in frame.faces: ...`.

    `newest` skips whatever is older than the last message at each step; it keeps one message for the whole address, so
    behind a forwarder of several sources give a `source_id`. Iteration ends when nothing has come for
    `timeout_seconds`; it waits forever without. A message that is none raises WireError, after which `next()` goes on,
    or is handed to `on_error`. Raises SettingsError for a malformed address. Whether anybody publishes there shows
    only in what comes.
    """
    connected: zmq.Socket[bytes] = _connect(zmq.Context.instance().socket(zmq.SUB), url, newest, source_id)
    return Subscription(connected, timeout_seconds, on_error)


def subscribe_async(
    url: str, newest: bool = False, source_id: str | None = None, timeout_seconds: float | None = None,
    on_error: OnError | None = None,
) -> AsyncSubscription:  # fmt: skip
    """`subscribe` for asyncio: `async for frame in subscribe_async(url): ...`, from within a running loop."""
    from zmq.asyncio import Context

    connected = _connect(Context.instance().socket(zmq.SUB), url, newest, source_id)
    return AsyncSubscription(connected, timeout_seconds, on_error)


def hello(url: str, source_id: str | None = None, timeout_seconds: float = 3.0) -> Hello | None:
    """What the publisher says of itself: names, shapes, units, model. None if it says nothing in time.

    Raises WireError for a hello that cannot be read.
    """
    listening: zmq.Socket[bytes] = _connect(zmq.Context.instance().socket(zmq.SUB), url, False, source_id, topics.HELLO)
    try:
        left = _milliseconds_left(_until_ns(timeout_seconds))
        return decode_hello(listening.recv()) if listening.poll(left) else None
    finally:
        listening.close(0)


def _connect(
    unconnected: AnySocket, url: str, newest: bool, source_id: str | None, kind: bytes = topics.FRAME
) -> AnySocket:
    """Set up a SUB socket and connect it; it is closed again where that fails."""
    try:
        check_endpoint(url, bind=False)
        unconnected.setsockopt(zmq.RCVHWM, QUEUE)
        # Conflating works both ways: of two subscriptions made before the connection stands, one would get lost.
        unconnected.setsockopt(zmq.CONFLATE, int(newest))
        unconnected.setsockopt(zmq.SUBSCRIBE, topics.prefix(kind, source_id))
        unconnected.setsockopt(zmq.IPV6, int("[" in url))
        unconnected.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        unconnected.connect(url)
    except zmq.ZMQError as error:
        unconnected.close(0)
        reason = zmq.strerror(error.errno or 0)
        raise SettingsError(f"cannot connect to {url!r}: {reason}; is the address right?") from error
    except (SettingsError, WireError):
        unconnected.close(0)
        raise
    return unconnected


def _until_ns(timeout_seconds: float | None) -> int | None:
    """When so long from now is; None is forever."""
    if timeout_seconds is None or timeout_seconds > FOREVER_SECONDS:
        return None
    return monotonic_ns() + int(timeout_seconds * 1e9)


def _passed(until_ns: int | None) -> bool:
    """Whether the time is up; a flood of bad messages must not hold it up."""
    return until_ns is not None and monotonic_ns() >= until_ns


def _milliseconds_left(until_ns: int | None) -> int | None:
    """Time left for `poll`, rounded up; None is forever."""
    return None if until_ns is None else max(0, -((monotonic_ns() - until_ns) // 1_000_000))

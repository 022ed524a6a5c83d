"""The publisher: faces in, one message per frame out on a ZeroMQ socket, without ever waiting for a subscriber.

Given an address and names it binds; given a frame's header and faces it stamps, numbers, encodes and sends. One thread
owns it: the one that calls; the control socket, where one is asked for, has a thread of its own. A hello goes out under
its own topic when somebody subscribes and once a second, with the frames. It does not know where faces come from, and
nothing of who listens.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
import zmq

from tracker.clock import FOREVER_SECONDS, Anchor, anchor, monotonic_ns
from tracker.control import SOCKET_OPTIONS, Control
from tracker.errors import PublishError, SettingsError
from tracker.face.mirror import identity_sign, mirrored, mirrored_vertices
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.wire.codec import encode
from tracker.wire.endpoint import check_endpoint
from tracker.wire.hello import Hello, encode_hello
from tracker.wire.schema import HEADER_FIELDS, VERSION_MAJOR, VERSION_MINOR, FrameHeader, FrameMessage

# How long `close` may wait for what is queued: long enough for loopback, short enough not to be noticed.
LINGER_MS = 250
# Subscriptions looked at per frame, so that a flood of them cannot hold up the frames.
SUBSCRIPTIONS_PER_FRAME = 32
LONGEST_SUBSCRIPTION = 1024
"""Bytes, of 72 that make sense; a longer one closes its connection. ZeroMQ keeps each letter of a subscription in a
node of its own: one of 3 MB would cost 320 MB."""
_header_values = attrgetter(*HEADER_FIELDS)
_message_of: Callable[..., FrameMessage] = FrameMessage
"""Its fields begin with the header's, in their order; by position they cost half of what they do by name."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What a publisher sends, and how much it queues."""

    landmarks: bool = True
    """Send the 478 landmarks of each face (5.6 kB)."""
    queue: int = 64
    """Messages that wait for a slow subscriber before it loses some."""
    hello_seconds: float = 1.0
    """How often the hello is repeated."""
    control: str | None = None
    """Endpoint of a control socket that tells other machines this one's clock, such as tcp://0.0.0.0:5571; the hello
    names it, so that `facewire subscribe` finds it and shows the latency from there. Off by default."""

    def __post_init__(self) -> None:
        if not 1 <= self.queue <= 100_000 or not self.hello_seconds > 0:
            raise SettingsError(
                f"queue {self.queue}, hello_seconds {self.hello_seconds}; give 1 to 100000 messages and more than 0 s"
            )


class Publisher:
    """A bound socket with its epoch and sequence; a context manager."""

    def __init__(
        self, endpoint: str, source_id: str, model_hash: bytes, model_version: str,
        settings: FeedSettings = FeedSettings(), mirror: FaceModel | None = None,
    ) -> None:  # fmt: skip
        """Bind. With `mirror`, the face model, everything is published as a mirror would show it.

        Raises PublishError for an address that cannot be bound, WireError for a source id that does not fit.
        """
        self.source_id = source_id
        self.epoch = time.time_ns() & ~0xFFFF | secrets.randbits(16)
        """Grows from start to start; the low bits are random, for two that start at once."""
        self.sequence = 0
        """Of the next frame."""
        self.overflows = 0
        """How often a subscriber's queue ran full. It then misses frames until it has caught up, how many only it can
        tell, by the sequence: ZeroMQ passes over a full queue without a word."""
        self._model_hash, self._settings = model_hash, settings
        self._mirror_index = None if mirror is None else mirror.mirror_index
        self._identity_sign = None if mirror is None else identity_sign(mirror.identity_mm, mirror.mirror_index)
        self.control_endpoint = ""
        """Where the control socket is bound; empty without one."""
        known = Hello(source_id, self.epoch, f"{VERSION_MAJOR}.{VERSION_MINOR}", model_version, model_hash.hex(),
                      mirrored=mirror is not None)  # fmt: skip
        self._hello = encode_hello(known)
        self._hello_due_ns = 0
        self._anchor: Anchor = anchor()
        self._context, self._socket = _bind(endpoint, settings.queue)
        self.endpoint: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """Where it is bound, with the port that was picked."""
        self._control = None if settings.control is None else self._open_control(settings.control)
        self._hello = encode_hello(replace(known, control=self.control_endpoint))

    def publish(self, header: FrameHeader, faces: Sequence[Face], meshes: Sequence[np.ndarray | None] = ()) -> int:
        """Send one frame with its faces and, where given, each face's mesh [V, 3] in head space; never waits.

        Returns the stamp it was sent with (monotonic ns). Raises WireError for values that cannot be encoded,
        PublishError for another source's header or when closed.
        """
        if header.source_id != self.source_id or self._socket.closed:
            raise PublishError(
                f"publisher {self.source_id!r} is closed" if self._socket.closed
                else f"a frame of {header.source_id!r} given to the publisher of {self.source_id!r}; one source each"
            )  # fmt: skip
        self._greet()
        if self._mirror_index is not None:
            header, faces, meshes = self._mirror(header, faces, meshes, self._mirror_index)
        published_ns, tied = monotonic_ns(), self._anchor
        known: tuple[Any, ...] = _header_values(header)
        message: FrameMessage = _message_of(
            *known, self.epoch, self.sequence, self._model_hash, published_ns, tied.monotonic_ns,
            tied.wall_ns, faces=tuple(faces), has_landmarks=self._settings.landmarks, meshes=tuple(meshes),
        )  # fmt: skip
        self._send(encode(message))
        self.sequence += 1
        return published_ns

    def close(self) -> None:
        """Send what is queued, for a quarter of a second at most, and let go of the address. May be called twice."""
        if self._control is not None:
            self._control.close()
        self._socket.close(LINGER_MS)
        self._context.term()

    def _open_control(self, endpoint: str) -> Control:
        """The control socket at work; the other one is gone again if it cannot be bound."""
        try:
            context, bound = _bound(endpoint, zmq.ROUTER, SOCKET_OPTIONS)
        except PublishError:
            self._socket.close(0)
            self._context.term()
            raise
        self.control_endpoint = bound.getsockopt_string(zmq.LAST_ENDPOINT)
        return Control(context, bound, self.epoch, monotonic_ns)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mirror(
        self, header: FrameHeader, faces: Sequence[Face], meshes: Sequence[np.ndarray | None], index: np.ndarray
    ) -> tuple[FrameHeader, list[Face], list[np.ndarray | None]]:
        width = header.width_px
        return (
            replace(header, mirrored=not header.mirrored, cx=width - header.cx),
            [mirrored(face, width, index, self._identity_sign) for face in faces],
            [None if mesh is None else mirrored_vertices(mesh, index) for mesh in meshes],
        )

    def _greet(self) -> None:
        """Send the hello if it is time or somebody new may want it; tie the clocks together anew with it."""
        now_ns = monotonic_ns()
        if self._subscribed() or now_ns >= self._hello_due_ns:
            self._hello_due_ns = now_ns + int(min(self._settings.hello_seconds, FOREVER_SECONDS) * 1e9)
            self._anchor = anchor()
            self._send_lossy(self._hello)

    def _subscribed(self) -> bool:
        """Whether a subscription that selects the hello has come in since the last look."""
        wanted = False
        for _ in range(SUBSCRIPTIONS_PER_FRAME):
            if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                break
            event = self._socket.recv(zmq.NOBLOCK)
            wanted |= event[:1] == b"\1" and self._hello.startswith(event[1:])
        return wanted

    def _send(self, message: bytes) -> None:
        """Strict first, because only then ZeroMQ tells of a queue that ran full; then to whoever has room."""
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            self.overflows += 1
            self._send_lossy(message)

    def _send_lossy(self, message: bytes) -> None:
        self._socket.setsockopt(zmq.XPUB_NODROP, 0)
        self._socket.send(message, zmq.NOBLOCK)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)


def _bind(endpoint: str, queue: int) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes]]:
    """The socket that frames leave by, bound, and its context."""
    # Verbose: the second subscriber to a topic wants a hello, too.
    options = {zmq.SNDHWM: queue, zmq.XPUB_NODROP: 1, zmq.XPUB_VERBOSE: 1, zmq.MAXMSGSIZE: LONGEST_SUBSCRIPTION}
    return _bound(endpoint, zmq.XPUB, options)


def _bound(
    endpoint: str, kind: int, socket_options: Mapping[Any, int]
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes]]:
    """A context of its own and a socket in it, bound; both are gone again if that fails."""
    try:
        check_endpoint(endpoint, bind=True)
    except SettingsError as error:
        raise PublishError(str(error)) from error
    if endpoint.startswith("ipc://"):
        _check_path_is_free(endpoint, endpoint.removeprefix("ipc://"))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    bound = context.socket(kind)
    for option, value in socket_options.items():
        bound.setsockopt(option, value)
    bound.setsockopt(zmq.IPV6, int("[" in endpoint))
    try:
        bound.bind(endpoint)
    except zmq.ZMQError as error:
        bound.close(0)
        context.term()
        raise PublishError(_why_not(endpoint, error.errno)) from error
    return context, bound


def _check_path_is_free(endpoint: str, path: str) -> None:
    """ZeroMQ deletes whatever lies at the path it binds; only a socket that nobody answers may go."""
    if path.startswith("@") or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise PublishError(f"cannot publish on {endpoint}: {path} is there and is no socket; give another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise PublishError(f"cannot publish on {endpoint}: {error.strerror}; give another path") from error
    raise PublishError(_why_not(endpoint, errno.EADDRINUSE))


def _why_not(endpoint: str, number: int | None) -> str:
    reasons = {
        errno.EADDRINUSE: "it is in use; stop the other publisher, give another port, or 0 for a free one",
        errno.EADDRNOTAVAIL: "that address is not this machine's; give 127.0.0.1, 0.0.0.0 or one of its own",
        errno.ENODEV: "no such host or interface here; give 127.0.0.1, 0.0.0.0 or one of this machine's addresses",
        errno.EACCES: "permission denied; give a port from 1024 up, or another path",
        errno.ENOENT: "no such folder; make it, or give another path",
    }
    reason = reasons.get(number or 0, f"{zmq.strerror(number or 0)}; try tcp://127.0.0.1:5570")
    return f"cannot publish on {endpoint}: {reason}"

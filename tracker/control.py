"""The control socket: whoever asks is told the publisher's clock, by a thread that the frames never wait for.

Given a bound ROUTER socket and the publisher's epoch it answers each request with the stamps of its coming and going,
and what is no request with an error. It knows nothing of frames.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import zmq

from tracker.clock import monotonic_ns
from tracker.errors import WireError
from tracker.wire.control import LONGEST, Echo, decode_request, encode_answer, encode_error

PAUSE_SECONDS = 0.002
"""After each answer: a flood of requests must not take the interpreter from the frames."""
QUEUE = 64
SOCKET_OPTIONS = {zmq.RCVHWM: QUEUE, zmq.SNDHWM: QUEUE, zmq.MAXMSGSIZE: LONGEST, zmq.LINGER: 0}
"""What the socket must be bound with: a longer message closes its connection, nothing is kept when it closes."""


class Control:
    """The thread that owns the socket."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], bound: zmq.Socket[bytes], epoch: int,
        clock_ns: Callable[[], int] = monotonic_ns,
    ) -> None:  # fmt: skip
        """Take over `bound` and its `context`, which nobody else may use from here on."""
        self._context, self._socket, self._epoch, self._clock_ns = context, bound, epoch, clock_ns
        self._thread = threading.Thread(target=self._serve, name="facewire-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the address. May be called twice."""
        self._context.term()  # wakes the thread, which closes the socket; returns when it has
        self._thread.join()

    def _serve(self) -> None:
        with self._socket, suppress(zmq.ContextTerminated):
            while True:
                sender, *parts = self._socket.recv_multipart()
                received_ns = self._clock_ns()
                self._answer(sender, parts, received_ns)
                time.sleep(PAUSE_SECONDS)

    def _answer(self, sender: bytes, parts: list[bytes], received_ns: int) -> None:
        """In the envelope it came in: a REQ socket puts an empty part before the message, a DEALER need not."""
        envelope = parts[:-1]
        try:
            if len(envelope) > 1 or any(envelope):
                envelope = []
                raise WireError(f"a control message of {len(parts)} parts; send one, after an empty one or none")
            sent_ns = decode_request(parts[-1] if parts else b"")
            answer = encode_answer(Echo(sent_ns, received_ns, self._clock_ns(), self._epoch))
        except WireError as error:
            answer = encode_error(str(error))
        with suppress(zmq.Again):  # who asks and never reads gets no more answers
            self._socket.send_multipart([sender, *envelope, answer], zmq.NOBLOCK)

"""A thread that asks a publisher's control socket for its clock, again and again.

Given the address of the frames it finds the control socket in the publisher's hello, unless it is told where to ask,
and keeps the best offset at hand. It waits for nobody and nobody waits for it; what the offset is used for it does not
know.
"""

from __future__ import annotations

import threading
from collections import deque

import zmq

from tracker.clients.clock_offset import Offset, OffsetWindow
from tracker.clock import monotonic_ns
from tracker.errors import SettingsError, WireError
from tracker.wire import topics
from tracker.wire.control import decode_answer, encode_request
from tracker.wire.endpoint import check_endpoint
from tracker.wire.hello import decode_hello

FIRST_ASKS, FIRST_SECONDS, ASK_SECONDS = 8, 0.05, 1.0
"""A quick burst at first, then one question a second."""
PATIENCE_SECONDS = 3.0
"""Without an answer or a hello for so long, there is none."""
_LOOK_MS = 50


class ClockWatch:
    """A thread that keeps asking; `offset` and `word` can be read at any time and never wait. A context manager."""

    def __init__(self, url: str, control: str | None = None, source_id: str | None = None) -> None:
        """Watch the publisher of `url`; `control` is its control endpoint where the hello is not to be asked.

        Raises SettingsError for a malformed address.
        """
        check_endpoint(url, bind=False)
        if control is not None:
            check_endpoint(control, bind=False)
        self.offset: Offset | None = None
        """What is known now; None while nothing is."""
        self.word = "asking the publisher for its control socket" if control is None else f"asking {control}"
        """How it stands, in a few words."""
        self._url, self._given, self._source_id = url, control, source_id
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="facewire-clock", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop asking. May be called twice."""
        self._enough.set()
        self._thread.join()

    def __enter__(self) -> ClockWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            with context.socket(zmq.SUB) as greeted:
                self._asker = _Asker(context)
                self._listen(greeted)
        except zmq.ZMQError as error:  # an address that cannot be resolved, say: frames may still come
            self.offset, self.word = None, f"the clock cannot be asked: {error}"
        finally:
            context.destroy(0)

    def _listen(self, greeted: zmq.Socket[bytes]) -> None:
        """Follow the hello to the control socket, wherever it goes, and ask there."""
        quiet_ns = monotonic_ns() + int(PATIENCE_SECONDS * 1e9)
        if self._given is None:
            greeted.setsockopt(zmq.SUBSCRIBE, topics.prefix(topics.HELLO, self._source_id))
            greeted.setsockopt(zmq.IPV6, int("[" in self._url))
            greeted.setsockopt(zmq.RCVHWM, 4)
            greeted.connect(self._url)
        else:
            self._asker.turn_to(self._given)
        while not self._enough.is_set():
            self._asker.ask_if_due()
            self._asker.wait(greeted, _LOOK_MS)
            while self._given is None and greeted.poll(0):
                self._heard(greeted.recv())
                quiet_ns = monotonic_ns() + int(PATIENCE_SECONDS * 1e9)
            self.offset = self._asker.offset()
            if self._asker.url:
                self.word = self._asker.word()
            elif monotonic_ns() >= quiet_ns:
                self.word = "the publisher says nothing of a control socket"

    def _heard(self, data: bytes) -> None:
        """A hello; one that cannot be read says nothing."""
        try:
            told = decode_hello(data).control
            url = reachable(told, self._url) if told else ""
            if url:
                check_endpoint(url, bind=False)
        except (WireError, SettingsError):
            return
        self._asker.turn_to(url)
        if not url:
            self.word = "the publisher has no control socket (facewire run --control ENDPOINT)"


def reachable(control: str, url: str) -> str:
    """A control endpoint as its publisher bound it, as it is reached by who reaches its frames at `url`.

    The port is the control socket's, the machine the one that sends the frames; a path stays a path.
    """
    host = url.removeprefix("tcp://").rpartition(":")[0] if url.startswith("tcp://") else "127.0.0.1"
    return f"tcp://{host}:{control.rpartition(':')[2]}" if control.startswith("tcp://") else control


class _Asker:
    """The socket that asks, the answers so far, and when the next question is due."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.url = ""
        self._context = context
        self._socket: zmq.Socket[bytes] | None = None
        self._start()

    def _start(self) -> None:
        self._window, self._refused = OffsetWindow(), ""
        self._asked: deque[int] = deque(maxlen=FIRST_ASKS)
        self._left, self._due_ns = FIRST_ASKS, 0
        self._heard_ns = monotonic_ns()

    def turn_to(self, url: str) -> None:
        """Ask there from now on; nowhere for an empty one. The same again changes nothing."""
        if url == self.url:
            return
        if self._socket is not None:
            self._socket.close(0)
        self.url, self._socket = url, None
        self._start()
        if url:
            self._socket = self._context.socket(zmq.DEALER)
            # Questions go to who is there, not into a queue where they would age.
            for option, value in {zmq.IMMEDIATE: 1, zmq.LINGER: 0, zmq.SNDHWM: 4, zmq.RECONNECT_IVL_MAX: 1000}.items():
                self._socket.setsockopt(option, value)
            self._socket.setsockopt(zmq.IPV6, int("[" in url))
            self._socket.connect(url)

    def ask_if_due(self) -> None:
        """Send a question, unless nobody is there to take it."""
        now_ns = monotonic_ns()
        if self._socket is None or now_ns < self._due_ns or not self._socket.poll(0, zmq.POLLOUT):
            return
        self._left = max(0, self._left - 1)
        self._due_ns = now_ns + int((FIRST_SECONDS if self._left else ASK_SECONDS) * 1e9)
        sent_ns = monotonic_ns()
        self._asked.append(sent_ns)
        try:
            self._socket.send(encode_request(sent_ns), zmq.NOBLOCK)
        except zmq.Again:
            self._asked.pop()

    def wait(self, greeted: zmq.Socket[bytes], milliseconds: int) -> None:
        """Until an answer or a hello is here, or the time is up; answers are taken with the time they came."""
        poller = zmq.Poller()
        poller.register(greeted, zmq.POLLIN)
        if self._socket is not None:
            poller.register(self._socket, zmq.POLLIN)
        poller.poll(milliseconds)
        while self._socket is not None and self._socket.poll(0):
            parts, received_ns = self._socket.recv_multipart(), monotonic_ns()
            self._take(parts[-1], received_ns)

    def _take(self, data: bytes, received_ns: int) -> None:
        self._heard_ns = received_ns
        try:
            echo = decode_answer(data)
        except WireError as error:
            self._refused = str(error)
            return
        if echo.sent_ns in self._asked:  # and no other: a stranger's stamps, or an answer given twice
            self._asked.remove(echo.sent_ns)
            self._window.add(echo, received_ns)
            self._refused = ""

    def offset(self) -> Offset | None:
        """What the answers come to; nothing once they stopped."""
        return None if self._silent() else self._window.best(monotonic_ns())

    def _silent(self) -> bool:
        return monotonic_ns() - self._heard_ns > PATIENCE_SECONDS * 1e9

    def word(self) -> str:
        """How it stands."""
        if self._refused:
            return self._refused
        if self._silent():
            return f"the control socket {self.url} does not answer"
        return f"asking {self.url}" if self._window.best(monotonic_ns()) is None else f"measured at {self.url}"

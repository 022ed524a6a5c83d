"""A subscriber in a process of its own that keeps the stamps of all it receives, and may stop reading for a while.

Given an endpoint it says when the first message has come and returns one row a message. It reads as any client would,
with the subscriber library; it does not look at faces and does not know what the stamps will be compared with.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tracker.clock import monotonic_ns
from tracker.errors import PublishError

COLUMNS = ("sequence", "captured_ns", "decoded_ns", "inferred_ns", "published_ns", "received_ns")
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
"""How often a listener to whom nobody speaks looks whether it is to stop."""
_NEVER = 1 << 62


def _listen(endpoint: str, newest: bool, pause: Any, stop: Any, pipe: Connection) -> None:
    """The child: everything heavy is imported here, in its process."""
    from tracker.clients.subscribe import subscribe

    rows: list[tuple[int, ...]] = []
    message = None
    with subscribe(endpoint, newest=newest) as subscription:
        pipe.send("connected")
        gc.disable()  # a collection here would be counted as the tracker's
        while not stop.is_set() or message is not None:
            message = subscription.receive(_LOOK_SECONDS)
            if message is None:
                continue
            if not rows:
                pipe.send("heard")
            rows.append((
                message.sequence, message.captured_ns, message.decoded_ns, message.inferred_ns, message.published_ns,
                message.received_ns or 0,
            ))  # fmt: skip
            if pause[0] <= monotonic_ns() < pause[1]:
                time.sleep(max(0.0, (pause[1] - monotonic_ns()) / 1e9))
        repeated = sum(count.repeated for count in subscription.reception.sources.values())
    pipe.send((np.array(rows, np.int64).reshape(-1, len(COLUMNS)), repeated))


class Listener:
    """The parent's handle; a context manager. With `newest` it skips to the newest message at each look."""

    def __init__(self, endpoint: str, newest: bool = False) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would take our threads' locks with it
        self._pipe, theirs = spawn.Pipe()
        self._pause, self._stop = spawn.Array("q", [_NEVER, _NEVER], lock=False), spawn.Event()
        arguments = (endpoint, newest, self._pause, self._stop, theirs)
        self._process = spawn.Process(target=_listen, args=arguments, name="facewire-bench-listener")
        self._process.start()
        theirs.close()
        self._hear()

    def wait_until_heard(self) -> None:
        """Until the first message has come. Raises PublishError where none does."""
        self._hear()

    def stop_reading(self, from_ns: int, until_ns: int) -> None:
        """From one monotonic time to another it does not look at its socket."""
        self._pause[1], self._pause[0] = until_ns, from_ns

    def finish(self) -> tuple[np.ndarray, int]:
        """Stop it: int64 [N, len(COLUMNS)], one row a message; and how many came again."""
        self._stop.set()
        rows, repeated = self._hear()
        return np.asarray(rows), int(repeated)

    def _hear(self) -> Any:
        try:
            if self._pipe.poll(_PATIENCE_SECONDS):
                return self._pipe.recv()
        except EOFError as error:
            raise PublishError("the bench's own subscriber ended early; its error is printed above") from error
        raise PublishError(f"the bench's own subscriber heard nothing for {_PATIENCE_SECONDS:g} s; run the bench again")

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

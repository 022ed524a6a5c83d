"""A subscriber in a process of its own that keeps the stamps of all it receives, and may stop reading for a while.

Given an endpoint it says when the first message has come and returns one row a message. It reads as any client would,
with the subscriber library; it does not look at faces and does not know what the stamps will be compared with.
"""

from __future__ import annotations

import gc
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tracker.bench.child import SPAWN, Child
from tracker.clock import monotonic_ns

COLUMNS = ("sequence", "captured_ns", "decoded_ns", "inferred_ns", "published_ns", "received_ns")
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
        self._pause, self._stop = SPAWN.Array("q", [_NEVER, _NEVER], lock=False), SPAWN.Event()
        self._child = Child("subscriber", _listen, endpoint, newest, self._pause, self._stop)
        self._child.hear()

    def wait_until_heard(self) -> None:
        """Until the first message has come. Raises PublishError where none does."""
        self._child.hear()

    def stop_reading(self, from_ns: int, until_ns: int) -> None:
        """From one monotonic time to another it does not look at its socket."""
        self._pause[1], self._pause[0] = until_ns, from_ns

    def finish(self) -> tuple[np.ndarray, int]:
        """Stop it: int64 [N, len(COLUMNS)], one row a message; and how many came again."""
        self._stop.set()
        rows, repeated = self._child.hear()
        return np.asarray(rows), int(repeated)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

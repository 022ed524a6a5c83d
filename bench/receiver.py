"""A subscriber in a process of its own that stamps what it receives, as the other end of the latency bench.

Given an endpoint it tells its parent when the first message came, then keeps (frame number, published, received) until
the last message. The parent marks messages by `pts`: `WARM` before, `LAST` after, the frame's number between. It does
not look at faces.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from tracker.bench.child import Child
from tracker.errors import PublishError

WARM, LAST = -2, -1
_PATIENCE_SECONDS = 20.0


def _receive(endpoint: str, cores: tuple[int, ...], pipe: Connection) -> None:
    """The child: everything heavy is imported here, in its process."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    from tracker.clients.subscribe import subscribe

    rows: list[tuple[int, int, int]] = []
    ready = False
    for message in subscribe(endpoint, timeout_seconds=_PATIENCE_SECONDS):
        number = message.pts
        if not ready:
            pipe.send("ready")
            ready = True
        if number == LAST:
            break
        if number is not None and number >= 0:
            rows.append((number, message.published_ns, message.received_ns or 0))
    pipe.send(np.array(rows, np.int64).reshape(-1, 3))


class Receiver:
    """The parent's handle. `cores` are those the child may run on; empty leaves them as the parent's."""

    def __init__(self, endpoint: str, cores: tuple[int, ...] = ()) -> None:
        self._child = Child("subscriber", _receive, endpoint, cores)

    def wait_until_ready(self, heartbeat: Callable[[int], object]) -> None:
        """Publish `heartbeat(WARM)` until the child has heard one. Raises PublishError when it never does."""
        for _ in range(round(_PATIENCE_SECONDS / 0.02)):
            heartbeat(WARM)
            if self._child.spoke(0.02):
                self._child.hear()
                return
        raise PublishError("the bench's own subscriber heard nothing; check that loopback connections are allowed")

    def finish(self, heartbeat: Callable[[int], object]) -> np.ndarray:
        """Publish `heartbeat(LAST)` until the child answers with int64 [M, 3]: frame number, published, received ns."""
        for _ in range(round(_PATIENCE_SECONDS / 0.02)):
            heartbeat(LAST)
            if self._child.spoke(0.02):
                return np.asarray(self._child.hear())
        raise PublishError("the bench's own subscriber did not stop; run the bench again")

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

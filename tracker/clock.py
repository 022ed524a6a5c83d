"""Time as the tracker tells it: monotonic nanoseconds, and one anchor that ties them to the wall.

`monotonic_ns` is the same clock in every process of one machine, so a subscriber on the same host can subtract stamps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

monotonic_ns = time.monotonic_ns
FOREVER_SECONDS = 2e6
"""Three weeks. To wait longer, infinitely too, is to wait without end: sockets count 2^31 milliseconds at most."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The same instant on both clocks."""

    monotonic_ns: int
    wall_ns: int
    """Nanoseconds since the Unix epoch."""


def anchor() -> Anchor:
    """Read both clocks; the wall is read between two monotonic readings whose middle it is paired with."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    return Anchor((before + time.monotonic_ns()) // 2, wall)

"""What a subscriber can tell about a feed: its rate, its age, and how long each stage took.

Given messages as they come, and the time, it keeps the last few seconds of stamps. Stamps of another machine are
carried over by the offset that was measured, or else by the wall clocks, and marked so. It counts nothing (the
subscription does) and prints nothing.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from tracker.clients.clock_offset import Offset
from tracker.clock import anchor, monotonic_ns
from tracker.wire.schema import FrameMessage

STAGES = ("decode", "infer", "publish", "receive", "total")
"""captured -> decoded -> inferred -> published -> received, and captured -> received."""
WINDOW_SECONDS = 5.0
# Two machines, or one before and after a restart, started at different times: their clocks' offsets differ by more.
SAME_CLOCK_NS = 1_000_000_000


class Feed:
    """The last seconds of one source."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS, longest: int = 2000) -> None:
        self.last: FrameMessage | None = None
        self.same_clock = True
        """False where stamps come from another machine: `receive` and `total` are then as good as `measured`, or where
        that is None, as the wall clocks."""
        self.measured: Offset | None = None
        """The offset that the last message's stamps were carried over with; None where none was needed or known."""
        self._window_ns = int(window_seconds * 1e9)
        self._arrivals_ns: deque[int] = deque(maxlen=longest)
        self._stages_ms: deque[tuple[float, ...]] = deque(maxlen=longest)

    def add(self, message: FrameMessage, offset: Offset | None = None) -> None:
        """Take one message that came by a socket, and what is known of its publisher's clock by then.

        Another start of the publisher begins anew, and so does another way to carry its stamps over.
        """
        if self.last is not None and message.epoch != self.last.epoch:
            self._forget()
        way = self.same_clock, self.measured is None
        self.last = message
        received_ns = monotonic_ns() if message.received_ns is None else message.received_ns
        here = anchor()
        ahead_ns = (message.anchor_wall_ns - message.anchor_monotonic_ns) - (here.wall_ns - here.monotonic_ns)
        there_ns = self._there_ns(received_ns, ahead_ns, offset if offset and offset.epoch == message.epoch else None)
        if way != (self.same_clock, self.measured is None):  # figures of both ways must not mix
            self._forget()
        self._arrivals_ns.append(received_ns)
        stamps = (message.captured_ns, message.decoded_ns, message.inferred_ns, message.published_ns, there_ns)
        steps = [(after - before) / 1e6 for before, after in zip(stamps, stamps[1:], strict=False)]
        self._stages_ms.append((*steps, (there_ns - message.captured_ns) / 1e6))

    def _forget(self) -> None:
        self._arrivals_ns.clear()
        self._stages_ms.clear()

    def _there_ns(self, received_ns: int, ahead_ns: int, offset: Offset | None) -> int:
        """When the message came, on its publisher's clock: ours if that is the same, else by what tells most."""
        self.same_clock, self.measured = abs(ahead_ns) < SAME_CLOCK_NS, None
        if offset is not None and not (self.same_clock and abs(offset.offset_ns) <= offset.bound_at_ns(received_ns)):
            self.same_clock, self.measured = False, offset
            return received_ns + offset.offset_ns
        return received_ns if self.same_clock else received_ns - ahead_ns

    def rate_hz(self, now_ns: int | None = None) -> float:
        """Messages a second over the window; falls to 0 when none comes."""
        now_ns = monotonic_ns() if now_ns is None else now_ns
        while self._arrivals_ns and now_ns - self._arrivals_ns[0] > self._window_ns:
            self._arrivals_ns.popleft()
            self._stages_ms.popleft()
        if len(self._arrivals_ns) < 2:
            return 0.0
        # Once they stop, the silence counts as well: it must not look as if they still came.
        period_ns = (self._arrivals_ns[-1] - self._arrivals_ns[0]) / (len(self._arrivals_ns) - 1)
        until_ns = max(self._arrivals_ns[-1], now_ns - period_ns)
        return (len(self._arrivals_ns) - 1) * 1e9 / max(1.0, until_ns - self._arrivals_ns[0])

    def age_seconds(self, now_ns: int | None = None) -> float:
        """How long ago the last message came; infinite before the first."""
        if self.last is None or self.last.received_ns is None:
            return float("inf")
        return ((monotonic_ns() if now_ns is None else now_ns) - self.last.received_ns) / 1e9

    def stages_ms(self) -> dict[str, tuple[float, float, float]]:
        """p50, p95 and p99 in milliseconds of every stage, over the window; empty before the first message."""
        if not self._stages_ms:
            return {}
        shares = np.percentile(np.array(self._stages_ms), (50, 95, 99), axis=0).T
        return {stage: (float(a), float(b), float(c)) for stage, (a, b, c) in zip(STAGES, shares, strict=True)}

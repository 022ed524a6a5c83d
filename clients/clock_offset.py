"""How far a publisher's clock is ahead of ours, from answers of its control socket, with an error bound.

Given four stamps per question (Mills 1991, NTP): t0 asked, t1 received there, t2 answered there, t3 received here,

    offset = ((t1 - t0) + (t2 - t3)) / 2,    bound = ((t3 - t0) - (t2 - t1)) / 2

and whatever the two ways took, the true offset is within the bound. The answer with the smallest bound counts, grown
by what two clocks may drift apart since. It asks nobody: `clock_watch` does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from tracker.wire.control import Echo

WINDOW_SECONDS = 60.0
ASSUMED_DRIFT = 200e-6
"""At most so fast two clocks are taken to drift apart: two quartzes, and somebody setting them right meanwhile."""
DRIFT_SECONDS = 10.0
"""So far apart two answers must be before a drift is read from them."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The publisher's clock minus ours."""

    offset_ns: int
    bound_ns: int
    """Half of what is not known about it: the true offset was within it when it was measured."""
    measured_ns: int
    """When, on our clock."""
    epoch: int
    """Of the publisher that was asked."""
    drift_ppm: float | None = None
    """How fast its clock gains on ours, in millionths; None until that can be told."""
    drift_bound_ppm: float = 0.0
    """The true drift, averaged over the window, is within this of it."""

    def bound_at_ns(self, now_ns: int) -> int:
        """The bound at another time of ours: it grows, as clocks drift apart."""
        return self.bound_ns + int(abs(now_ns - self.measured_ns) * ASSUMED_DRIFT)

    def here_ns(self, stamp_ns: int) -> int:
        """One of the publisher's stamps on our clock."""
        return stamp_ns - self.offset_ns


class OffsetWindow:
    """The answers of the last minute, of one start of one publisher."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window_ns = int(window_seconds * 1e9)
        self._measured: deque[Offset] = deque(maxlen=1000)

    def add(self, echo: Echo, received_ns: int) -> None:
        """Take one answer, which came at `received_ns` of our clock; impossible stamps are passed over."""
        there_ns, away_ns = echo.answered_ns - echo.received_ns, received_ns - echo.sent_ns
        if not 0 <= there_ns <= away_ns:
            return
        if self._measured and self._measured[-1].epoch != echo.epoch:
            self._measured.clear()
        offset_ns = ((echo.received_ns - echo.sent_ns) + (echo.answered_ns - received_ns)) // 2
        self._measured.append(Offset(offset_ns, (away_ns - there_ns + 1) // 2, received_ns, echo.epoch))
        while received_ns - self._measured[0].measured_ns > self._window_ns:
            self._measured.popleft()

    def best(self, now_ns: int) -> Offset | None:
        """The answer that says most about now, with the drift where it can be told; None without any."""
        if not self._measured:
            return None
        best = min(self._measured, key=lambda measured: measured.bound_at_ns(now_ns))
        return self._with_drift(best)

    def _with_drift(self, best: Offset) -> Offset:
        """From the best answers of the window's first third and its last."""
        begin_ns, end_ns = self._measured[0].measured_ns, self._measured[-1].measured_ns
        third_ns = (end_ns - begin_ns) // 3
        first, last = (
            min(part, key=lambda measured: measured.bound_ns)
            for part in (
                [each for each in self._measured if each.measured_ns <= begin_ns + third_ns],
                [each for each in self._measured if each.measured_ns >= end_ns - third_ns],
            )
        )
        apart_ns = last.measured_ns - first.measured_ns
        if apart_ns < DRIFT_SECONDS * 1e9:
            return best
        gained_ns, bound_ns = last.offset_ns - first.offset_ns, last.bound_ns + first.bound_ns
        return replace(best, drift_ppm=1e6 * gained_ns / apart_ns, drift_bound_ppm=1e6 * bound_ns / apart_ns)

"""Durations down to the rarest: percentiles of an HDR histogram, which keeps every one to three digits.

Given nanosecond samples it sums them up and merges nothing away: the largest is there as it was. It does not know what
was timed. The histogram is the field's own (`hdrhistogram`), so that its encoded form can be read by others' tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hdrh.histogram import HdrHistogram

LEAST_NS, MOST_NS, DIGITS = 1_000, 600_000_000_000, 3
"""From a microsecond to ten minutes, to one in a thousand."""
CURVE = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 100.0)
"""Percentiles of a curve."""
TAIL_HEADERS = ("n", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms")


@dataclass(frozen=True, slots=True)
class Tail:
    """How a number of durations spread, in nanoseconds."""

    count: int
    p50_ns: int
    p95_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int

    def cells(self) -> list[object]:
        """Under `TAIL_HEADERS`; what nothing was measured of is a dash."""
        if not self.count:
            return [0, *[None] * 5]
        times = (self.p50_ns, self.p95_ns, self.p99_ns, self.p999_ns, self.max_ns)
        return [self.count, *(f"{ns / 1e6:.3f}" for ns in times)]


def histogram(samples_ns: Iterable[int]) -> Any:
    """An `HdrHistogram` of the samples; what is below a microsecond counts as one."""
    filled = HdrHistogram(LEAST_NS, MOST_NS, DIGITS)
    for value in samples_ns:
        filled.record_value(min(max(int(value), LEAST_NS), MOST_NS))
    return filled


def tail(samples_ns: Iterable[int]) -> Tail:
    """Percentiles: the smallest value that so many are not above, to three digits. All zero without samples."""
    filled = histogram(samples_ns)
    if not filled.get_total_count():
        return Tail(0, 0, 0, 0, 0, 0)
    # The upper end of a bucket may lie a thousandth above what was really seen.
    values = (min(filled.get_value_at_percentile(p), filled.get_max_value()) for p in (50.0, 95.0, 99.0, 99.9, 100.0))
    p50, p95, p99, p999, largest = map(int, values)
    return Tail(int(filled.get_total_count()), p50, p95, p99, p999, largest)


def curve(samples_ns: Iterable[int]) -> list[tuple[float, int]]:
    """Percentile and value in nanoseconds, at `CURVE`."""
    filled = histogram(samples_ns)
    return [(p, int(filled.get_value_at_percentile(p))) for p in CURVE] if filled.get_total_count() else []


def encoded(samples_ns: Iterable[int]) -> str:
    """The whole histogram as text that every HdrHistogram library reads."""
    text: str = histogram(samples_ns).encode().decode()
    return text

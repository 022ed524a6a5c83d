"""The bars that a live stream is held to, each beside what it took here: lateness of its messages, spread of tracking.

Given what became of the frames of a run it judges. It does not know which runs the bars speak of, nor how busy the
machine was: they are for an idle one with two cores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.bench.arrivals import EVERY, Account
from tracker.bench.report import table

P50_MS, P99_MS, TAIL_RATIO = 4.0, 12.0, 3.0
"""From a frame's due time to a message of it or a newer one, and decoded to published: p99 by p50."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One of them."""

    what: str
    unit: str
    at_most: float
    found: float | None
    """None where no frame came: then nothing is reached."""
    reached: bool
    """Whether what was found is within the bar."""


def bars(account: Account) -> tuple[Bar, ...]:
    """What the run came to, beside what it should."""
    every = account.stages[EVERY]
    came = every.count > 0 and account.stages["decoded to published"].count > 0
    return tuple(
        Bar(what, unit, at_most, found if came else None, came and found <= at_most)
        for what, unit, at_most, found in (
            (f"{EVERY}, p50", "ms", P50_MS, every.p50_ns / 1e6),
            (f"{EVERY}, p99", "ms", P99_MS, every.p99_ns / 1e6),
            ("decoded to published, p99 by p50", "", TAIL_RATIO, account.tail_ratio),
        )
    )


def bars_table(judged: tuple[Bar, ...]) -> str:
    """Each beside its target."""
    rows = [
        [bar.what, None if bar.found is None else f"{bar.found:.2f} {bar.unit}".rstrip(),
         f"{bar.at_most:g} {bar.unit}".rstrip(), "yes" if bar.reached else "NO"]
        for bar in judged
    ]  # fmt: skip
    return table(("on an idle machine", "found", "at most", "reached"), rows, "bars")

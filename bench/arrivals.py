"""What became of every frame: joins what was sent, tracked and received into latencies, drops and losses.

Given the schedule, the player's, the tracker's and a subscriber's rows, it finds each frame by the number that was in
its pixels and takes all times from when the frame was due. It measures nothing itself and opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.bench import listener, tap
from tracker.bench.player import Schedule
from tracker.bench.tail import Tail, curve, encoded, tail

EVERY = "due to this or a newer one"
_TAP = {name: k for k, name in enumerate(tap.COLUMNS)}
_HEARD = {name: k for k, name in enumerate(listener.COLUMNS)}


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One run, as its processes kept it."""

    schedule: Schedule
    first: int
    """Number of the first frame that counts."""
    last: int
    """Of the first that does not any more."""
    round_frames: int
    """After so many the numbers in the pixels begin anew; the frame's own time tells the rounds apart."""
    sent_ns: np.ndarray
    """int64 [N]: when frame k was sent."""
    tracked: np.ndarray
    """int64, the rows of `tap`."""

    def due_ns(self, numbers: np.ndarray) -> np.ndarray:
        """When frames were due, by the schedule, int64."""
        whole: np.ndarray = self.schedule.start_ns + numbers * 1_000_000_000 // self.schedule.rate_hz
        return whole

    def numbers(self) -> np.ndarray:
        """int64: the number of each tracked frame, -1 where its pixels do not say so.

        Its time says which round it is of; the pixels have the last word.
        """
        by_time = np.rint(self.tracked[:, _TAP["pts_ns"]] * (self.schedule.rate_hz / 1e9)).astype(np.int64)
        agree = by_time % self.round_frames == self.tracked[:, _TAP["number"]]
        return np.where(agree, by_time, -1)


@dataclass(frozen=True, slots=True)
class Account:
    """Every frame that was due, and how long it took; durations are of those that came."""

    due: int
    tracked: int
    dropped: int
    """Decoded and passed over by the source, to stay current."""
    unaccounted: int
    """Due, but neither tracked nor dropped: lost before or in the decoder. Below 0 something came twice."""
    unsure: int
    """Tracked frames whose number could not be read, or not believed."""
    lost: int
    """Tracked, but the message never came."""
    faces_mean: float
    """Faces seen in a frame."""
    tail_ratio: float
    """Decoded to published: p99 by p50."""
    stages: dict[str, Tail]
    """In the order of events; `due to received` is the whole of the frames that came, `EVERY` counts those that were
    dropped, too: until a newer one came. After a stall a live source drops all but the newest, and only that row
    shows for how long the subscriber knew nothing new."""
    curve: list[tuple[float, int]]
    """Of `EVERY`: percentile, nanoseconds."""
    histogram: str
    """Of `EVERY`, as HdrHistogram's libraries read it."""
    beside: dict[str, Tail]
    """Due to received while slow subscribers read, and while they did not; empty without any."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A subscriber that stopped reading for a while."""

    received: int
    away_seconds: float
    """Between the last message before and the first after."""
    behind_frames: int
    """By how many frames the first message back was older than the newest published by then."""
    back_ms: float
    """Its age: from due to received."""


def account(taken: Taken, received: np.ndarray, away_ns: tuple[int, ...] | None) -> Account:
    """Join one subscriber's rows with the run."""
    numbers = taken.numbers()
    counts = (numbers >= taken.first) & (numbers < taken.last)
    rows, numbers = taken.tracked[counts], numbers[counts]
    due_ns = taken.due_ns(numbers)
    came, at = _match(rows[:, _TAP["sequence"]], received[:, _HEARD["sequence"]])
    heard, due_came = received[at], due_ns[came]
    every = _every(taken, received)
    stages = {**_stages(taken, rows[came], numbers[came], heard), EVERY: tail(every)}
    whole = heard[:, _HEARD["received_ns"]] - due_came
    published = tail(heard[:, _HEARD["published_ns"]] - heard[:, _HEARD["decoded_ns"]])
    beside = {}
    if away_ns is not None:
        away = (due_came >= away_ns[0]) & (due_came < away_ns[1])
        beside = {"all read": tail(whole[~away]), "the slow ones do not read": tail(whole[away])}
    unsure = _unsure(taken)
    dropped = _dropped(taken, counts)
    span = taken.last - taken.first
    return Account(
        span, len(rows), dropped, span - len(rows) - dropped - unsure, unsure, int((~came).sum()),
        float(rows[:, _TAP["faces"]].mean()) if len(rows) else 0.0,
        published.p99_ns / published.p50_ns if published.count else float("nan"), stages, curve(every), encoded(every),
        beside,
    )  # fmt: skip


def attached(taken: Taken, received: np.ndarray, away_ns: tuple[int, ...]) -> Attached:
    """What a subscriber that stopped reading from one time to another got when it came back."""
    stamps = received[:, _HEARD["received_ns"]]
    before, after = received[stamps < away_ns[1]], received[stamps >= away_ns[1]]
    if not len(after):
        return Attached(len(received), float("nan"), -1, float("nan"))
    back = after[0]
    then_ns = back[_HEARD["received_ns"]]
    left = taken.tracked[taken.tracked[:, _TAP["left_ns"]] <= then_ns]
    behind = int(left[-1, _TAP["sequence"]] - back[_HEARD["sequence"]]) if len(left) else 0
    row = taken.tracked[:, _TAP["sequence"]] == back[_HEARD["sequence"]]
    due_ns = taken.due_ns(taken.numbers()[row])
    away_seconds = (then_ns - before[-1, _HEARD["received_ns"]]) / 1e9 if len(before) else float("nan")
    age_ms = float(then_ns - due_ns[0]) / 1e6 if len(due_ns) else float("nan")
    return Attached(len(received), float(away_seconds), max(0, behind), age_ms)


def _match(wanted: np.ndarray, had: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of `wanted` are in `had` (sorted), and where they stand there."""
    at = np.searchsorted(had, wanted)
    came = at < len(had)
    came[came] = had[at[came]] == wanted[came]
    return came, at[came]


def _stages(taken: Taken, rows: np.ndarray, numbers: np.ndarray, heard: np.ndarray) -> dict[str, Tail]:
    """Each step's durations, of the frames that came."""
    due_ns, sent_ns = taken.due_ns(numbers), taken.sent_ns[numbers]
    read_ns, decoded_ns, inferred_ns, published_ns, received_ns = (heard[:, k] for k in range(1, len(_HEARD)))
    stages = {name: rows[:, _TAP[f"{name}_ns"]] for name in tap.STAGES}
    tracked_ns = inferred_ns - decoded_ns
    steps = {
        "due to sent": sent_ns - due_ns,
        "sent to read": read_ns - sent_ns,
        "decode": decoded_ns - read_ns,
        "hand over": tracked_ns - sum(stages.values()),
        **stages,
        "inferred to published": published_ns - inferred_ns,
        "encode and send": rows[:, _TAP["left_ns"]] - published_ns,
        "published to received": received_ns - published_ns,
        "decoded to published": published_ns - decoded_ns,
        "due to received": received_ns - due_ns,
    }
    return {name: tail(step) for name, step in steps.items()}


def _every(taken: Taken, received: np.ndarray) -> np.ndarray:
    """For every frame due: how long until it, or one after it, had been received, ns."""
    came, at = _match(taken.tracked[:, _TAP["sequence"]], received[:, _HEARD["sequence"]])
    numbers, stamps = taken.numbers()[came], received[at, _HEARD["received_ns"]]
    order = np.argsort(numbers, kind="stable")
    soonest = np.minimum.accumulate(stamps[order][::-1])[::-1]  # of this frame and all after it
    due = np.arange(taken.first, taken.last)
    place = np.searchsorted(numbers[order], due)
    known = place < len(soonest)
    waited: np.ndarray = soonest[place[known]] - taken.due_ns(due[known])
    return waited


def _unsure(taken: Taken) -> int:
    """Frames of the span, by their own time, whose pixels do not say so."""
    by_time = np.rint(taken.tracked[:, _TAP["pts_ns"]] * (taken.schedule.rate_hz / 1e9))
    inside = (by_time >= taken.first) & (by_time < taken.last)
    return int((inside & (taken.numbers() < 0)).sum())


def _dropped(taken: Taken, counts: np.ndarray) -> int:
    """The source's own count over the span; those after its last frame are not known yet when that is published."""
    at = np.flatnonzero(counts)
    if not len(at):
        return 0
    column = taken.tracked[:, _TAP["dropped"]]
    before = column[at[0] - 1] if at[0] else 0
    # A frame dropped after the span's last tracked one shows in the next row.
    after = column[min(at[-1] + 1, len(column) - 1)]
    return int(after - before) - _beyond(taken, at)


def _beyond(taken: Taken, at: np.ndarray) -> int:
    """Dropped frames between the rows at the span's edges that lie outside of it."""
    by_time = np.rint(taken.tracked[:, _TAP["pts_ns"]] * (taken.schedule.rate_hz / 1e9)).astype(np.int64)
    outside = 0
    if at[0]:
        outside += max(0, taken.first - 1 - int(by_time[at[0] - 1]))
    if at[-1] + 1 < len(by_time):
        outside += max(0, int(by_time[at[-1] + 1]) - taken.last)
    return outside

"""Rates, ages and stage times from stamps, with a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracker.clients.clock_offset import Offset
from tracker.clients.feed import STAGES, Feed
from tracker.clock import anchor
from tracker.wire import FrameMessage, decode

GOLDEN = decode((Path(__file__).resolve().parents[1] / "golden" / "frame_v1_0.bin").read_bytes())
MS = 1_000_000


def message(at_ns: int, epoch: int = 1, offset_ns: int = 0) -> FrameMessage:
    """Received at `at_ns`, 1 + 2 + 3 + 4 ms after it was captured, from a clock that is `offset_ns` ahead of ours."""
    here = anchor()
    there_ns = at_ns + offset_ns
    return replace(
        GOLDEN,
        epoch=epoch,
        captured_ns=there_ns - 10 * MS,
        decoded_ns=there_ns - 9 * MS,
        inferred_ns=there_ns - 7 * MS,
        published_ns=there_ns - 4 * MS,
        anchor_monotonic_ns=here.monotonic_ns + offset_ns,
        anchor_wall_ns=here.wall_ns,
        received_ns=at_ns,
    )


def test_before_the_first_message() -> None:
    feed = Feed()
    assert feed.rate_hz() == 0 and feed.age_seconds() == float("inf") and feed.stages_ms() == {}


def test_rate_and_its_fall_when_nothing_comes() -> None:
    feed, start = Feed(window_seconds=2.0), 10**12
    for k in range(61):
        feed.add(message(start + k * 20 * MS))
    now = start + 60 * 20 * MS
    assert feed.rate_hz(now) == pytest.approx(50)
    assert feed.rate_hz(now + 10 * MS) == pytest.approx(50), "between two messages it stands"
    assert 20 < feed.rate_hz(now + 500 * MS) < 45
    assert feed.rate_hz(now + 3000 * MS) == 0
    assert feed.age_seconds(now + 500 * MS) == pytest.approx(0.5)


@pytest.mark.parametrize("offset_ns", [0, 3600 * 10**9, -7 * 10**9])
def test_stages_of_this_machine_and_of_another(offset_ns: int) -> None:
    """Another machine's stamps are carried over by the wall clocks, which here agree to some microseconds."""
    feed = Feed()
    for k in range(20):
        feed.add(message(10**12 + k * 20 * MS, offset_ns=offset_ns))
    assert feed.same_clock == (offset_ns == 0)
    p50 = {stage: spread[0] for stage, spread in feed.stages_ms().items()}
    assert tuple(p50) == STAGES
    expected = {"decode": 1, "infer": 2, "publish": 3, "receive": 4, "total": 10}
    assert p50 == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("wall_error_ns", [0, 40 * MS, 3600 * 10**9])
def test_a_measured_offset_beats_the_wall_clocks(wall_error_ns: int) -> None:
    offset_ns, feed = 7 * 10**9, Feed()
    measured = Offset(offset_ns, 20_000, 10**12, epoch=1)
    for k in range(20):
        came = message(10**12 + k * 20 * MS, offset_ns=offset_ns)
        feed.add(replace(came, anchor_wall_ns=came.anchor_wall_ns + wall_error_ns), measured)
    assert feed.measured is measured and not feed.same_clock
    assert feed.stages_ms()["total"][0] == pytest.approx(10, abs=1e-6)


def test_an_offset_is_of_one_start_and_of_another_machine() -> None:
    feed, other, ours = Feed(), Offset(7 * 10**9, 20_000, 10**12, epoch=9), Offset(5_000, 20_000, 10**12, epoch=1)
    feed.add(message(10**12, offset_ns=7 * 10**9), other)
    assert feed.measured is None and not feed.same_clock
    feed.add(message(10**12 + MS), ours)
    assert feed.measured is None and feed.same_clock, "a shared clock is exact, an offset about 0 only nearly"
    assert feed.stages_ms()["total"][0] == pytest.approx(10, abs=1e-6), "figures of both ways do not mix"


def test_another_start_of_the_publisher_begins_anew() -> None:
    feed = Feed()
    for k in range(10):
        feed.add(message(10**12 + k * MS))
    feed.add(message(10**12 + 11 * MS, epoch=2))
    assert feed.rate_hz(10**12 + 12 * MS) == 0


def test_memory_is_bounded() -> None:
    feed = Feed(longest=50)
    for k in range(200):
        feed.add(message(10**12 + k * MS))
    assert feed.rate_hz(10**12 + 199 * MS) == pytest.approx(1000)

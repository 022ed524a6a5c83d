"""Subscribers in their own processes: one that stops reading harms nobody and comes back to the newest frame."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from tracker.bench.listener import COLUMNS, Listener
from tracker.clock import monotonic_ns
from tracker.publish import FeedSettings, Publisher
from tracker.wire.schema import FrameHeader

FRAMES, AWAY_FRAMES = 200, 150
SEQUENCE, RECEIVED = COLUMNS.index("sequence"), COLUMNS.index("received_ns")


def _header(now_ns: int) -> FrameHeader:
    return FrameHeader(
        source_id="bench", pts=0, time_base_num=1, time_base_den=30, captured_ns=now_ns, decoded_ns=now_ns,
        inferred_ns=now_ns, width_px=64, height_px=36, fx=1.0, fy=1.0, cx=1.0, cy=1.0,
    )  # fmt: skip


def test_ctrl_c_is_the_first_process_to_hear(capfd: pytest.CaptureFixture[str]) -> None:
    """A terminal sends it to all; the others end when that one tells them to, and say nothing."""
    with Publisher("tcp://127.0.0.1:0", "bench", bytes(8), "none") as publisher:
        with Listener(publisher.endpoint) as listener:
            os.kill(listener._child._process.pid or 0, signal.SIGINT)
            rows, repeated = listener.finish()
        assert len(rows) == repeated == 0
    assert capfd.readouterr().err == ""


def test_a_subscriber_that_stops_reading_changes_nothing_for_the_others() -> None:
    with (
        Publisher("tcp://127.0.0.1:0", "bench", bytes(8), "none", FeedSettings(queue=8)) as publisher,
        Listener(publisher.endpoint) as prompt,
        Listener(publisher.endpoint, newest=True) as slow,
    ):
        for _ in range(20):  # until both subscriptions stand
            publisher.publish(_header(monotonic_ns()), ())
            time.sleep(0.01)
        prompt.wait_until_heard()
        slow.wait_until_heard()
        first = publisher.sequence
        now_ns = monotonic_ns()
        slow.stop_reading(now_ns, now_ns + AWAY_FRAMES * 2_000_000)
        sent_ns = []
        for _ in range(FRAMES):
            publisher.publish(_header(monotonic_ns()), ())
            sent_ns.append(monotonic_ns())
            time.sleep(0.002)
        time.sleep(0.2)
        rows, repeated = prompt.finish()
        back, _ = slow.finish()
    prompt_saw = rows[rows[:, SEQUENCE] >= first]
    assert prompt_saw[:, SEQUENCE].tolist() == list(range(first, first + FRAMES)) and not repeated
    until_ns = now_ns + AWAY_FRAMES * 2_000_000
    # It had them while the other was away: nothing waited for its return.
    assert (prompt_saw[:, RECEIVED] < until_ns).sum() > AWAY_FRAMES // 4
    later = back[back[:, RECEIVED] > until_ns]
    away = np.searchsorted(sent_ns, until_ns)  # frames sent by then
    newest = np.searchsorted(sent_ns, later[0, RECEIVED]) - 1 + first
    assert len(back) <= len(rows) - away // 2  # it missed what came meanwhile
    assert newest - later[0, SEQUENCE] < away // 4  # and saw none of it afterwards

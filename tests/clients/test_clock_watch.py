"""Asking a publisher on a clock of its own: the offset is found, and where nothing answers a word says so."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tracker.clients import clock_watch
from tracker.clients.clock_offset import Offset
from tracker.clients.clock_watch import ClockWatch, reachable
from tracker.clients.demo import _empty
from tracker.clients.print import Table, print_table
from tracker.clock import Anchor, anchor
from tracker.errors import SettingsError
from tracker.publish import FeedSettings, Publisher

SECOND = 10**9
ANYWHERE = "tcp://127.0.0.1:0"
SHIFTS = [0, 7 * SECOND + 123_456_789, -3600 * SECOND]


@pytest.mark.parametrize(
    ("control", "url", "wanted"),
    [
        ("tcp://0.0.0.0:5571", "tcp://192.168.1.20:5570", "tcp://192.168.1.20:5571"),
        ("tcp://[::]:5571", "tcp://[fe80::1]:5570", "tcp://[fe80::1]:5571"),
        ("tcp://127.0.0.1:5571", "tcp://localhost:5570", "tcp://localhost:5571"),
        ("tcp://0.0.0.0:5571", "ipc:///tmp/feed", "tcp://127.0.0.1:5571"),
        ("ipc:///tmp/control", "ipc:///tmp/feed", "ipc:///tmp/control"),
    ],
)
def test_the_control_socket_is_where_the_frames_come_from(control: str, url: str, wanted: str) -> None:
    assert reachable(control, url) == wanted


@contextmanager
def machine(shift_ns: int, control: str | None = ANYWHERE) -> Iterator[Publisher]:
    """A publisher at work, all of whose clocks are `shift_ns` ahead: what it would be on another machine."""

    def shifted() -> Anchor:
        here = anchor()
        return Anchor(here.monotonic_ns + shift_ns, here.wall_ns)

    enough = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracker.publish.monotonic_ns", lambda: time.monotonic_ns() + shift_ns)
        patch.setattr("tracker.publish.anchor", shifted)
        with Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0", FeedSettings(control=control)) as sender:

            def work() -> None:
                while not enough.wait(0.01):
                    now = time.monotonic_ns() + shift_ns
                    sender.publish(replace(_empty(), captured_ns=now, decoded_ns=now, inferred_ns=now), ())

            thread = threading.Thread(target=work)
            thread.start()
            try:
                yield sender
            finally:
                enough.set()
                thread.join()


def wait_for(look, seconds: float = 10.0):  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("shift_ns", SHIFTS)
def test_the_offset_of_a_shifted_clock_is_found_within_its_bound(shift_ns: int) -> None:
    with machine(shift_ns) as sender, ClockWatch(sender.endpoint) as watch:
        found: Offset = wait_for(lambda: watch.offset)
        assert abs(found.offset_ns - shift_ns) <= found.bound_ns
        assert found.epoch == sender.epoch and "measured at" in watch.word
        first_ns = found.measured_ns
        wait_for(lambda: watch.offset and watch.offset.measured_ns > first_ns)  # it goes on asking
        assert watch.offset and abs(watch.offset.offset_ns - shift_ns) <= watch.offset.bound_ns


def test_it_can_be_told_where_to_ask() -> None:
    with machine(SHIFTS[1]) as sender, ClockWatch("tcp://127.0.0.1:9", sender.control_endpoint) as watch:
        found: Offset = wait_for(lambda: watch.offset)
        assert abs(found.offset_ns - SHIFTS[1]) <= found.bound_ns


def test_a_publisher_without_a_control_socket() -> None:
    with machine(0, control=None) as sender, ClockWatch(sender.endpoint) as watch:
        wait_for(lambda: "no control socket" in watch.word)
        assert watch.offset is None


def test_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_watch, "PATIENCE_SECONDS", 0.1)
    with ClockWatch("tcp://127.0.0.1:9") as watch:
        wait_for(lambda: "says nothing of a control socket" in watch.word)
        assert watch.offset is None
    with ClockWatch("tcp://127.0.0.1:9", "tcp://127.0.0.1:9") as watch:
        wait_for(lambda: watch.word == "the control socket tcp://127.0.0.1:9 does not answer")
    with ClockWatch("tcp://no.such.host.invalid:9") as watch:
        wait_for(lambda: "asked" in watch.word or "nothing" in watch.word)
    for url, control in (("udp://127.0.0.1:9", None), ("tcp://127.0.0.1:9", "127.0.0.1:9")):
        with pytest.raises(SettingsError):
            ClockWatch(url, control)


def test_a_publisher_that_stops_answering_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_watch, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(clock_watch, "ASK_SECONDS", 0.05)
    with machine(0) as sender, ClockWatch(sender.endpoint) as watch:
        wait_for(lambda: watch.offset)
        assert sender._control is not None
        sender._control.close()
        wait_for(lambda: watch.offset is None and "does not answer" in watch.word)


def table_of(sender: Publisher, word: str) -> Table:
    """The table once its last line has the word; on a busy machine that takes more than one look."""
    out = io.StringIO()

    def look() -> Table | None:
        table = print_table(sender.endpoint, seconds=0.5, out=out)
        return table if word in out.getvalue().splitlines()[-1] else None

    found: Table = wait_for(look, 30)
    return found


def test_the_table_shows_the_true_latency_of_another_machine() -> None:
    """The frames are published as they are taken: what is left is the way, far below the clocks' seven seconds."""
    with machine(SHIFTS[1]) as sender:
        table = table_of(sender, "ms +-")
    feed = table.feeds["demo"]
    assert feed.measured is not None and not feed.same_clock
    assert feed.stages_ms()["total"][0] > -feed.measured.bound_ns / 1e6
    assert feed.stages_ms()["total"][0] < 2000


def test_the_table_says_when_clocks_are_one_or_unknown() -> None:
    for shift_ns, control, word in ((0, ANYWHERE, "one clock"), (SHIFTS[1], None, "by wall clocks, unsure")):
        with machine(shift_ns, control) as sender:
            table_of(sender, word)

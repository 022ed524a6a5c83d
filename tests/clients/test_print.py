"""The live table: on a terminal, in a pipe, and how it ends."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tracker.clients.feed import STAGES
from tracker.clients.print import HIDE_CURSOR, SHOW_CURSOR, Table, print_table
from tracker.clients.subscribe import Reception
from tracker.errors import SettingsError, WireError
from tracker.publish import Publisher
from tracker.wire import FrameHeader, decode, encode
from tracker.wire.schema import HEADER_FIELDS

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = decode((ROOT / "tests" / "golden" / "frame_v1_1.bin").read_bytes())


@pytest.fixture
def url() -> Iterator[str]:
    """A publisher at work in a thread of its own."""
    addresses: list[str] = []
    ready, enough = threading.Event(), threading.Event()

    def work() -> None:
        with Publisher("tcp://127.0.0.1:0", "cam1", b"8 bytes.", "1.0") as publisher:
            addresses.append(publisher.endpoint)
            ready.set()
            known = {name: getattr(GOLDEN, name) for name in HEADER_FIELDS}
            while not enough.wait(0.01):
                now = time.monotonic_ns()
                stamps = {"captured_ns": now, "decoded_ns": now, "inferred_ns": now}
                publisher.publish(FrameHeader(**known | stamps | {"source_id": "cam1"}), GOLDEN.faces)

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10)
    yield addresses[0]
    enough.set()
    thread.join()


def test_lines_into_a_pipe(url: str) -> None:
    out = io.StringIO()
    table = print_table(url, count=5, out=out)
    last = out.getvalue().splitlines()[-1]
    assert last.startswith("cam1 ") and "received 5, missed 0" in last and "bad 0" in last
    assert "7 tracking 0.97" in last and "\x1b" not in out.getvalue()
    assert set(table.feeds) == {"cam1"}


def test_for_ever_by_a_number(url: str) -> None:
    assert print_table(url, seconds=float("inf"), count=1, out=io.StringIO()).messages == 1


def test_it_ends_after_so_many_seconds_though_nothing_comes() -> None:
    out = io.StringIO()
    print_table("tcp://127.0.0.1:9", seconds=0.1, out=out)
    assert "nothing has come yet" in out.getvalue()


def test_another_source_is_not_shown(url: str) -> None:
    out = io.StringIO()
    print_table(url, source_id="cam", seconds=0.2, out=out)
    assert "nothing has come yet from 'cam'" in out.getvalue()


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": -1}, {"seconds": float("nan")}, {"count": 0}])
def test_ends_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(SettingsError, match="more than 0"):
        print_table("tcp://127.0.0.1:9", **wrong)


def reception_of(*messages: bytes, table: Table) -> Reception:
    reception = Reception(table.failed)
    for data in messages:
        message = reception.read(data)
        if message is not None:
            table.add(message)
    return reception


def test_the_table_says_what_there_is() -> None:
    table = Table("tcp://127.0.0.1:5570")
    reception = reception_of(
        bytes(encode(GOLDEN)),
        b"nonsense",
        bytes(encode(replace(GOLDEN, sequence=44, faces=(), meshes=()))),
        table=table,
    )
    text = "\n".join(table.lines(reception))
    for part in (
        "bad messages 1", "8 bytes are no Facewire message", "camera0   1280 x 720   #44   pts 8.037 s", "schema 1.1",
        "mirrored", "received 2, missed 2", "source dropped 3", "decode", "total", "no face",
        "by both machines' wall clocks",
    ):  # fmt: skip
        assert part in text, part


def test_faces_and_their_strongest_shapes() -> None:
    table = Table("url")
    text = "\n".join(table.lines(reception_of(bytes(encode(GOLDEN)), table=table)))
    face = GOLDEN.faces[0]
    assert text.count("profile 59159bdb") == 1, "of the first face alone"
    assert "face 7 tracking 0.97" in text and "face 8 coasting" in text
    assert "yaw +0 pitch +0 roll +0 deg" in text and "-24 +10 +612 mm" in text
    strongest = max(face.blendshapes)
    assert f" {strongest:.2f}" in text


def test_a_usual_terminal_shows_every_stage_and_the_strongest_shapes() -> None:
    table, reception = Table("url"), Reception(None)
    message = reception.read(bytes(encode(GOLDEN)))
    assert message is not None
    table.add(message)
    seen = [line[:79] for line in table.lines(reception)]
    (head,) = [line for line in seen if "decode" in line]
    assert head.split() == ["ms", *STAGES]
    assert [len(line.split("(")[0].split()) for line in seen if line.startswith("  p")] == [6] * 3
    assert sum(f" {max(message.faces[0].blendshapes):.2f}" in line for line in seen) >= 1


def test_staleness() -> None:
    table = Table("url")
    reception = Reception(None)
    message = reception.read(bytes(encode(GOLDEN)))
    assert message is not None
    table.add(replace(message, received_ns=time.monotonic_ns() - 3 * 10**9))
    text = "\n".join(table.lines(reception))
    assert "STALE" in text and "age 300" in text and "0.0 Hz" in text


def test_a_bad_message_is_kept_as_a_line() -> None:
    table = Table("url")
    table.failed(WireError("schema 2.0 is newer"))
    assert any("schema 2.0 is newer" in line for line in table.lines(Reception(None)))


def read_until(terminal: int, wanted: str, seconds: float = 20) -> str:
    text, until = "", time.monotonic() + seconds
    while wanted not in text and time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 65536).decode()
            except OSError:  # the other end has hung up
                break
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
def test_on_a_terminal_it_redraws_in_place_and_an_interrupt_leaves_it_in_order(url: str) -> None:
    program = (
        "from tracker.clients.print import print_table\n"
        f"try: print_table({url!r})\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    terminal, other_end = os.openpty()
    running = subprocess.Popen([sys.executable, "-c", program], stdout=other_end, stderr=other_end, cwd=ROOT)
    os.close(other_end)
    text = read_until(terminal, "F\x1b[0J")
    running.send_signal(signal.SIGINT)
    text += read_until(terminal, "interrupted")
    assert running.wait(10) == 0
    os.close(terminal)
    assert HIDE_CURSOR in text and "cam1   1280 x 720" in text
    assert text.index(SHOW_CURSOR) > text.index(HIDE_CURSOR) and "Traceback" not in text
    assert all(len(line) < 120 for line in text.replace("\r", "").split("\n")), "no line may wrap"


def test_columns_stay_apart_however_long_the_stages_take() -> None:
    table = Table("url")
    reception = Reception(None)
    message = reception.read(bytes(encode(GOLDEN)))
    assert message is not None
    names = ("captured_ns", "decoded_ns", "inferred_ns", "published_ns", "received_ns")
    now_ns, apart_ns = time.monotonic_ns(), 100 * 10**9
    table.add(replace(message, **{name: now_ns + (k - 4) * apart_ns for k, name in enumerate(names)}))
    rows = table.lines(reception)[4:8]
    assert [row.split()[0] for row in rows] == ["ms", "p50", "p95", "p99"]
    assert all(len(row.split("(")[0].split()) == 6 for row in rows), rows


def test_messages_are_counted_and_their_absence_comes_with_a_hint(url: str) -> None:
    out = io.StringIO()
    assert print_table(url, count=3, out=out).messages == 3
    assert print_table("tcp://127.0.0.1:9", seconds=0.1, out=out).messages == 0
    assert "does a publisher run there?" in out.getvalue().splitlines()[-1]

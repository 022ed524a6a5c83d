"""The live table of `facewire subscribe`: rates, gaps, staleness, stage latencies and the strongest shapes.

Given an address it subscribes and draws: in place on a terminal, one line a second into a pipe or file. It changes
nothing at the publisher, and asks it nothing but its clock, where it has a control socket for that.
"""

from __future__ import annotations

import math
import shutil
import sys
from typing import TextIO

from tracker.clients.clock_offset import Offset
from tracker.clients.clock_watch import ClockWatch
from tracker.clients.feed import STAGES, Feed
from tracker.clients.subscribe import Reception, Subscription, subscribe
from tracker.clock import FOREVER_SECONDS, monotonic_ns
from tracker.errors import SettingsError, WireError
from tracker.face.expression import ARKIT_NAMES
from tracker.face.parameters import Face
from tracker.face.pose import yaw_pitch_roll_rad
from tracker.wire.schema import FrameMessage

REDRAW_SECONDS = 0.2
LINE_SECONDS = 1.0
STALE_SECONDS = 1.0
STRONGEST = 3
# Below this a shape is noise, not expression.
SHOWN_FROM = 0.05
_PERCENTILES = ("p50", "p95", "p99")
HIDE_CURSOR, SHOW_CURSOR, UP_AND_CLEAR = "\x1b[?25l", "\x1b[?25h", "\x1b[{}F\x1b[0J"


class Table:
    """What is known of every source, as lines of text."""

    def __init__(self, url: str, source_id: str | None = None) -> None:
        """`source_id` is the only source that is asked for, if one is."""
        self.feeds: dict[str, Feed] = {}
        self.messages = 0
        """Good ones that came, of all sources."""
        self.last_error: WireError | None = None
        self.clock_word = ""
        """How it stands with asking the publisher's clock; empty where nobody asks."""
        self._url = url
        asked = "" if source_id is None else f" from {source_id!r}"
        self._nothing = f"nothing has come yet{asked}; does a publisher run there? (facewire run SOURCE --bind URL)"

    def add(self, message: FrameMessage, offset: Offset | None = None) -> None:
        """Take one message, and what is known of its publisher's clock."""
        self.messages += 1
        self.feeds.setdefault(message.source_id, Feed()).add(message, offset)

    def failed(self, error: WireError) -> None:
        """Take one message that was none."""
        self.last_error = error

    def lines(self, reception: Reception) -> list[str]:
        """The whole table, several lines for each source."""
        lines = [f"{self._url}   bad messages {reception.bad}"]
        if self.last_error is not None:
            lines.append(f"  last of them: {self.last_error}")
        if not self.feeds:
            lines.append(f"  {self._nothing}")
        for source_id, feed in self.feeds.items():
            lines += _source_lines(source_id, feed, reception, self.clock_word)
        return lines

    def short_lines(self, reception: Reception) -> list[str]:
        """One line for each source."""
        if not self.feeds:
            return [f"{self._url}: bad messages {reception.bad}, {self._nothing}"]
        lines = []
        for source_id, feed in self.feeds.items():
            total, faces = feed.stages_ms().get("total"), feed.last.faces if feed.last else ()
            lines.append(
                f"{source_id} {_counts(source_id, feed, reception)}, bad {reception.bad}, "
                f"{'' if total is None else f'total {total[0]:.1f}/{total[2]:.1f} ms {_unsure(feed)}, '}"
                f"{'; '.join(f'{_face_text(face)}   {_shapes_text(face)}' for face in faces) or 'no face'}"
            )
        return lines


def _source_lines(source_id: str, feed: Feed, reception: Reception, clock_word: str) -> list[str]:
    last = feed.last
    assert last is not None
    late = "   STALE" if feed.age_seconds() > STALE_SECONDS else ""
    mirrored = "   mirrored" if last.mirrored else ""
    pts = "-" if last.pts_seconds is None else f"{last.pts_seconds:.3f} s"
    return [
        "",
        f"{source_id}   {last.width_px} x {last.height_px}   #{last.sequence}   pts {pts}   "
        f"model {last.model_hash.hex()}   schema {last.version_major}.{last.version_minor}{mirrored}{late}",
        f"  {_counts(source_id, feed, reception)}, source dropped {last.dropped}",
        *_stage_lines(feed),
        f"  clock: {_clock_text(feed, clock_word)}",
        *(line for face in last.faces for line in (f"  face {_face_text(face)}", f"    {_shapes_text(face)}")),
        *(() if last.faces else ("  no face",)),
    ]


def _counts(source_id: str, feed: Feed, reception: Reception) -> str:
    count = reception.sources[source_id]
    restarts = f", restarts {count.restarts}" if count.restarts else ""
    repeated = f", repeated {count.repeated}" if count.repeated else ""
    return (
        f"{feed.rate_hz():.1f} Hz, received {count.received}, missed {count.missed}{repeated}{restarts}, "
        f"age {feed.age_seconds() * 1e3:.0f} ms"
    )


def _stage_lines(feed: Feed) -> list[str]:
    """The stages, and under each its p50, p95 and p99."""
    stages = feed.stages_ms()
    if not stages:
        return []
    lines = ["  ms " + "".join(f" {stage:>9}" for stage in STAGES)]
    for row, name in enumerate(_PERCENTILES):
        lines.append(f"  {name}" + "".join(f" {stages[stage][row]:>#9.3g}" for stage in STAGES))
    return [*lines[:-1], f"{lines[-1]}   {_unsure(feed)}"]


def _unsure(feed: Feed) -> str:
    """By how much receive and total may be off, where that is known; in words where it is not."""
    if feed.measured is not None:
        return f"+-{feed.measured.bound_at_ns(monotonic_ns()) / 1e6:.2f}"
    return "(one clock)" if feed.same_clock else "(by wall clocks, unsure)"


def _clock_text(feed: Feed, word: str) -> str:
    """Whose clock the stamps are by, and what `receive` and `total` are worth."""
    if feed.measured is None:
        if feed.same_clock:
            return "this machine's, by which all is exact"
        asked = f"; {word}" if word else ""
        return f"another machine's; receive and total are by both machines' wall clocks, error unknown{asked}"
    offset = feed.measured
    drift = "" if offset.drift_ppm is None else f", gaining {offset.drift_ppm:+.0f} +-{offset.drift_bound_ppm:.0f} ppm"
    bound_ms = offset.bound_at_ns(monotonic_ns()) / 1e6
    return f"another machine's, {offset.offset_ns / 1e6:+.2f} ms from ours, +-{bound_ms:.2f} ms by asking{drift}"


def _face_text(face: Face) -> str:
    yaw, pitch, roll = (_whole(math.degrees(angle)) for angle in yaw_pitch_roll_rad(face.rotation))
    x, y, z = (_whole(value) for value in face.translation_mm.tolist())
    return (
        f"{face.track_id} {face.state.name.lower()} {face.confidence:.2f}   yaw {yaw} pitch {pitch} "
        f"roll {roll} deg   at {x} {y} {z} mm"
    )


def _shapes_text(face: Face) -> str:
    """The strongest shapes, and by which profile they are calibrated."""
    shapes = face.blendshapes
    order = [i for i in shapes.argsort()[::-1][:STRONGEST] if shapes[i] > SHOWN_FROM]
    strongest = " ".join(f"{ARKIT_NAMES[i]} {shapes[i]:.2f}" for i in order)
    calibrated = f"   profile {face.profile_id.hex()[:8]}" if face.profile_id else ""
    return (strongest or "-") + calibrated


def _whole(value: float) -> str:
    """A whole number with its sign; never "-0", and a word for what is no number."""
    return f"{round(value):+d}" if math.isfinite(value) else "?"


def print_table(
    url: str, source_id: str | None = None, newest: bool = False, seconds: float | None = None,
    count: int | None = None, out: TextIO | None = None, control: str | None = None,
) -> Table:  # fmt: skip
    """Subscribe and draw until interrupted, or for so many `seconds` or messages; returns what was drawn last.

    The publisher's clock is asked at `control`, or else where its hello says; nothing waits for that.
    Raises SettingsError for a malformed address. An interrupt leaves the terminal in order and goes on to the caller.
    """
    if (seconds is not None and not seconds > 0) or (count is not None and count < 1):
        raise SettingsError(f"seconds {seconds}, count {count}; give more than 0, or leave them out")
    out = sys.stdout if out is None else out
    table = Table(url, source_id)
    screen = _Screen(out)
    with (
        subscribe(url, newest, source_id, on_error=table.failed) as subscription,
        ClockWatch(url, control, source_id) as clock,
    ):
        try:
            _follow(subscription, table, clock, screen, seconds, count)
        finally:
            screen.close()
    return table


def _follow(
    subscription: Subscription, table: Table, clock: ClockWatch, screen: _Screen, seconds: float | None,
    count: int | None,
) -> None:  # fmt: skip
    """Receive and redraw; a bad message counts, but not towards `count`."""
    begin_ns = monotonic_ns()
    end_ns = None if seconds is None or seconds > FOREVER_SECONDS else begin_ns + int(seconds * 1e9)
    draw_ns, left = begin_ns + int(screen.every_seconds * 1e9), count
    while left != 0:
        now_ns, table.clock_word = monotonic_ns(), clock.word
        if end_ns is not None and now_ns >= end_ns:
            break
        if now_ns >= draw_ns:
            screen.draw(table, subscription.reception)
            draw_ns = now_ns + int(screen.every_seconds * 1e9)
        until_ns = draw_ns if end_ns is None else min(draw_ns, end_ns)
        message = subscription.receive(max(0, until_ns - now_ns) / 1e9)
        if message is not None:
            table.add(message, clock.offset)
            left = None if left is None else left - 1
    screen.draw(table, subscription.reception)


class _Screen:
    """Where the table goes: a terminal is redrawn in place, anything else gets line after line."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._lines = out, 0
        self._in_place = out.isatty()
        self.every_seconds = REDRAW_SECONDS if self._in_place else LINE_SECONDS

    def draw(self, table: Table, reception: Reception) -> None:
        if not self._in_place:
            print(*table.short_lines(reception), sep="\n", file=self._out, flush=True)
            return
        columns, rows = shutil.get_terminal_size()
        lines = [line[: columns - 1] for line in table.lines(reception)][: rows - 1]
        back = UP_AND_CLEAR.format(self._lines) if self._lines else HIDE_CURSOR
        self._out.write(back + "\n".join(lines) + "\n")
        self._out.flush()
        self._lines = len(lines)

    def close(self) -> None:
        if self._in_place and self._lines:
            self._out.write(SHOW_CURSOR)
            self._out.flush()

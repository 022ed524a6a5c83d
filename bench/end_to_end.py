"""`facewire bench end-to-end`: from the time a frame was due to the time its message is in another process.

A player sends encoded video at its true pace to a real `facewire run`; subscribers in processes of their own stamp what
they receive. Every frame carries its number in its pixels, and what counts is the one that was read from the pixels
tracked. Latency starts when the frame was due, not when it was sent: a stall makes all frames behind it late, none of
them missing from the figures. It knows nothing of accuracy.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from tracker.bench import arrivals, chart, footage, promptness
from tracker.bench.arrivals import Account, Attached, Taken
from tracker.bench.listener import Listener
from tracker.bench.player import Container, Player
from tracker.bench.report import Progress, quiet, table
from tracker.bench.tail import TAIL_HEADERS
from tracker.bench.tap import Tracking
from tracker.clock import monotonic_ns
from tracker.errors import SettingsError

WARM_UP_SECONDS = 3.0
"""Played before the frames that count: a live stream starts with what piled up while it was opened."""
AFTER_SECONDS = 0.5
"""Played after them, so that closing is not measured."""
BARRED = (720, 30, 1)
"""Rows, frames a second and faces of the live stream that the bars speak of."""
AWAY = (0.45, 0.9)
"""From where to where in a run the slow ones do not read: a share of it before, one behind."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to play, how, and to whom."""

    clip: Path | None = None
    """A video with a face; the demo's own by default."""
    sizes: str = "720"
    """Rows of the picture, whose sides are as 16:9; several with commas: 360,720,1080."""
    rates: str = "30"
    """Frames a second; several with commas: 30,60."""
    faces: str = "1"
    """Faces in the picture, 1 to 8; several with commas: 1,2,4,8."""
    minutes: float = 1.0
    """How long each combination is played."""
    via: Literal["tcp", "mpegts", "pipe"] = "tcp"
    """tcp: a live stream, newest frame first; mpegts: the same as MPEG-TS; pipe: standard input, every frame."""
    slow: int = 0
    """Subscribers that stop reading for nearly half of each run."""
    crf: int = 23
    """x264's quality of the video: 23 is its usual, 45 a bad line."""
    figure: Path | None = None
    """A PNG of the curves over the percentiles."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.minutes <= 240 or not 0 <= self.slow <= 64 or not 0 <= self.crf <= 51:
            raise SettingsError(
                f"{self.minutes:g} minutes, {self.slow} slow subscribers, crf {self.crf}; give 0.01 to 240, 0 to 64 "
                "and 0 to 51"
            )
        self.shots()

    def shots(self) -> list[footage.Shot]:
        """Every combination."""
        lists = [_numbers(name, getattr(self, name)) for name in ("sizes", "rates", "faces")]
        return [footage.Shot(size, rate, faces, self.crf) for size, rate, faces in product(*lists)]


def _numbers(name: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise SettingsError(f"{name} {text!r}; give whole numbers with commas between, such as 360,720") from error


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    what: str
    height_px: int
    rate_hz: int
    faces: int
    kbit_a_second: float
    """Of the encoded video."""
    account: Account
    """What became of the frames, and how long they took."""
    slow: tuple[Attached, ...]
    """The subscribers that stopped reading."""
    bars: tuple[promptness.Bar, ...] = ()
    """What the run is held to, if it is one that the bars speak of."""


@dataclass(frozen=True, slots=True)
class Result:
    """All runs."""

    clip: str
    minutes: float
    via: str
    cases: tuple[Case, ...]


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Film and play every combination. Raises SourceError for a clip without a face, and what `facewire run` does."""
    from tracker.clients.demo import bundled_clip

    say = progress or quiet
    shots = settings.shots()
    say(0, len(shots), "filming")
    clip = settings.clip or Path(bundled_clip())
    reel = footage.load(clip, find_face=any(shot.faces > 1 for shot in shots))
    cases = []
    with tempfile.TemporaryDirectory(prefix="facewire-bench-") as folder:
        for done, shot in enumerate(shots):
            say(done, len(shots), str(shot))
            path = Path(folder) / "footage.mp4"
            cases.append(run_case(settings, shot, path, footage.film(reel, shot, path)))
    say(len(shots), len(shots), "done")
    return Result(clip.name, settings.minutes, settings.via, tuple(cases))


def draw(result: Result, settings: Settings) -> None:
    """The picture that was asked for. Raises SettingsError where it cannot be written."""
    if settings.figure:
        rows = [(case.what, case.account.curve) for case in result.cases]
        chart.percentiles("due to received, ms", rows, settings.figure)


def run_case(settings: Settings, shot: footage.Shot, path: Path, round_frames: int, stall_seconds: float = 0.0) -> Case:
    """Play the footage at `path` and account for its frames; `stall_seconds` hold the player up once, halfway."""
    container: Container = "mpegts" if settings.via == "mpegts" else "nut"
    with ExitStack() as parts:
        player = parts.enter_context(Player(path, shot.rate_hz, container))
        tracking = parts.enter_context(Tracking(
            (player.address, "--max-faces", str(shot.faces)), standard_input=settings.via == "pipe"
        ))  # fmt: skip
        schedule = player.schedule()
        endpoint = tracking.endpoint()
        prompt = parts.enter_context(Listener(endpoint))
        slow = [parts.enter_context(Listener(endpoint, newest=True)) for _ in range(settings.slow)]
        for listener in (prompt, *slow):
            listener.wait_until_heard()
        first = schedule.next_after(monotonic_ns() + int(WARM_UP_SECONDS * 1e9))
        last = first + max(2, round(settings.minutes * 60 * shot.rate_hz))
        away_ns = tuple(schedule.due_ns(first + round(share * (last - first))) for share in AWAY)
        for listener in slow:
            listener.stop_reading(*away_ns)
        if stall_seconds:
            player.stall_before((first + last) // 2, stall_seconds)
        player.end_before(last + round(AFTER_SECONDS * shot.rate_hz))
        time.sleep(max(0.0, (schedule.due_ns(last) - monotonic_ns()) / 1e9))
        sent_ns = player.finish()
        tracked = tracking.finish()
        received, _ = prompt.finish()
        back = [listener.finish()[0] for listener in slow]
    taken = Taken(schedule, first, last, round_frames, sent_ns, tracked)
    account = arrivals.account(taken, received, away_ns if slow else None)
    seconds = round_frames / shot.rate_hz
    return Case(
        str(shot), shot.height_px, shot.rate_hz, shot.faces, path.stat().st_size * 8e-3 / seconds, account,
        tuple(arrivals.attached(taken, rows, away_ns) for rows in back), _bars(settings, shot, account),
    )  # fmt: skip


def _bars(settings: Settings, shot: footage.Shot, account: Account) -> tuple[promptness.Bar, ...]:
    if settings.via != "tcp" or (shot.height_px, shot.rate_hz, shot.faces) != BARRED:
        return ()
    return promptness.bars(account)


def report(result: Result) -> str:
    """Two or three tables a run."""
    how = {"tcp": "a live stream over TCP", "mpegts": "a live stream of MPEG-TS over TCP", "pipe": "standard input"}
    head = f"{result.clip} played for {result.minutes:g} minutes each as {how[result.via]}"
    return "\n\n".join([head, *(part for case in result.cases for part in _report_case(case))])


def _report_case(case: Case) -> list[str]:
    account = case.account
    rows = [[name, *one.cells()] for name, one in account.stages.items()]
    stages = table(("stage", *TAIL_HEADERS), rows, f"{case.what}, {case.kbit_a_second:.0f} kbit/s")
    counts = (
        f"of {account.due} frames due {account.tracked} were tracked with {account.faces_mean:.2f} faces in the mean, "
        f"{account.dropped} dropped to stay current, {account.unaccounted} without account; {account.lost} messages "
        f"lost, {account.unsure} frames whose number could not be read; "
        f"decoded to published, p99 by p50: {account.tail_ratio:.1f}"
    )
    parts = [f"{stages}\n{counts}", *([promptness.bars_table(case.bars)] if case.bars else [])]
    if case.slow:
        beside = [[name, *one.cells()] for name, one in account.beside.items()]
        parts.append(table(("due to received, the others", *TAIL_HEADERS), beside, "beside slow subscribers"))
        cells = [
            [f"slow {k + 1}", one.received, f"{one.away_seconds:.1f}", one.behind_frames, f"{one.back_ms:.1f}"]
            for k, one in enumerate(case.slow)
        ]
        headers = ("subscriber", "messages", "away s", "first one back: frames behind", "its age ms")
        parts.append(table(headers, cells, "the slow ones"))
    return parts

"""`facewire bench soak`: very many frames as fast as they go, and whether memory stays flat and every number arrives.

It films a face once and has a real `facewire run` play it round and round without pause, with a subscriber in another
process. What the publisher counted as lost and what the subscriber missed must be the same; resident memory is read
once a second. It knows nothing of latency.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tracker.bench import footage
from tracker.bench.endurance import Endurance
from tracker.bench.listener import COLUMNS, Listener
from tracker.bench.report import Progress, quiet, table
from tracker.errors import BackendUnavailable, SettingsError

MOST_GROWTH_MB = 5.0
WARM_SECONDS = 60.0
WARM_SHARE = 0.2
"""Of a run too short for a warm minute."""
POINTS = 200
"""Of the curve that is kept."""
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Settings:
    """How long, and on what."""

    clip: Path | None = None
    """A video with a face; the demo's own by default."""
    frames: int = 100_000
    """Frames to track."""
    size: int = 720
    """Rows of the picture, whose sides are as 16:9."""
    faces: int = 1
    """Faces in the picture, 1 to 8."""
    spoil: Literal["leak", "gap", "repeat"] | None = None
    """Spoil the run on purpose, to see that it is noticed: hold on to memory, leave numbers out, send one twice."""

    def __post_init__(self) -> None:
        if self.frames < 10:
            raise SettingsError(f"frames {self.frames}; give 10 or more, such as 100000")
        self.shot()

    def shot(self) -> footage.Shot:
        """What is filmed."""
        return footage.Shot(self.size, 30, self.faces)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of one process, in MB of 10^6 bytes."""

    after_warm_up_mb: float
    end_mb: float
    most_mb: float
    """After the warm-up."""
    curve: list[tuple[float, int, float]]
    """Seconds since the first frame, frames, MB."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the subscriber saw of the sequence."""

    published: int
    """Numbers from the first message it got to the last one published."""
    received: int
    missed: int
    """Gaps."""
    repeated: int
    """Came again, or after a later one."""
    overflows: int
    """Messages for which the publisher counted a full queue: as many at most may be missing."""


@dataclass(frozen=True, slots=True)
class Result:
    """The run, and what is wrong with it."""

    what: str
    frames: int
    seconds: float
    warm_seconds: float
    memory: Memory
    growth_mb: float
    """Of the process that tracks, from the warm-up's end to the run's."""
    numbers: Numbers
    faults: tuple[str, ...]
    """Empty where all is well."""


def resident_mb() -> float:
    """Of this process. Raises BackendUnavailable where the system has no /proc."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError as error:
        raise BackendUnavailable("resident memory is read from /proc, which is not here; run soak on Linux") from error
    import resource

    return pages * resource.getpagesize() / 1e6


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Run it. Raises SourceError for a clip without a face, and what `facewire run` does."""
    from tracker.clients.demo import bundled_clip

    say = progress or quiet
    resident_mb()  # complain now, not in an hour
    say(0, settings.frames, "filming")
    reel = footage.load(settings.clip or Path(bundled_clip()), find_face=settings.faces > 1)
    with tempfile.TemporaryDirectory(prefix="facewire-bench-") as folder, ExitStack() as parts:
        path = Path(folder) / "footage.mp4"
        footage.film(reel, settings.shot(), path)
        running = parts.enter_context(Endurance(path, settings.faces, settings.frames, settings.spoil))
        listener = parts.enter_context(Listener(running.endpoint()))
        listener.wait_until_heard()
        running.go()
        while (done := running.frames_so_far(1.0)) < settings.frames:
            say(done, settings.frames, "frames")
        curve, last_sequence, overflows = running.finish()
        rows, repeated = listener.finish()
    say(settings.frames, settings.frames, "done")
    return judge(settings, curve, numbers_of(rows[:, COLUMNS.index("sequence")], last_sequence, repeated, overflows))


def numbers_of(sequences: np.ndarray, last: int, repeated: int, overflows: int) -> Numbers:
    """Count gaps in `sequences`, int64 [N], as they came, and after them up to `last`, the last one published."""
    if not len(sequences):
        return Numbers(0, 0, 0, repeated, overflows)
    # Where a number comes again, the last one is not the largest.
    published = max(last, int(sequences.max())) - int(sequences.min()) + 1
    return Numbers(published, len(sequences), published - len(np.unique(sequences)), repeated, overflows)


def judge(settings: Settings, curve: np.ndarray, numbers: Numbers) -> Result:
    """Sum up `curve`, float64 [N, 3] of seconds, frames and MB, with the numbers, and name what is wrong."""
    seconds = float(curve[-1, 0])
    warm = min(WARM_SECONDS, WARM_SHARE * seconds)
    later = curve[curve[:, 0] >= warm]
    kept = later[np.unique(np.linspace(0, len(later) - 1, POINTS).round().astype(int))]
    early = curve[curve[:, 0] < warm][:: max(1, round(len(curve) / POINTS))]
    points = [(float(s), int(n), float(mb)) for s, n, mb in (*early, *kept)]
    memory = Memory(float(later[0, 2]), float(later[-1, 2]), float(later[:, 2].max()), points)
    growth_mb, faults = memory.end_mb - memory.after_warm_up_mb, []
    if growth_mb > MOST_GROWTH_MB:
        faults.append(f"memory grew by {growth_mb:.1f} MB after the first {warm:.0f} s; {MOST_GROWTH_MB:g} are allowed")
    if numbers.repeated:
        faults.append(f"{numbers.repeated} frame numbers came again or out of order")
    if numbers.missed > numbers.overflows:
        faults.append(f"{numbers.missed} frame numbers are missing, of which the publisher counted {numbers.overflows}")
    if not numbers.received:
        faults.append("the subscriber got nothing")
    return Result(str(settings.shot()), int(curve[-1, 1]), seconds, warm, memory, growth_mb, numbers, tuple(faults))


def report(result: Result) -> str:
    """Memory over time, the numbers, and a verdict."""
    points = result.memory.curve
    shown = [points[k] for k in sorted({round(k) for k in np.linspace(0, len(points) - 1, 12)})]
    rows = [[f"{seconds:.0f}", frames, f"{mb:.1f}"] for seconds, frames, mb in shown]
    rate = result.frames / result.seconds if result.seconds else 0.0
    title = f"{result.what}: {result.frames} frames in {result.seconds:.0f} s, {rate:.0f} a second"
    numbers = result.numbers
    return "\n".join([
        table(("seconds", "frames", "resident MB"), rows, title),
        f"memory after {result.warm_seconds:.0f} s to the end: {result.growth_mb:+.1f} MB "
        f"(most {result.memory.most_mb:.1f} MB)",
        f"{numbers.published} numbers published, {numbers.received} messages received; {numbers.missed} missing, "
        f"{numbers.overflows} counted by the publisher, {numbers.repeated} again or out of order",
        *(f"FAULT: {fault}" for fault in result.faults or ()), *([] if result.faults else ["no fault"]),
    ])  # fmt: skip


def status(result: Result) -> int:
    """The command's exit code: 1 where something is wrong."""
    return int(bool(result.faults))

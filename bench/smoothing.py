"""`facewire bench smoothing DATA`: jitter against lag, ours beside the filters that others use.

Given the ICT head it renders people who rest, turn, talk and blink on a known score, once to a camera that keeps time
and once to one that does not; looks at them once, unsmoothed; and runs every filter over the same raw fits, at every
setting of its one knob. MediaPipe's own filter is measured as a whole, on the same pictures. Photographs that are
panned, then still, under sensor noise follow; then real clips, whose truth nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.bench import curves
from tracker.bench.rehearsals import Rehearsal
from tracker.bench.repeatability import aside_in
from tracker.bench.report import Progress, quiet, table
from tracker.bench.synthetic import open_stage
from tracker.bench.verdicts import LAGS_MS, WHATS, Result, conclude
from tracker.distill.shelf import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from tracker.errors import SettingsError, SourceError

MOST_PEOPLE = 100
"""Those from this number on were used to fit the filter's constants."""
UNITS = {"landmarks": "px", "pose": "deg", "shapes": "1"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure."""

    data: Path
    """A folder with ICT-FaceKit's in `ict`, photographs in `train/images` and clips in `eval/clips`."""
    teacher: Path
    """The `face_landmarker.task` file: it is the peer, and says where the landmarks lie on that head."""
    cache: Path | None = None
    """Where that is kept; nowhere by default."""
    people: int = 10
    """Rendered people."""
    photographs: int = 6
    """Photographs that are panned."""
    clips: int = 6
    """Real clips."""
    figure: Path | None = None
    """A PNG with all curves."""

    def __post_init__(self) -> None:
        if not 3 <= self.people <= MOST_PEOPLE or self.photographs < 0 or self.clips < 0:
            raise SettingsError(
                f"{self.people} people, {self.photographs} photographs, {self.clips} clips; give 3 to {MOST_PEOPLE} "
                "people, and 0 or more of the others"
            )


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Raises AssetError for a damaged model, BackendUnavailable without MediaPipe, SourceError without the ICT head or
    where no face is found."""
    bench = Rehearsal(settings.teacher, progress or quiet)
    stage = open_stage(settings.data / "ict", settings.teacher, settings.cache)
    bench.rendered(stage, settings.people)
    if not bench.scores:
        raise SourceError("no rendered person was tracked from beginning to end; render more of them")
    bench.three(stage)
    bench.photographs(_some(settings.data / "train/images", IMAGE_SUFFIXES, settings.photographs, aside=True))
    bench.clips(_some(settings.data / "eval/clips", VIDEO_SUFFIXES, settings.clips))
    return conclude(settings.people, bench.scores, bench.blinks)


def draw(result: Result, settings: Settings) -> None:
    """The picture that was asked for. Raises SettingsError where it cannot be written."""
    if settings.figure is not None:
        curves.draw(result, settings.figure)


def _some(folder: Path, suffixes: set[str], count: int, aside: bool = False) -> list[Path]:
    """So many files, evenly over the folder's; none where it is not there. Photographs are of people kept aside."""
    if not count or not folder.is_dir():
        return []
    paths = aside_in(folder, suffixes) if aside else sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes)
    return [paths[k] for k in np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)]


def report(result: Result) -> str:
    """Tables: each part at its settings, then what follows."""
    texts = []
    for part in dict.fromkeys(point.part for point in result.points):
        rows: dict[tuple[str, float | None], list[object]] = {}
        for point in result.points:
            if point.part == part:
                cells = rows.setdefault((point.method, point.setting), [])
                cells += [f"{point.jitter:.4f}", f"{point.lag_ms:.1f}"]
        headers = ["method", "setting", *(f"{what} {unit}" for what in WHATS for unit in (UNITS[what], "ms"))]
        texts.append(table(headers, [[method, "-" if s is None else f"{s:g}", *cells] for (method, s), cells in
                                     rows.items()], f"{part}: jitter at rest, lag in motion"))  # fmt: skip
    ratios: dict[tuple[str, str], list[str]] = {}
    for one in result.advantages:
        cell = f"{one.ratio:.2f} ({one.low:.2f}-{one.high:.2f})"
        ratios.setdefault((one.part, one.what), []).append(cell)
    texts.append(table(
        ["part", "what", *(f"{lag:.0f} ms" for lag in LAGS_MS)],
        [[*key, *cells] for key, cells in ratios.items()],
        "our least jitter by One-Euro's, both at most so much later than the raw fits (95% of bootstraps over people)",
    ))  # fmt: skip
    texts.append(table(
        ["part", "what", "jitter, ours by VIDEO's", "lag ms", "VIDEO's ms"],
        [[one.part, one.what, f"{one.jitter_ratio:.2f} ({one.jitter_low:.2f}-{one.jitter_high:.2f})",
          f"{one.lag_ms:.1f}", f"{one.peer_lag_ms:.1f}"] for one in result.against],
        "our default beside MediaPipe's VIDEO mode, medians",
    ))  # fmt: skip
    blinks = ", ".join(f"{name} {share:.0%}" for name, share in result.blink_kept.items())
    uneven = ", ".join(
        f"{what} {result.irregular_jitter[what]:+.0%} and {result.irregular_lag_ms[what]:+.1f} ms" for what in WHATS
    )
    texts.append(
        f"of a blink of two frames is left: {blinks}\nirregular times, a fifth of the frames dropped: {uneven}"
    )
    return "\n\n".join(texts)

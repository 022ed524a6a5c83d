"""`facewire bench refine DATA`: what looking at the pixels brings, and what it costs.

Given the ICT head it renders people who move and tracks them unsmoothed, with no refining step, with one and with two:
how near the landmarks are, and what the refine stage takes, also hot, beside its bars. Then it puts boxes and a hand
before parts of a face and looks at the confidence of each. Nothing of the people is rendered from our own face model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.bench import covered
from tracker.bench.bars import Bar, bars_table, refine_bars
from tracker.bench.covered import Covered
from tracker.bench.measure import Spread, spread
from tracker.bench.metrics import interocular_px, mean_distance_px
from tracker.bench.report import Progress, quiet, table
from tracker.errors import SettingsError, SourceError
from tracker.face.expression import REGIONS
from tracker.pipeline import Pipeline
from tracker.refine.sharpen import MOST_STEPS, RefineSettings
from tracker.smooth import SmoothSettings
from tracker.source import frame_from_image

HOT_CALLS = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure."""

    data: Path
    """A folder with ICT-FaceKit's in `ict`."""
    teacher: Path
    """The `face_landmarker.task` file; it says once where the landmarks lie on that head."""
    cache: Path | None = None
    """Where that is kept; nowhere by default."""
    sequences: int = 20
    """People."""
    frames: int = 40
    """Frames of each."""
    figure: Path | None = None
    """A PNG of faces with a part covered, by boxes and by a hand."""

    def __post_init__(self) -> None:
        if self.sequences < 1 or self.frames < 2:
            raise SettingsError(f"{self.sequences} sequences of {self.frames} frames; give 1 or more of 2 or more")


@dataclass(frozen=True, slots=True)
class StepsRow:
    """The tracker with so many refining steps."""

    steps: int
    frames: int
    """In which every row has a face."""
    error: float
    """Mean over sequences of the mean 2D distance over 478 points, by the inter-ocular distance."""
    change: float
    """Of that, by the row without steps, less one."""
    best: float
    """The same of the sequence that gains most ..."""
    worst: float
    """... and of the one that gains least."""
    stage: Spread
    """What the whole refine stage takes per frame."""


@dataclass(frozen=True, slots=True)
class Result:
    """All rows."""

    sequences: int
    rows: tuple[StepsRow, ...]
    covered: tuple[Covered, ...]
    bars: tuple[Bar, ...]
    """What the confidence alone and the whole stage take when called again and again."""


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Render and track. Raises SourceError without the head or where no face is found, BackendUnavailable without what
    rendering needs."""
    from tracker.bench.sequences import sequence
    from tracker.bench.synthetic import open_stage

    say = progress or quiet
    ict = Path(settings.data) / "ict"
    if not ict.is_dir():
        raise SourceError(f"{ict} is not a folder; give one that holds ICT-FaceKit's in ict")
    stage = open_stage(ict, settings.teacher, settings.cache)
    say(0, settings.sequences, "covered regions")
    behind = _cover(settings.figure)  # the short part first: a picture that cannot be written then costs nothing
    errors: list[np.ndarray] = []
    nanoseconds: list[list[int]] = [[] for _ in range(MOST_STEPS + 1)]
    for number in range(settings.sequences):
        say(number, settings.sequences, "people who move")
        pipelines = [
            Pipeline(smooth=SmoothSettings(enabled=False), refine=RefineSettings(steps))
            for steps in range(MOST_STEPS + 1)
        ]
        found = []
        for at, face in enumerate(sequence(stage, number, settings.frames)):
            frame, row = frame_from_image(face.picture, at / 30), []
            for pipeline, samples in zip(pipelines, nanoseconds, strict=True):
                seen = pipeline.track(frame)
                row.append(_error(seen[0].landmarks_px, face.landmarks) if seen else np.nan)
                samples.append(pipeline.stage_ns["refine"])
            found.append(row)
        errors.append(np.array(found))
    say(settings.sequences, settings.sequences, "people who move")
    return Result(settings.sequences, _rows(errors, nanoseconds), behind, refine_bars(HOT_CALLS))


def _cover(figure: Path | None) -> tuple[Covered, ...]:
    """What covers a region does to it; with the picture that was asked for."""
    pictures: list[np.ndarray] | None = [] if figure else None
    rows = covered.measure(pictures)
    if figure and pictures:
        from tracker.clients.preview import contact_sheet

        contact_sheet(pictures, figure, columns=2, cell_px=560)
    return rows


def _error(found: np.ndarray, true: np.ndarray) -> float:
    return mean_distance_px(found, true) / interocular_px(true)


def _rows(errors: list[np.ndarray], nanoseconds: list[list[int]]) -> tuple[StepsRow, ...]:
    both = [one[np.isfinite(one).all(1)] for one in errors]
    both = [one for one in both if len(one)]
    if not both:
        raise SourceError("no face is found in any sequence; render more of them")
    mean = np.array([one.mean(0) for one in both])
    change = mean / mean[:, :1] - 1
    overall = mean.mean(0)
    return tuple(
        StepsRow(
            steps, sum(len(one) for one in both), float(overall[steps]), float(overall[steps] / overall[0] - 1),
            float(change[:, steps].min()), float(change[:, steps].max()), spread(nanoseconds[steps]),
        )
        for steps in range(MOST_STEPS + 1)
    )  # fmt: skip


def report(result: Result) -> str:
    """What it brings, what it costs, and what of a covered face keeps its confidence."""
    steps = table(
        ["steps", "frames", "error", "change", "best sequence", "worst", "refine p50 ms", "p99 ms"],
        [[row.steps, row.frames, f"{row.error:.2%}", f"{row.change:+.1%}", f"{row.best:+.1%}", f"{row.worst:+.1%}",
          f"{row.stage.p50_ns / 1e6:.3f}", f"{row.stage.p99_ns / 1e6:.3f}"] for row in result.rows],
        f"{result.sequences} rendered people who move: 478 landmarks by the inter-ocular distance, unsmoothed",
    )  # fmt: skip
    shares, behinds = (
        [[f"{row.region}, {row.by}", *(f"{values[name]:.0%}" for name in REGIONS)] for row, values in
         ((row, getattr(row, field)) for row in result.covered)]
        for field in ("share", "behind")
    )  # fmt: skip
    kept = table(
        ["covered", *REGIONS], shares,
        "confidence of each region with something before one, by that before; boxes blue, noise, white and skin, the "
        "hand of the person's own skin and from either side",
    )  # fmt: skip
    hidden = table(["covered", *REGIONS], behinds, "how much of each region is really behind it")
    return f"{steps}\n\n{bars_table(result.bars)}\n\n{kept}\n\n{hidden}"

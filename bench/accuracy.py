"""`facewire bench accuracy DIR`: agreement with the teacher on clips, truth on AFLW2000-3D, 300-W and rendered faces.

Given a folder it finds the suites in it, asks the teacher (cached), runs our own side through the public API and hands
both to `agreement`, `stills` and `synthetic`. It holds no measure of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.bench import agreement, stills
from tracker.bench.agreement import ClipRow, ClipsResult, TracksFrames
from tracker.bench.answers import VIDEO_SUFFIXES, Oracle, read_image
from tracker.bench.report import percent, table
from tracker.bench.stills import StillsRow
from tracker.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from tracker.bench.synthetic import Sees, SyntheticRow

SYNTHETIC = "synthetic"
SUITES = ("clips", *stills.SUITES, SYNTHETIC)
MAX_FACES = 5
PEER = "MediaPipe"
WORST = 8
Progress = Callable[[int, int, str], None]
# One image (uint8 RGB [H, W, 3]) to the faces in it, each as landmarks [478, 3] and cam_from_head [3, 3].
FindsFaces = Callable[[np.ndarray], Sequence[tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure."""

    data: Path
    """A folder with `clips`, `aflw2000` or `w300` in it, or a folder of clips."""
    teacher: Path
    """The `face_landmarker.task` file."""
    suite: Literal["clips", "aflw2000", "w300", "synthetic", "all"] = "all"
    """`clips`, `aflw2000`, `w300`, `synthetic` or `all` that are there."""
    limit: int | None = None
    """Only the first so many files of each suite, or rendered faces."""
    cache: Path | None = None
    """Where the teacher's answers are kept; nowhere by default."""
    peer: bool = False
    """On clips, also score the peer's VIDEO mode against its own IMAGE mode."""
    ict: Path | None = None
    """ICT-FaceKit's folder, for the synthetic suite; by default `ict` in or beside the data."""


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of both kinds; a suite that was not run is empty."""

    clips: tuple[ClipsResult, ...]
    """Ours, then the peer where asked."""
    stills: dict[str, tuple[StillsRow, ...]]
    """Suite -> ours, then the peer."""
    synthetic: tuple[SyntheticRow, ...] = ()
    """Ours, then the peer."""


def _quiet(done: int, total: int, text: str) -> None:
    """No progress wanted."""


def _suites(settings: Settings) -> dict[str, Path]:
    data = Path(settings.data)
    if settings.suite not in (*SUITES, "all"):
        raise SettingsError(f"suite {settings.suite!r}; valid: {', '.join(SUITES)}, all")
    if settings.limit is not None and settings.limit < 1:
        raise SettingsError(f"limit {settings.limit}; give 1 or more, or leave it out for all files")
    if not data.is_dir():
        raise SourceError(f"{data} is not a folder; give one with clips, aflw2000 or w300 in it, or a folder of clips")
    folders = {name: data / name for name in SUITES if name != SYNTHETIC and (data / name).is_dir()}
    if not folders and _clips_in(data):
        folders = {"clips": data}
    heads = (settings.ict, data / "ict", data.parent / "ict")
    folders |= dict([(SYNTHETIC, place) for place in heads if place is not None and place.exists()][:1])
    chosen = {name: path for name, path in folders.items() if settings.suite in (name, "all")}
    if not chosen:
        wanted = "clips, aflw2000 or w300" if settings.suite == "all" else settings.suite
        if wanted == SYNTHETIC:
            raise SourceError(f"no ICT-FaceKit model at {settings.ict or data / 'ict'}; give its folder with --ict")
        raise SourceError(f"{data} holds no {wanted}; give a folder with {wanted} in it")
    return chosen


def _clips_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)


def measure(
    settings: Settings, progress: Progress | None = None, *, pipeline: TracksFrames | None = None,
    finds: FindsFaces | None = None, sees: Sees | None = None,
) -> Result:  # fmt: skip
    """Run the suites. `pipeline` (clips), `finds` (images) and `sees` (renders) stand in for our own side where given.
    Raises SourceError for a folder without data, AssetError for a wrong model, SettingsError for an unknown suite."""
    suites, say = _suites(settings), progress or _quiet
    clips: tuple[ClipsResult, ...] = ()
    if "clips" in suites:
        paths = _clips_in(suites["clips"])[: settings.limit]
        if not paths:
            raise SourceError(f"{suites['clips']} holds no clip; give a folder of {', '.join(sorted(VIDEO_SUFFIXES))}")
        clips = _measure_clips(settings, paths, pipeline or _our_pipeline(), say)
    rows = {}
    for name in (name for name in suites if name in stills.SUITES):
        rows[name] = _measure_stills(settings, suites[name], finds or our_finder(), say)
    rendered: tuple[SyntheticRow, ...] = ()
    if SYNTHETIC in suites:
        rendered = _measure_synthetic(settings, suites[SYNTHETIC], sees or our_eyes(), say)
    return Result(clips, rows, rendered)


def _our_pipeline() -> TracksFrames:
    from tracker.pipeline import build_pipeline

    return build_pipeline(max_faces=1)


def our_finder(max_faces: int = MAX_FACES) -> FindsFaces:
    """Our side on single images, through the public API."""
    from tracker import Tracker

    tracker = Tracker(max_faces=max_faces)
    return lambda rgb: [(face.landmarks_px, face.rotation) for face in tracker.track(rgb, pts_seconds=None)]


def our_eyes() -> Sees:
    """Our side on rendered faces: every picture alone, through the public API."""
    from tracker import Tracker
    from tracker.bench.synthetic import Seen

    tracker = Tracker(max_faces=MAX_FACES)

    def sees(rgb: np.ndarray) -> list[Seen]:
        faces = tracker.track(rgb, pts_seconds=None)
        return [Seen(face.landmarks_px, face.blendshapes_raw, face.gaze) for face in faces]

    return sees


def _measure_synthetic(settings: Settings, ict: Path, ours: Sees, say: Progress) -> tuple[SyntheticRow, ...]:
    from tracker.bench import synthetic
    from tracker.bench.peers import Landmarker

    stage = synthetic.open_stage(ict, settings.teacher, settings.cache)
    with Landmarker(settings.teacher, max_faces=MAX_FACES) as landmarker:

        def theirs(rgb: np.ndarray) -> list[synthetic.Seen]:
            looks = synthetic.gaze_of_scores
            return [synthetic.Seen(a.landmarks_px, a.scores, looks(a.scores)) for a in landmarker(rgb)]

        return synthetic.measure(stage, {"ours": ours, f"{PEER} IMAGE": theirs}, settings.limit, say)


def _measure_clips(
    settings: Settings, paths: list[Path], pipeline: TracksFrames, say: Progress
) -> tuple[ClipsResult, ...]:
    teacher = Oracle(settings.teacher, settings.cache)
    video = Oracle(settings.teacher, settings.cache, video=True)
    ours: list[ClipRow] = []
    theirs: list[ClipRow] = []
    for number, path in enumerate(paths):
        say(number, len(paths), f"clips: {path.name}")
        answers = teacher(path)
        ours.append(agreement.score_clip(path.name, answers, agreement.track_clip(path, pipeline)))
        if settings.peer:
            theirs.append(agreement.score_clip(path.name, answers, agreement.seen_by_peer(video(path))))
    teacher.close()
    video.close()
    say(len(paths), len(paths), "clips")
    results = [agreement.summarise("ours", ours)]
    if settings.peer:
        results.append(agreement.summarise(f"{PEER} VIDEO", theirs))
    return tuple(results)


def _measure_stills(settings: Settings, folder: Path, finds: FindsFaces, say: Progress) -> tuple[StillsRow, ...]:
    truth = stills.read_truth(folder, folder.name, settings.limit)
    teacher = Oracle(settings.teacher, settings.cache, max_faces=MAX_FACES)
    ours, theirs = [], []
    for number, path in enumerate(truth.images):
        if number % 20 == 0:
            say(number, len(truth.images), f"{folder.name}: {path.name}")
        answers = teacher(path)
        ours.append(list(finds(read_image(path))))
        theirs.append(list(zip(answers.landmarks_px, answers.rotation, strict=True)))
    teacher.close()
    say(len(truth.images), len(truth.images), folder.name)
    our_side, their_side = stills.score_side(truth, ours), stills.score_side(truth, theirs)
    return (
        stills.summarise("ours", truth, our_side, their_side),
        stills.summarise(f"{PEER} IMAGE", truth, their_side, our_side),
    )


def report(result: Result) -> str:
    """Every table of the result."""
    parts = [part for clips in result.clips for part in _report_clips(clips)]
    parts += [part for name, rows in result.stills.items() for part in _report_stills(name, rows)]
    parts += _report_synthetic(result.synthetic)
    return "\n\n".join(parts)


def _clip_cells(row: ClipRow) -> list[object]:
    return [row.name, row.frames, percent(row.found / row.frames, 1), percent(row.nme), row.correlation]


def _report_clips(result: ClipsResult) -> list[str]:
    headers = ("clip", "frames", "found", "of IOD", "shapes r")
    frames = sum(row.frames for row in result.rows)
    mean = ["mean over clips", frames, percent(result.found_share_by_clip, 1), percent(result.nme), result.correlation]
    everything = table(headers, [*map(_clip_cells, result.rows), mean], f"agreement with the teacher: {result.who}")
    pooled = f"found in {percent(result.found_share)} of the {frames} frames in which the teacher finds a face"
    by_error = sorted(result.rows, key=lambda row: -(row.nme if np.isfinite(row.nme) else np.inf))[:WORST]
    moving = [row for row in result.rows if np.isfinite(row.correlation)]
    by_shapes = sorted(moving, key=lambda row: row.correlation)[:WORST]
    shapes = sorted(result.by_shape.items(), key=lambda item: -item[1])
    rows = [(name, result.clips_by_shape[name], r) for name, r in shapes]
    return [
        f"{everything}\n{pooled}",
        table(headers, [*map(_clip_cells, by_error)], f"worst by landmarks: {result.who}"),
        table(headers, [*map(_clip_cells, by_shapes)], f"worst by shapes: {result.who}"),
        table(("shape", "clips", "mean r"), rows, f"shapes that move: {result.who}"),
    ]


def _report_stills(name: str, rows: Sequence[StillsRow]) -> list[str]:
    by = {"aflw2000": "square root of the box", "w300": "outer eye corners"}[name]
    bins = [f"yaw {low}-{high}" for low, high in stills.YAW_BINS_DEG] if rows[0].by_yaw else []
    headers = ("side", "images", "misses", "NME found", "NME both", *bins)
    cells = [
        [row.who, row.images, f"{row.misses} ({percent(row.misses / row.images, 1)})", percent(row.nme_found),
         percent(row.nme_both), *(f"{percent(error)} ({count})" for count, error in row.by_yaw)]
        for row in rows
    ]  # fmt: skip
    parts = [table(headers, cells, f"{name}: mean distance over 68 points by the {by}; both found {rows[0].both}")]
    posed = [(row.who, row.pose) for row in rows if row.pose is not None]
    if posed:
        headers = ("side", "faces", "pitch", "yaw", "roll", "mean", "less offset: pitch", "yaw", "roll", "geodesic")
        cells = [
            [who, pose.count, *pose.mean_absolute, float(np.mean(pose.mean_absolute)), *pose.without_offset,
             pose.geodesic] for who, pose in posed
        ]  # fmt: skip
        parts.append(table(headers, cells, f"{name}: head rotation, mean absolute error in degrees, faces both found"))
    return parts


def _report_synthetic(rows: Sequence[SyntheticRow]) -> list[str]:
    if not rows:
        return []
    from tracker.bench.synthetic import DEAD_BELOW

    peer = rows[-1]
    dead = [name for name, r in peer.by_shape.items() if r < DEAD_BELOW]
    headers = ("side", "faces", "found", "MAE", "mean r", "r of dead", "NME", "gaze deg")
    cells = [
        [row.who, row.faces, row.found, f"{row.mean_absolute:.4f}", row.correlation,
         float(np.mean([row.by_shape[name] for name in dead])) if dead else None, percent(row.nme), row.gaze_deg]
        for row in rows
    ]  # fmt: skip
    about = f"synthetic truth: 51 shapes, 478 points by the square root of the box, gaze; {rows[0].both} both found"
    names = sorted(peer.by_shape, key=lambda name: peer.by_shape[name])
    by_shape = [[name, *(row.by_shape[name] for row in rows), "dead" if name in dead else ""] for name in names]
    sides = [row.who for row in rows]
    blinks = [
        [f"yaw {at[0].yaw_deg}", at[0].faces, *(cell for one in at for cell in (percent(one.accuracy, 1), one.auc))]
        for at in zip(*(row.blinks for row in rows), strict=True)
    ]
    blink_headers = ("blinks", "faces", *(f"{who} {what}" for who in sides for what in ("right", "AUC")))
    return [
        table(headers, cells, f"{about}; the peer's gaze is read from its eyeLook scores"),
        table(("shape", *sides, f"{peer.who} below {DEAD_BELOW}"), by_shape, "synthetic: r with the truth"),
        table(blink_headers, blinks, "synthetic: eyes closed or open, eyeBlink above 0.5"),
    ]

"""`facewire bench accuracy DIR`: agreement with the teacher on clips, truth on AFLW2000-3D, 300-W and rendered faces.

Given a folder it finds the suites in it, asks the teacher (cached), runs our own side through the public API and hands
both to `clips`, `stills`, `synthetic` and `repeatability`. It holds no measure of its own, and `tables` says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.bench import chart, clips, groups, poor_shapes, stills, tables
from tracker.bench.agreement import ClipsResult, Seen, TracksFrames
from tracker.bench.answers import Oracle, read_image
from tracker.bench.appearance import appearance, luma_of
from tracker.bench.clips import Clips
from tracker.bench.groups import Group
from tracker.bench.identity import Identity
from tracker.bench.manifest import Manifest
from tracker.bench.poor_shapes import PoorShapes
from tracker.bench.report import Progress, open_folder, quiet
from tracker.bench.steadiness import Steadiness
from tracker.bench.stills import StillsRow
from tracker.distill.shelf import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from tracker.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from tracker.bench.repeatability import Repeatability
    from tracker.bench.synthetic import Sees, SyntheticRow

SYNTHETIC = "synthetic"
CLIPS, REPEATABILITY = "clips", "repeatability"
SUITES = (CLIPS, *stills.SUITES, SYNTHETIC, REPEATABILITY)
MAX_FACES = 5
PEER = "MediaPipe"
# One image (uint8 RGB [H, W, 3]) to the faces in it, each as landmarks [478, 3] and cam_from_head [3, 3].
FindsFaces = Callable[[np.ndarray], Sequence[tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure."""

    data: Path
    """A folder with `clips`, `aflw2000` or `w300` in it, or a folder of clips."""
    teacher: Path
    """The `face_landmarker.task` file."""
    suite: Literal["clips", "aflw2000", "w300", "synthetic", "repeatability", "all"] = "all"
    """`clips`, `aflw2000`, `w300`, `synthetic` or `all` of these that are there; `repeatability`, only by its name,
    asks the teacher twice about training clips and finds its poor shapes."""
    limit: int | None = None
    """Only the first so many files of each suite, or rendered faces."""
    cache: Path | None = None
    """Where the teacher's answers are kept; nowhere by default."""
    peer: bool = False
    """On clips, also score the peer's VIDEO mode against its own IMAGE mode."""
    ict: Path | None = None
    """ICT-FaceKit's folder, for rendered faces; by default `ict` in or beside the data."""
    figures: Path | None = None
    """A folder for pictures of the shapes and the groups."""


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of both kinds; a suite that was not run is empty."""

    clips: tuple[ClipsResult, ...]
    """Ours, then the peer where asked."""
    stills: dict[str, tuple[StillsRow, ...]]
    """Suite -> ours, then the peer."""
    synthetic: tuple[SyntheticRow, ...] = ()
    """Ours, then the peer."""
    groups: dict[str, tuple[Group, ...]] = field(default_factory=dict)
    """Suite -> its groups."""
    without: tuple[dict[str, float], ...] = ()
    """On clips, per side: shapes left out -> mean r over the others that move."""
    poor: PoorShapes | None = None
    """The shapes known to be poor in the teacher, where the list was computed."""
    steadiness: tuple[Steadiness, ...] = ()
    """On clips: ours, the peer where asked, and the teacher."""
    identity: Identity | None = None
    """On clips, ours."""
    repeatability: Repeatability | None = None


def _suites(settings: Settings) -> dict[str, Path]:
    data = Path(settings.data)
    if settings.suite not in (*SUITES, "all"):
        raise SettingsError(f"suite {settings.suite!r}; valid: {', '.join(SUITES)}, all")
    if settings.limit is not None and settings.limit < 1:
        raise SettingsError(f"limit {settings.limit}; give 1 or more, or leave it out for all files")
    if not data.is_dir():
        raise SourceError(f"{data} is not a folder; give one with clips, aflw2000 or w300 in it, or a folder of clips")
    if settings.suite == REPEATABILITY:
        return {REPEATABILITY: _training_folder(data)}
    folders = {name: data / name for name in (CLIPS, *stills.SUITES) if (data / name).is_dir()}
    if not folders and _clips_in(data):
        folders = {CLIPS: data}
    ict = _ict(settings)
    folders |= {SYNTHETIC: ict} if ict else {}
    chosen = {name: path for name, path in folders.items() if settings.suite in (name, "all")}
    if not chosen:
        wanted = "clips, aflw2000 or w300" if settings.suite == "all" else settings.suite
        if wanted == SYNTHETIC:
            raise SourceError(f"no ICT-FaceKit model at {settings.ict or data / 'ict'}; give its folder with --ict")
        raise SourceError(f"{data} holds no {wanted}; give a folder with {wanted} in it")
    return chosen


def _ict(settings: Settings) -> Path | None:
    data = Path(settings.data)
    places = (settings.ict, data / "ict", data.parent / "ict")
    return next((place for place in places if place is not None and place.exists()), None)


def _training_folder(data: Path) -> Path:
    for folder in (data / "train", data):
        if (folder / "clips").is_dir():
            return folder
    raise SourceError(f"{data} holds no train/clips; give the folder that holds train, since nothing else decides")


def _clips_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)


def measure(
    settings: Settings, progress: Progress | None = None, *, pipeline: TracksFrames | None = None,
    finds: FindsFaces | None = None, sees: Sees | None = None,
) -> Result:  # fmt: skip
    """Run the suites. `pipeline` (clips), `finds` (images) and `sees` (renders) stand in for our own side where given.
    Raises SourceError for a folder without data, AssetError for a wrong model, SettingsError for an unknown suite."""
    suites, say = _suites(settings), progress or quiet
    if settings.figures is not None:
        open_folder(settings.figures)  # better now than after an hour
    told = Clips()
    if CLIPS in suites:
        paths = _clips_in(suites[CLIPS])[: settings.limit]
        if not paths:
            raise SourceError(f"{suites[CLIPS]} holds no clip; give a folder of {', '.join(sorted(VIDEO_SUFFIXES))}")
        told = _measure_clips(settings, paths, pipeline or _our_pipeline(), say)
    rows, by_group = dict[str, tuple[StillsRow, ...]](), {CLIPS: told.groups} if told.groups else {}
    for name in (name for name in suites if name in stills.SUITES):
        rows[name], by_group[name] = _measure_stills(settings, suites[name], finds or our_finder(), say)
    rendered: tuple[SyntheticRow, ...] = ()
    if SYNTHETIC in suites:
        rendered = _measure_synthetic(settings, suites[SYNTHETIC], sees or our_eyes(), say)
    repeated = None
    if REPEATABILITY in suites:
        repeated = _measure_repeatability(settings, suites[REPEATABILITY], _ict(settings), say)
    return Result(
        told.results, rows, rendered, by_group, told.without, poor_shapes.read() if told.results else None,
        told.steadiness, told.identity, repeated,
    )  # fmt: skip


def draw(result: Result, settings: Settings) -> None:
    """The pictures that were asked for. Raises SettingsError where they cannot be written."""
    if settings.figures is not None:
        chart.draw(result, settings.figures)


def _our_pipeline() -> TracksFrames:
    from tracker.pipeline import build_pipeline

    return build_pipeline(max_faces=1)


def our_finder() -> FindsFaces:
    """Our side on single images, through the public API."""
    from tracker import Tracker

    tracker = Tracker(max_faces=MAX_FACES)
    return lambda rgb: [(face.landmarks_px, face.rotation) for face in tracker.track(rgb, pts_seconds=None)]


def our_eyes() -> Sees:
    """Our side on rendered faces: every picture alone, through the public API."""
    from tracker import Tracker
    from tracker.bench import synthetic

    tracker = Tracker(max_faces=MAX_FACES)

    def sees(rgb: np.ndarray) -> list[synthetic.Seen]:
        faces = tracker.track(rgb, pts_seconds=None)
        return [synthetic.Seen(face.landmarks_px, face.blendshapes_raw, face.gaze) for face in faces]

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


def _measure_clips(settings: Settings, paths: list[Path], pipeline: TracksFrames, say: Progress) -> Clips:
    teacher = Oracle(settings.teacher, settings.cache)
    video = Oracle(settings.teacher, settings.cache, video=True)
    poor = poor_shapes.read() or PoorShapes()
    try:
        other = video if settings.peer else None
        return clips.measure(paths, teacher, other, pipeline, poor, f"{PEER} VIDEO", say)
    finally:
        teacher.close()
        video.close()


def _measure_repeatability(settings: Settings, folder: Path, ict: Path | None, say: Progress) -> Repeatability:
    from tracker import Tracker
    from tracker.bench import repeatability
    from tracker.bench.peers import Landmarker

    people = repeatability.training_files(folder / "clips", VIDEO_SUFFIXES)
    chosen, aside = repeatability.sample(people, settings.limit or repeatability.CLIPS)
    photographs = list[Path]()
    if (folder / "images").is_dir():
        photographs = repeatability.aside_in(folder / "images", IMAGE_SUFFIXES)[: settings.limit]
    tracker = Tracker(max_faces=1)
    with Landmarker(settings.teacher) as landmarker:

        def theirs(rgb: np.ndarray) -> list[Seen]:
            return [Seen(answer.landmarks_px, answer.scores) for answer in landmarker(rgb)]

        def ours(rgb: np.ndarray) -> list[Seen]:
            return [Seen(face.landmarks_px, face.blendshapes_raw) for face in tracker.track(rgb, pts_seconds=None)]

        sides = {f"{PEER} IMAGE": theirs, "ours": ours}
        rows = repeatability.of_clips(chosen, aside, sides, say)
        rows += repeatability.of_photographs(photographs, sides, say) if photographs else ()
        by_truth, rendered = dict[str, float](), 0
        if ict is not None:
            pictures = _rendered(settings, ict, say)
            by_truth, rendered = repeatability.of_rendered(pictures, theirs)
    return repeatability.conclude(rows, by_truth, rendered)


def _rendered(settings: Settings, ict: Path, say: Progress) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from tracker.bench import repeatability, synthetic

    stage = synthetic.open_stage(ict, settings.teacher, settings.cache)
    count = settings.limit or repeatability.RENDERED
    for number in range(count):
        if number % 20 == 0:
            say(number, count, "repeatability: rendered faces")
        face = synthetic.portrait(stage, repeatability.FIRST_RENDERED + number)
        yield face.picture, face.scores


def _measure_stills(
    settings: Settings, folder: Path, finds: FindsFaces, say: Progress
) -> tuple[tuple[StillsRow, ...], tuple[Group, ...]]:
    truth, manifest = stills.read_truth(folder, folder.name, settings.limit), Manifest.near(folder)
    teacher = Oracle(settings.teacher, settings.cache, max_faces=MAX_FACES)
    ours, theirs, looks = [], [], []
    for number, path in enumerate(truth.images):
        if number % 20 == 0:
            say(number, len(truth.images), f"{folder.name}: {path.name}")
        answers, rgb = teacher(path), read_image(path)
        ours.append(list(finds(rgb)))
        theirs.append(list(zip(answers.landmarks_px, answers.rotation, strict=True)))
        looks.append(appearance(luma_of(rgb), truth.points_px[number]))
    teacher.close()
    say(len(truth.images), len(truth.images), folder.name)
    our_side, their_side = stills.score_side(truth, ours), stills.score_side(truth, theirs)
    kinds = {
        "noted": groups.noted([manifest(path).notes for path in truth.images]),
        "yaw": groups.binned(np.abs(truth.yaw_deg), groups.YAW_DEG),
        **groups.looks(looks),
    }
    errors = {"ours": our_side.error, f"{PEER} IMAGE": their_side.error}
    told = tuple(group for by, members in kinds.items() for group in groups.split(by, members, errors))
    rows = (
        stills.summarise("ours", truth, our_side, their_side),
        stills.summarise(f"{PEER} IMAGE", truth, their_side, our_side),
    )
    return rows, told


def report(result: Result) -> str:
    """Every table of the result."""
    return "\n\n".join(tables.of(result))

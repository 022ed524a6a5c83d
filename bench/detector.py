"""`facewire bench detector DIR`: which faces are found, by size, and how many faces are seen where there is none.

Given the images of AFLW2000-3D and 300-W it composes frames (`scenes`), and asks the detector alone, then the whole
tracker, whose network has looked at what the detector proposes. A face is found when a box overlaps its box by half.

A frame called faceless is one: from an image that serves as background everything is cut that may be a face. That is
the truth's points, what the teacher finds, and what the face detector in the teacher's bundle sees at a confidence of
0.2 in at least two of many looks: the whole image, padded, upside down, on either side, and overlapping tiles
(`distill.lookout`). An image whose own face the teacher does not find is no background. Our own networks have no say
in it. What the lookout too overlooks (a face in profile at the edge, a doll, a drawing) still stands, and is counted
against us.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.bench.accuracy import MAX_FACES, our_finder
from tracker.bench.answers import Oracle, read_image
from tracker.bench.metrics import MISS_ABOVE, box_of, mean_distance_px, points_68
from tracker.bench.report import Progress, open_folder, percent, quiet, table
from tracker.bench.scenes import Scene, Still, faceless, with_face
from tracker.bench.sightings import Sightings
from tracker.bench.stills import SUITES, read_truth
from tracker.detect.roi import overlap
from tracker.distill.lookout import agreed, besides
from tracker.errors import SettingsError, SourceError

SHARES = ((0.06, 0.12), (0.12, 0.30), (0.30, 0.90))
"""Bins of the face's height over the frame's."""
FOUND_FROM_IOU = 0.5
# One frame (uint8 RGB [H, W, 3]) to boxes [4] of the faces in it.
FindsBoxes = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to compose."""

    data: Path
    """A folder with `aflw2000` or `w300` in it."""
    teacher: Path
    """The `face_landmarker.task` file whose points give the true boxes."""
    frames_per_bin: int = 200
    """Frames with a face, in each bin of size."""
    faceless: int = 1000
    """Frames without a face."""
    cache: Path | None = None
    """Where the teacher's answers are kept; nowhere by default."""
    dump: Path | None = None
    """A folder for pictures of what was missed or wrongly found."""

    def __post_init__(self) -> None:
        for name in ("frames_per_bin", "faceless"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} {getattr(self, name)}; give 1 or more")


@dataclass(frozen=True, slots=True)
class Row:
    """One stage: the detector alone, or the tracker after it."""

    who: str
    recall: tuple[float, ...]
    """Per bin of `SHARES`."""
    false_faces: int
    """In all faceless frames."""
    false_per_1000: float
    """False faces per 1,000 faceless frames."""
    false_by_kind: dict[str, int]
    """Background -> false faces."""


@dataclass(frozen=True, slots=True)
class Result:
    """All stages on the same frames."""

    faces_per_bin: int
    faceless: int
    rows: tuple[Row, ...]


def read_stills(settings: Settings, say: Progress) -> list[Still]:
    """Every image in which the teacher finds the face that the truth marks. Raises SourceError where there is none."""
    stills: list[Still] = []
    teacher = Oracle(settings.teacher, settings.cache, max_faces=MAX_FACES)
    sightings = Sightings(settings.teacher, settings.cache)
    for name in (name for name in SUITES if (Path(settings.data) / name).is_dir()):
        truth = read_truth(Path(settings.data) / name, name)
        for index, path in enumerate(truth.images):
            if index % 50 == 0:
                say(index, len(truth.images), f"teacher: {name}")
            meshes = teacher(path).landmarks_px
            errors = [mean_distance_px(points_68(mesh), truth.points_px[index]) for mesh in meshes]
            if errors and min(errors) < MISS_ABOVE * truth.scale_px[index]:
                boxes, best, rgb = [box_of(mesh) for mesh in meshes], int(np.argmin(errors)), read_image(path)
                known = list(boxes)
                known[best] = box_of(np.concatenate([meshes[best][:, :2], truth.points_px[index]]))
                cut = besides(np.array(known), agreed(sightings(path, rgb)))
                stills.append(Still(rgb, boxes[best], tuple(cut)))
    teacher.close()
    sightings.close()
    if not stills:
        raise SourceError(f"{settings.data} holds no image with a face; give a folder with aflw2000 or w300 in it")
    return stills


def our_stages() -> dict[str, FindsBoxes]:
    """The detector at one look, with its tiles, and the whole tracker, by what each row is called."""
    from tracker.detect.detector import Detector
    from tracker.kernels.backend import choose
    from tracker.source import frame_from_image

    detector, finds = Detector(choose().crop_luma), our_finder()
    return {
        "detector, one look": lambda rgb: [d.roi.box_px() for d in detector(frame_from_image(rgb, None))],
        "detector, with tiles": lambda rgb: [d.roi.box_px() for d in detector.thorough(frame_from_image(rgb, None))],
        "after the check": lambda rgb: [box_of(landmarks) for landmarks, _ in finds(rgb)],
    }


class _Tally:
    """Counts for one stage."""

    def __init__(self, who: str, finds: FindsBoxes) -> None:
        self.who, self.finds = who, finds
        self.found = [0] * len(SHARES)
        self.false_by_kind: Counter[str] = Counter()

    def see_face(self, scene: Scene, which: int) -> bool:
        """Look at a frame with a face; was it found?"""
        assert scene.box_px is not None
        found = any(overlap(box, scene.box_px) >= FOUND_FROM_IOU for box in self.finds(scene.rgb))
        self.found[which] += found
        return found

    def see_nothing(self, scene: Scene) -> int:
        """Look at a frame without a face; how many were seen?"""
        false = len(self.finds(scene.rgb))
        self.false_by_kind[scene.kind] += false
        return false

    def row(self, per_bin: int, frames: int) -> Row:
        """Sum up."""
        false = self.false_by_kind.total()
        return Row(
            self.who, tuple(count / per_bin for count in self.found), false, false / frames * 1000,
            {kind: count for kind, count in sorted(self.false_by_kind.items()) if count},
        )  # fmt: skip


def measure(
    settings: Settings, progress: Progress | None = None, *, stages: dict[str, FindsBoxes] | None = None
) -> Result:
    """Compose the frames and look at them with every stage; the same seed, so always the same frames. `stages` stand
    in for ours where given, the last of them being the one that counts. Raises SourceError for a folder without data,
    SettingsError where `dump` cannot be written to."""
    say = progress or quiet
    if settings.dump is not None:
        open_folder(settings.dump)
    tallies = [_Tally(who, finds) for who, finds in (stages or our_stages()).items()]
    stills = read_stills(settings, say)
    rng = np.random.default_rng(20)
    for which, (low, high) in enumerate(SHARES):
        for index in range(settings.frames_per_bin):
            if index % 20 == 0:
                say(index, settings.frames_per_bin, f"faces of {low:.0%} to {high:.0%}")
            share = float(np.exp(rng.uniform(np.log(low), np.log(high))))
            scene = with_face(rng, stills[int(rng.integers(len(stills)))], share, stills)
            missed = [tally.who for tally in tallies if not tally.see_face(scene, which)]
            _dump(settings.dump, scene, f"missed-{low * 100:.0f}-{index:04d}", missed)
    for index in range(settings.faceless):
        if index % 20 == 0:
            say(index, settings.faceless, "frames without a face")
        scene = faceless(rng, stills)
        wrong = [tally.who for tally in tallies if tally.see_nothing(scene)]
        _dump(settings.dump, scene, f"false-{index:04d}", wrong)
    rows = tuple(tally.row(settings.frames_per_bin, settings.faceless) for tally in tallies)
    return Result(settings.frames_per_bin, settings.faceless, rows)


def _dump(folder: Path | None, scene: Scene, name: str, failed: list[str]) -> None:
    """A picture of what went wrong, named by the last stage it did in; nothing where none did or nobody asked."""
    if folder is None or not failed:
        return
    import cv2

    picture = scene.rgb.copy()
    if scene.box_px is not None:
        x0, y0, x1, y1 = (round(float(value)) for value in scene.box_px)
        cv2.rectangle(picture, (x0, y0), (x1, y1), (0, 255, 0), 2)
    stage = failed[-1].replace(" ", "-").replace(",", "")
    cv2.imwrite(str(folder / f"{name}-{stage}.jpg"), picture[:, :, ::-1])


def report(result: Result) -> str:
    """One row a stage."""
    bins = [f"{low:.0%}-{high:.0%}" for low, high in SHARES]
    rows = [
        [row.who, *(percent(share, 1) for share in row.recall), row.false_faces, f"{row.false_per_1000:.1f}",
         " ".join(f"{kind} {count}" for kind, count in row.false_by_kind.items()) or "-"]
        for row in result.rows
    ]  # fmt: skip
    title = (
        f"recall at IoU {FOUND_FROM_IOU} by the face's share of the frame's height ({result.faces_per_bin} frames a "
        f"bin); false faces in {result.faceless} frames without one"
    )
    return table(("stage", *bins, "false", "per 1,000", "on"), rows, title)

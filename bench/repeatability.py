"""How far a side agrees with itself: a frame, and the same turned by 2 degrees, at 0.95 of its size and with noise.

Given training clips it asks every side about both copies of the same frames, each alone. What the teacher does not say
twice nobody can learn from it: shapes that it does not repeat are listed as unsteady, and shapes that it does not
move with the truth of rendered faces as dead. Both lists are the teacher's; ours is measured on people kept aside from
training and has no say in them. It reads nothing of the folders kept for reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.bench.agreement import Seen, nearest
from tracker.bench.answers import read_image, timed_frames
from tracker.bench.manifest import Manifest
from tracker.bench.metrics import correlation, interocular_px, mean, mean_distance_px, moving
from tracker.bench.report import Progress
from tracker.distill.corpus import is_validation
from tracker.errors import SourceError
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES, MIRROR

SUITE = "repeatability"
TURN_DEG, SCALE, NOISE = 2.0, 0.95, 3.0
CLIPS, FRAMES = 60, 40
"""Clips, each of another person as long as there are, and frames of each, evenly over it."""
FEWEST_FRAMES = 10
"""A clip in which a side is found in fewer says nothing of shapes that move."""
UNSTEADY_BELOW = 0.7
"""The customary bound of a test that is taken twice: below it about half of a score's variance, or less, comes back."""
FEWEST_CLIPS = 5
"""A shape that moves in fewer is not judged."""
_E = len(ARKIT_NAMES)
Sees = Callable[[np.ndarray], Sequence[Seen]]
"""One picture (uint8 RGB [H, W, 3]) to the faces in it."""
RENDERED = 300
FIRST_RENDERED = 1_000_000
"""Rendered faces for the list of dead shapes have numbers of their own: none is in the synthetic suite."""


@dataclass(frozen=True, slots=True, eq=False)
class Twice:
    """One side on both copies of one clip's frames: N frames in which it found the same face in both."""

    scores: np.ndarray
    """float64 [N, 52], of the frame as it is."""
    again: np.ndarray
    """float64 [N, 52], of the copy."""
    distance: np.ndarray
    """float64 [N]: mean 2D distance over 478 points by the inter-ocular distance, the turn undone."""


@dataclass(frozen=True, slots=True)
class Row:
    """One side on a number of people."""

    who: str
    people: str
    """Whose clips."""
    clips: int
    frames: int
    nme: float
    """Mean over clips of the distance between the two answers by the inter-ocular distance."""
    correlation: float
    """Mean over clips of the mean over the shapes that move, by the teacher, of r between the two answers."""
    by_shape: dict[str, float]
    """Shape -> mean r over the clips it moves in."""
    clips_by_shape: dict[str, int]


@dataclass(frozen=True, slots=True)
class Repeatability:
    """All sides, and what follows for the teacher's shapes."""

    rows: tuple[Row, ...]
    """The teacher on all clips, both sides on those of people kept aside, and on photographs of such."""
    unsteady: tuple[str, ...]
    unsteady_below: float
    fewest_clips: int
    dead: tuple[str, ...]
    """Empty where no faces were rendered."""
    dead_below: float
    """Two standard errors of r where there is none."""
    by_truth: dict[str, float]
    """Shape -> the teacher's r with the coefficients that faces were rendered with."""
    rendered: int
    """Rendered faces in which the teacher found one."""


def disturbed(rgb: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The copy of a picture uint8 [H, W, 3], and the float64 [2, 3] that takes its points (first pixel's centre at
    0.5, 0.5) to the copy's."""
    import cv2

    height, width = rgb.shape[:2]
    # OpenCV counts from the first pixel's centre.
    between = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), TURN_DEG, SCALE)
    turned = cv2.warpAffine(rgb, between, (width, height), borderMode=cv2.BORDER_REPLICATE)
    noisy = np.rint(turned + rng.normal(0, NOISE, turned.shape)).clip(0, 255).astype(np.uint8)
    return noisy, cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEG, SCALE)


def look_twice(frames: Sequence[np.ndarray], sees: Sees) -> Twice:
    """Ask about every frame and its copy; the noise is the same for every side."""
    rng = np.random.default_rng(0)
    scores, again, distance = [], [], []
    for rgb in frames:
        copy, warp = disturbed(rgb, rng)
        first = next(iter(sees(rgb)), None)
        if first is None:
            continue
        moved = first.landmarks_px[:, :2].astype(np.float64) @ warp[:, :2].T + warp[:, 2]
        second = nearest(sees(copy), moved)
        if second is not None:
            scores.append(first.scores)
            again.append(second.scores)
            distance.append(mean_distance_px(second.landmarks_px, moved) / interocular_px(moved))
    return Twice(
        np.array(scores, np.float64).reshape(-1, _E), np.array(again, np.float64).reshape(-1, _E), np.array(distance)
    )


def own_r(clip: Twice, moves: np.ndarray) -> np.ndarray:
    """float64 [52]: r of the scores with themselves; NaN where `moves` [52] is not set or frames are too few."""
    r = np.full(_E, np.nan)
    if len(clip.scores) >= FEWEST_FRAMES:
        # A side that holds a shape still while the teacher's moves repeats nothing of it.
        r[moves] = np.nan_to_num(correlation(clip.again, clip.scores)[moves])
    return r


def summarise(who: str, people: str, clips: Sequence[Twice], moves: Sequence[np.ndarray]) -> Row:
    """Means over clips; `moves` [52] per clip are the shapes that the teacher moves in it."""
    r = np.array([own_r(clip, which) for clip, which in zip(clips, moves, strict=True)]).reshape(-1, _E)
    counts = np.isfinite(r).sum(0)
    shapes = [(name, index) for index, name in enumerate(ARKIT_NAMES) if counts[index]]
    errors = [float(clip.distance.mean()) for clip in clips if len(clip.distance)]
    return Row(
        who, people, len(errors), sum(len(clip.distance) for clip in clips),
        mean(errors), mean(np.nanmean(one) for one in r if np.isfinite(one).any()),
        {name: float(np.nanmean(r[:, index])) for name, index in shapes},
        {name: int(counts[index]) for name, index in shapes},
    )  # fmt: skip


def unsteady(teacher: Row) -> tuple[str, ...]:
    """Shapes that the teacher does not repeat, of those that move in clips enough, in ARKit's order."""
    judged = (name for name in ARKIT_NAMES if teacher.clips_by_shape.get(name, 0) >= FEWEST_CLIPS)
    return tuple(name for name in judged if teacher.by_shape[name] < UNSTEADY_BELOW)


def dead(by_truth: dict[str, float], faces: int) -> tuple[str, ...]:
    """Shapes whose r with the truth is not told from 0 at two standard errors. Left and right are the same shape seen
    in a mirror: the mean of their r decides for both."""
    sides = {name: by_truth.get(ARKIT_NAMES[MIRROR[ARKIT_INDEX[name]]], r) for name, r in by_truth.items()}
    return tuple(name for name, r in by_truth.items() if not (r + sides[name]) / 2 > dead_below(faces))


def dead_below(faces: int) -> float:
    """Two standard errors of Pearson's r over so many faces where there is no correlation."""
    return float(2 / np.sqrt(faces)) if faces else float("nan")


def training_files(folder: Path, suffixes: set[str]) -> dict[str, list[Path]]:
    """Person -> files of the training split, sorted. Raises SourceError where the folder holds none."""
    manifest, people = Manifest.near(folder), dict[str, list[Path]]()
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes):
        entry = manifest(path)
        if entry.split in ("train", ""):
            people.setdefault(entry.person, []).append(path)
    if not people:
        raise SourceError(f"{folder} holds nothing of the training split; give the folder with train/clips in it")
    return people


def sample(people: dict[str, list[Path]], count: int = CLIPS) -> tuple[list[Path], list[Path]]:
    """One clip each of so many people, those kept aside first; and all clips of those."""
    names = list(people)
    order = [names[k] for k in np.random.default_rng(0).permutation(len(names))]
    order = sorted(order, key=lambda person: not is_validation(person))[:count]
    aside = [path for person in order if is_validation(person) for path in people[person]]
    return [people[person][0] for person in order], aside


def aside_in(folder: Path, suffixes: set[str]) -> list[Path]:
    """All training files of people kept aside. Raises SourceError as `training_files` does."""
    people = training_files(folder, suffixes)
    return [path for person, paths in people.items() if is_validation(person) for path in paths]


def frames_of(path: Path, count: int = FRAMES) -> list[np.ndarray]:
    """At most so many frames of a clip, evenly over it."""
    total = sum(1 for _ in timed_frames(path))
    chosen = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    return list(_some(path, chosen))


def _some(path: Path, chosen: set[int]) -> Iterator[np.ndarray]:
    for index, (rgb, _) in enumerate(timed_frames(path)):
        if index in chosen:
            yield rgb


def of_clips(clips: Sequence[Path], aside: Sequence[Path], sides: Mapping[str, Sees], say: Progress) -> tuple[Row, ...]:
    """The first side, the teacher, on all clips; then every side on the clips of people kept aside."""
    teacher = next(iter(sides))
    answers: dict[tuple[str, Path], Twice] = {}
    every = [*clips, *(path for path in aside if path not in clips)]
    for number, path in enumerate(every):
        say(number, len(every), f"{SUITE}: {path.name}")
        frames = frames_of(path)
        for who, sees in sides.items():
            if who == teacher or path in aside:
                answers[who, path] = look_twice(frames, sees)
    say(len(every), len(every), SUITE)
    moves = {path: moving(answers[teacher, path].scores) for path in every}

    def row(who: str, people: str, paths: Sequence[Path]) -> Row:
        return summarise(who, people, [answers[who, path] for path in paths], [moves[path] for path in paths])

    return row(teacher, "clips", clips), *(row(who, "clips, kept aside", aside) for who in sides)


def of_photographs(paths: Sequence[Path], sides: Mapping[str, Sees], say: Progress) -> tuple[Row, ...]:
    """Every side on photographs of people kept aside; r is over all of them at once."""
    pictures = [read_image(path) for path in paths]
    say(0, 1, f"{SUITE}: photographs")
    twice = {who: look_twice(pictures, sees) for who, sees in sides.items()}
    moves = moving(next(iter(twice.values())).scores)
    return tuple(summarise(who, "photographs, kept aside", [one], [moves]) for who, one in twice.items())


def of_rendered(pictures: Iterable[tuple[np.ndarray, np.ndarray]], teacher: Sees) -> tuple[dict[str, float], int]:
    """Shape -> the teacher's r with the coefficients [52] that each picture was rendered with, and the faces found."""
    said, true = [], []
    for rgb, weights in pictures:
        seen = next(iter(teacher(rgb)), None)
        if seen is not None:
            said.append(seen.scores)
            true.append(weights)
    r = correlation(np.array(said).reshape(-1, _E), np.array(true).reshape(-1, _E))
    shapes = (k for k, name in enumerate(ARKIT_NAMES) if np.isfinite(r[k]) and name != "tongueOut")
    return {ARKIT_NAMES[k]: float(r[k]) for k in shapes}, len(said)


def conclude(rows: Sequence[Row], by_truth: dict[str, float], rendered: int) -> Repeatability:
    """The lists, from the first row, the teacher's on all clips, and from its r with the truth."""
    return Repeatability(
        tuple(rows), unsteady(rows[0]), UNSTEADY_BELOW, FEWEST_CLIPS, dead(by_truth, rendered), dead_below(rendered),
        by_truth, rendered,
    )  # fmt: skip

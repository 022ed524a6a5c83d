"""Accuracy on synthetic truth: rendered faces whose coefficients, landmarks and gaze are known exactly.

Given the ICT head it renders people and backgrounds that training never draws, at any place and size in a frame, and
scores what one side says about the same pictures: coefficients shape by shape, landmarks, gaze, and blinks at several
yaws. It does not know which side is which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tracker.bench.metrics import MISS_ABOVE, box_scale_px, correlation, mean, mean_distance_px
from tracker.bench.report import Progress, quiet
from tracker.distill import acting
from tracker.distill.bust import rotation_of
from tracker.distill.correspond import points_of
from tracker.distill.ict import Ict, looking
from tracker.distill.portrait import Studio
from tracker.distill.synthesize import FACE_MM, Face, Stage, painted
from tracker.errors import SourceError
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES

SUITE = "synthetic"
WIDTH_PX, HEIGHT_PX = 640, 480
FACE_PX = (70.0, 330.0)
COUNT = 300
"""Faces of the main part, unless a limit is set."""
BLINK_YAWS_DEG = (0, 20, 40)
BLINKS_PER_YAW = 60
BLINK_AT = 0.5
# A shape that one side leaves dead says nothing about the truth.
DEAD_BELOW = 0.2
ALIVE_ABOVE = 0.7
# Training seeds its people (seed, number) with small seeds; these are others.
SEED = 7_340_033
_SHAPES = [index for index, name in enumerate(ARKIT_NAMES) if name != "tongueOut"]
_BLINKS = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a side says about one face."""

    landmarks_px: np.ndarray
    """float [478, 2 or 3]."""
    scores: np.ndarray
    """float [52]."""
    gaze: np.ndarray
    """float [2, 3]: unit vectors in head space, left first."""


@dataclass(frozen=True, slots=True)
class Blinks:
    """How well open eyes are told from closed ones at one yaw, by the mean of the two eyeBlink scores. Every person is
    shown twice, with closed eyes and with open, and nothing else differs."""

    yaw_deg: int
    faces: int
    """Of which half have their eyes closed; a face that is not found counts as wrong, and as open."""
    accuracy: float
    """At a threshold of 0.5."""
    auc: float
    """Area under the ROC curve, over all thresholds."""
    best: float
    """Accuracy at the side's own best threshold."""
    threshold: float
    """That threshold."""
    separation: float
    """Mean over pairs of the score with closed eyes less that with open ones, of the same person in the same pose,
    where both are found; NaN without."""


@dataclass(frozen=True, slots=True)
class SyntheticRow:
    """One side. All but `found` and the blinks is over the faces both sides found."""

    who: str
    faces: int
    found: int
    both: int
    mean_absolute: float
    """Error of a coefficient over the 51 shapes that both sides have."""
    correlation: float
    """Mean over shapes of r with the truth."""
    by_shape: dict[str, float]
    error_by_shape: dict[str, float]
    """Mean absolute error."""
    nme: float
    """Mean 2D distance over the 478 points by the square root of their box's area."""
    gaze_deg: float
    """Mean angle between found and true gaze over both eyes."""
    blinks: tuple[Blinks, ...]


Sees = Callable[[np.ndarray], Sequence[Seen]]
"""One picture (uint8 RGB [H, W, 3]) to the faces in it."""


def open_stage(ict: Path, teacher: Path, cache: Path | None) -> Stage:
    """The held-out stage; it has no photographs. The 478 points are kept in `cache`, where one is given."""
    studio = Studio(Ict.load(ict))
    with TemporaryDirectory() as elsewhere:
        points = points_of(cache or Path(elsewhere), studio, teacher, lambda _: None)
    return Stage(studio, points, np.zeros((0, 8, 8, 3), np.uint8))


def portrait(stage: Stage, number: int, yaw_deg: float | None = None, closed: bool | None = None) -> Face:
    """Held-out face `number`, nothing before it; at a yaw and with closed or open eyes where asked."""
    rng = np.random.default_rng((SEED, number))
    while True:
        person = replace(stage.studio.person(rng), masked=False)
        weights = acting.expression(rng)
        pitch, yaw, roll = np.clip(rng.normal(0, [9, 20, 8]), [-25, -50, -25], [25, 50, 25])
        if yaw_deg is not None:
            yaw = yaw_deg * rng.choice([-1, 1])
        if closed is not None:
            weights[_BLINKS] = rng.uniform(0.85, 1.0) if closed else rng.uniform(0, 0.15)
        rotation = rotation_of(*np.radians([pitch, yaw, roll]))
        camera = Camera.from_fov(WIDTH_PX, HEIGHT_PX)
        size = float(np.exp(rng.uniform(*np.log(FACE_PX))))
        depth = camera.fy * FACE_MM / size
        spare = np.maximum((np.array([WIDTH_PX, HEIGHT_PX]) - 1.3 * size) / 2, 0)
        aside = rng.uniform(-1, 1, 2) * spare / camera.fy * depth
        at = np.array([aside[0], aside[1] - 0.15 * FACE_MM, depth])
        moment = stage.studio.ict.act(person.neutral_mm, weights)
        face = stage.show(person, moment, rotation, at, camera, painted(WIDTH_PX, HEIGHT_PX, rng), rng)
        if not face.occluded:
            return replace(face, scores=weights)


def _nearest(face: Face, seen: Sequence[Seen]) -> Seen | None:
    scale = box_scale_px(face.landmarks)
    scored = [(mean_distance_px(one.landmarks_px, face.landmarks) / scale, index) for index, one in enumerate(seen)]
    error, index = min(scored, default=(np.inf, -1))
    return seen[index] if error <= MISS_ABOVE else None


def measure(
    stage: Stage, sides: dict[str, Sees], limit: int | None = None,
    say: Progress = quiet,
) -> tuple[SyntheticRow, ...]:  # fmt: skip
    """Render and ask every side about each picture. Raises SourceError where no face is found by all."""
    count, blinks = limit or COUNT, min(limit or BLINKS_PER_YAW, BLINKS_PER_YAW)
    blinks -= blinks % 2
    plans: list[tuple[int, float | None, bool | None]] = [(number, None, None) for number in range(count)]
    # A number is a person in a pose: first with closed eyes, then with open ones.
    plans += [
        (count + (at * blinks + k) // 2, yaw, k % 2 == 0)
        for at, yaw in enumerate(BLINK_YAWS_DEG)
        for k in range(blinks)
    ]
    truth: list[Face] = []
    found: dict[str, list[Seen | None]] = {who: [] for who in sides}
    for done, (number, yaw, closed) in enumerate(plans):
        if done % 20 == 0:
            say(done, len(plans), SUITE)
        face = portrait(stage, number, yaw, closed)
        for who, sees in sides.items():
            found[who].append(_nearest(face, sees(face.picture)))
        truth.append(replace(face, picture=face.picture[:0]))
    say(len(plans), len(plans), SUITE)
    both = [k for k in range(count) if all(answers[k] is not None for answers in found.values())]
    if not both:
        raise SourceError(f"no face of {count} is found by {' and '.join(sides)}; render more with a higher limit")
    return tuple(_score(who, truth, answers, both, count) for who, answers in found.items())


def _score(who: str, truth: list[Face], answers: list[Seen | None], both: list[int], count: int) -> SyntheticRow:
    seen = [one for k in both if (one := answers[k]) is not None]
    faces = [truth[k] for k in both]
    said, true = (np.array([one.scores for one in side])[:, _SHAPES] for side in (seen, faces))
    errors = [mean_distance_px(s.landmarks_px, f.landmarks) / box_scale_px(f.landmarks)
              for s, f in zip(seen, faces, strict=True)]  # fmt: skip
    along = [np.clip((s.gaze * f.gaze).sum(1), -1, 1) for s, f in zip(seen, faces, strict=True)]
    r = correlation(said, true)
    per_yaw = (len(truth) - count) // len(BLINK_YAWS_DEG)
    blinks = [
        _blinks(yaw, truth[start : start + per_yaw], answers[start : start + per_yaw])
        for number, yaw in enumerate(BLINK_YAWS_DEG) for start in [count + number * per_yaw]
    ]  # fmt: skip
    return SyntheticRow(
        who, count, sum(one is not None for one in answers[:count]), len(both),
        float(np.abs(said - true).mean()), mean(r),
        {ARKIT_NAMES[shape]: float(value) for shape, value in zip(_SHAPES, r, strict=True)},
        {ARKIT_NAMES[shape]: float(value) for shape, value in zip(_SHAPES, np.abs(said - true).mean(0), strict=True)},
        float(np.mean(errors)), float(np.degrees(np.arccos(along)).mean()), tuple(blinks),
    )  # fmt: skip


def _blinks(yaw_deg: int, truth: list[Face], answers: list[Seen | None]) -> Blinks:
    closed = np.array([face.scores[_BLINKS].mean() > BLINK_AT for face in truth], bool)
    score = np.array([0.0 if one is None else one.scores[_BLINKS].mean() for one in answers])
    missed = np.array([one is None for one in answers], bool)
    right = ((score > BLINK_AT) == closed) & ~missed
    best, threshold = best_threshold(score, closed, missed)
    pairs = [k for k in range(0, len(truth) - 1, 2) if not missed[k : k + 2].any()]
    apart = [float(score[k] - score[k + 1]) for k in pairs]
    return Blinks(yaw_deg, len(truth), mean(right), area_under_roc(score, closed), best, threshold, mean(apart))


def best_threshold(score: np.ndarray, closed: np.ndarray, missed: np.ndarray) -> tuple[float, float]:
    """The accuracy at the threshold that is best for these scores, and the threshold; what is missed is wrong at any.
    NaN without faces."""
    if not len(score):
        return float("nan"), float("nan")
    edges = np.unique(np.concatenate([[0.0, 1.0], score]))
    tried = (edges[:-1] + edges[1:]) / 2
    right = [float((((score > at) == closed) & ~missed).mean()) for at in tried]
    return max(right), float(tried[int(np.argmax(right))])


def area_under_roc(score: np.ndarray, positive: np.ndarray) -> float:
    """The share of pairs, one positive and one not, whose scores are in order; ties count half. NaN without pairs."""
    above = score[positive][:, None] - score[~positive][None]
    return float((above > 0).mean() + 0.5 * (above == 0).mean()) if above.size else float("nan")


def gaze_of_scores(scores: np.ndarray) -> np.ndarray:
    """For a side without gaze of its own: what its eyeLook scores come to, float64 [2, 3]."""
    return looking(scores)

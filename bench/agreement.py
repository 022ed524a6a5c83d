"""Agreement with the teacher on clips: found, landmarks, and shapes that move together.

Given a clip's answers by the teacher (IMAGE mode, every frame, one face) and what a tracker says of the same frames in
order, it makes one row a clip and means over clips. Ours or the peer, it does not know whose track it scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tracker.bench.answers import Answers
from tracker.bench.metrics import MISS_ABOVE, correlation, interocular_px, mean, mean_distance_px, moving
from tracker.face.expression import ARKIT_NAMES
from tracker.face.parameters import TrackState
from tracker.source.frame import Frame


class FaceLike(Protocol):
    """What is read of a `Face`."""

    @property
    def landmarks_px(self) -> np.ndarray:
        """[478, 3]."""

    @property
    def blendshapes_raw(self) -> np.ndarray:
        """[52]."""

    @property
    def identity(self) -> np.ndarray:
        """[I]."""

    @property
    def state(self) -> TrackState:
        """A lost track is not counted as found."""


class TracksFrames(Protocol):
    """What a clip is tracked with: our pipeline, or anything that answers like it."""

    def track(self, frame: Frame) -> Sequence[FaceLike]:
        """The faces of one frame, in order."""

    def reset(self) -> None:
        """Forget the clip before."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a tracker says of one face in one frame."""

    landmarks_px: np.ndarray
    """[478, 2 or 3]."""
    scores: np.ndarray
    """[52], of this frame alone."""
    identity: np.ndarray | None = None
    """[I], of a side that has one."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipRow:
    """One clip."""

    name: str
    frames: int
    """Frames in which the teacher finds a face."""
    found: int
    """Of those, the ones in which the tracker has a face within half an inter-ocular distance."""
    nme: float
    """Mean over found frames of the mean 2D distance over 478 points by the inter-ocular distance; NaN if none."""
    correlation: float
    """Mean over moving shapes of Pearson's r over found frames; NaN where no shape moves."""
    by_shape: np.ndarray
    """float64 [52]: r per shape, NaN where the shape does not move."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipsResult:
    """All clips."""

    who: str
    """`ours`, or the peer's name."""
    rows: tuple[ClipRow, ...]
    found_share: float
    """Found frames by the teacher's frames, all clips pooled."""
    found_share_by_clip: float
    """Mean over clips of the clip's share."""
    nme: float
    """Mean over clips."""
    correlation: float
    """Mean over clips in which a shape moves."""
    by_shape: dict[str, float]
    """Shape -> mean r over the clips it moves in; shapes that never move are left out."""
    clips_by_shape: dict[str, int]
    """Shape -> the clips it moves in."""


def nearest(seen: Sequence[Seen], truth_px: np.ndarray) -> Seen | None:
    """The face nearest to the teacher's, or None where none is within `MISS_ABOVE` of the inter-ocular distance."""
    if not seen:
        return None
    best = min(seen, key=lambda face: mean_distance_px(face.landmarks_px, truth_px))
    error = mean_distance_px(best.landmarks_px, truth_px) / interocular_px(truth_px)
    return best if error <= MISS_ABOVE else None


def matched(answers: Answers, seen: Sequence[Sequence[Seen]]) -> list[Seen | None]:
    """The tracker's face for every face of the teacher's; None where not found, or where ours has a frame too few."""
    return [
        nearest(seen[index], landmarks) if index < len(seen) else None
        for landmarks, index in zip(answers.landmarks_px, answers.frame, strict=True)
    ]


def errors_of(answers: Answers, faces: Sequence[Seen | None]) -> np.ndarray:
    """float64 [F]: mean 2D distance over 478 points by the inter-ocular distance; NaN where not found."""
    return np.array([
        np.nan if face is None else mean_distance_px(face.landmarks_px, landmarks) / interocular_px(landmarks)
        for face, landmarks in zip(faces, answers.landmarks_px, strict=True)
    ], np.float64)  # fmt: skip


def score_clip(name: str, answers: Answers, seen: Sequence[Sequence[Seen]]) -> ClipRow:
    """One row from the teacher's answers and the tracker's faces, one list a frame; a frame too few is not found."""
    faces = matched(answers, seen)
    errors = errors_of(answers, faces)
    errors = errors[np.isfinite(errors)]
    ours = [face.scores for face in faces if face is not None]
    theirs = [scores for face, scores in zip(faces, answers.scores, strict=True) if face is not None]
    moves = moving(answers.scores)
    by_shape = np.full(len(ARKIT_NAMES), np.nan)
    if moves.any():
        # A clip that is never found, or whose teacher stands still where it is found, agrees in nothing.
        r = correlation(np.array(ours), np.array(theirs)) if len(ours) > 1 else np.zeros(len(ARKIT_NAMES))
        by_shape[moves] = np.nan_to_num(r[moves])
    return ClipRow(name, len(answers.frame), len(errors), mean(errors), mean(by_shape[moves]), by_shape)


def summarise(who: str, rows: Sequence[ClipRow]) -> ClipsResult:
    """Means over clips; clips in which the teacher never finds a face are left out."""
    kept = tuple(row for row in rows if row.frames)
    by_shape = np.array([row.by_shape for row in kept]).reshape(-1, len(ARKIT_NAMES))
    counts = np.isfinite(by_shape).sum(0)
    moved = [(name, index) for index, name in enumerate(ARKIT_NAMES) if counts[index]]
    return ClipsResult(
        who,
        kept,
        sum(row.found for row in kept) / sum(row.frames for row in kept) if kept else float("nan"),
        mean(row.found / row.frames for row in kept),
        mean(row.nme for row in kept),
        mean(row.correlation for row in kept),
        {name: float(np.nanmean(by_shape[:, index])) for name, index in moved},
        {name: int(counts[index]) for name, index in moved},
    )


def correlation_without(rows: Sequence[ClipRow], left_out: Sequence[str]) -> float:
    """Mean over clips of the mean r over the shapes that move, without those named; NaN where none is left."""
    keep = np.array([name not in left_out for name in ARKIT_NAMES])
    return mean(np.nanmean(row.by_shape[keep]) for row in rows if np.isfinite(row.by_shape[keep]).any())


def track_clip(path: Path, pipeline: TracksFrames) -> list[list[Seen]]:
    """Every frame of a clip through the tracker in order, with the frame's own time. Raises SourceError."""
    from tracker.source import open_source

    pipeline.reset()
    seen = []
    with open_source(str(path)) as source:
        for frame in source:
            faces = (face for face in pipeline.track(frame) if face.state != TrackState.LOST)
            seen.append([Seen(face.landmarks_px, face.blendshapes_raw, face.identity) for face in faces])
    return seen


def seen_by_peer(answers: Answers) -> list[list[Seen]]:
    """The peer's own answers (VIDEO mode, say) in the form of a track, to be scored like ours."""
    return [
        [Seen(answers.landmarks_px[row], answers.scores[row]) for row in answers.of(index)]
        for index in range(answers.frames)
    ]

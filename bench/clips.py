"""The clips suite: every clip through the tracker, held against the teacher, and all that is told of it.

Given paths, the teacher's answers and a tracker it makes the agreement, its groups, how steady the tracks are and how
constant the identity is. Each measure is a module of its own; this one only goes through the files once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tracker.bench import agreement, groups, steadiness
from tracker.bench.agreement import ClipRow, ClipsResult, Seen, TracksFrames
from tracker.bench.answers import Answers
from tracker.bench.appearance import Appearance, appearance
from tracker.bench.groups import Group
from tracker.bench.identity import Identity, spread_of
from tracker.bench.manifest import Manifest
from tracker.bench.metrics import mean, moving, pitch_yaw_roll_deg
from tracker.bench.poor_shapes import PoorShapes
from tracker.bench.report import Progress
from tracker.bench.steadiness import Steadiness, Tremble
from tracker.errors import SourceError
from tracker.face.model import FaceModel

TEACHER = "MediaPipe IMAGE"
Answered = Callable[[Path], Answers]


@dataclass(frozen=True, slots=True)
class Clips:
    """Everything of the suite; each tuple holds ours first."""

    results: tuple[ClipsResult, ...] = ()
    """Ours, then the peer where asked."""
    without: tuple[dict[str, float], ...] = ()
    """Per side: what is left out -> mean r over the shapes that move without it; only `nothing` where there are no
    lists."""
    groups: tuple[Group, ...] = ()
    steadiness: tuple[Steadiness, ...] = ()
    """Ours, the peer where asked, and the teacher itself, frame by frame."""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Clip:
    """One clip; F faces of the teacher's."""

    rows: dict[str, ClipRow]
    errors: dict[str, np.ndarray]
    """Side -> float64 [F]."""
    yaw_deg: np.ndarray
    looks: list[Appearance]
    notes: tuple[str, ...]
    tremble: list[Tremble]
    person: str
    identity: np.ndarray
    """[N, I] of the frames in which ours has the face."""


def measure(
    paths: Sequence[Path], teacher: Answered, video: Answered | None, pipeline: TracksFrames, poor: PoorShapes,
    peer: str, say: Progress,
) -> Clips:  # fmt: skip
    """Go through the clips; `video`, the peer's other mode, is scored beside ours where given."""
    manifest, clips = Manifest.near(paths[0].parent), list[_Clip]()
    for number, path in enumerate(paths):
        say(number, len(paths), f"clips: {path.name}")
        answers = teacher(path)
        sides = {"ours": agreement.track_clip(path, pipeline)}
        if video is not None:
            sides[peer] = agreement.seen_by_peer(video(path))
        entry = manifest(path)
        clips.append(_clip(path, answers, sides, (entry.person, entry.notes)))
    say(len(paths), len(paths), "clips")
    return _summary(clips, poor, ["ours", *([peer] if video is not None else [])])


def _clip(
    path: Path, answers: Answers, sides: dict[str, list[list[Seen]]], known: tuple[str, tuple[str, ...]]
) -> _Clip:
    faces = {who: agreement.matched(answers, seen) for who, seen in sides.items()}
    itself: list[Seen | None] = [Seen(*pair) for pair in zip(answers.landmarks_px, answers.scores, strict=True)]
    codes = [face.identity for face in faces["ours"] if face is not None and face.identity is not None]
    return _Clip(
        {who: agreement.score_clip(path.name, answers, seen) for who, seen in sides.items()},
        {who: agreement.errors_of(answers, found) for who, found in faces.items()},
        np.array([abs(pitch_yaw_roll_deg(rotation)[1]) for rotation in answers.rotation], np.float64),
        list(_looks(path, answers)), known[1],
        steadiness.tremble(answers.frame, [*faces.values(), itself], moving(answers.scores)), known[0],
        np.array(codes, np.float64) if codes else np.zeros((0, 0)),
    )  # fmt: skip


def _looks(path: Path, answers: Answers) -> Iterator[Appearance]:
    """How each of the teacher's faces looks in its frame."""
    if len(answers.frame):
        lumas = _lumas(path)
        at, luma = -1, np.zeros((0, 0), np.uint8)
        for index, landmarks in zip(answers.frame.tolist(), answers.landmarks_px, strict=True):
            while at < index:
                at, luma = at + 1, next(lumas)
            yield appearance(luma, landmarks)


def _lumas(path: Path) -> Iterator[np.ndarray]:
    """uint8 [H, W] of every frame. Raises SourceError."""
    import av

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                turns = round(getattr(frame, "rotation", 0) / 90) % 4
                yield np.rot90(frame.to_ndarray(format="gray"), turns)
    except (av.FFmpegError, IndexError) as error:
        raise SourceError(f"{path} is not a video that can be read ({error})") from error


def _summary(clips: list[_Clip], poor: PoorShapes, sides: list[str]) -> Clips:
    results = tuple(agreement.summarise(who, [clip.rows[who] for clip in clips]) for who in sides)
    without = tuple(
        {name: agreement.correlation_without(result.rows, left) for name, left in poor.lists().items()}
        for result in results
    )
    steady = tuple(
        steadiness.summarise(who, [clip.tremble[k] for clip in clips]) for k, who in enumerate([*sides, TEACHER])
    )
    codes = [(clip.person, clip.identity) for clip in clips if len(clip.identity) > 1]
    identity = spread_of(codes, FaceModel.load().identity_mm) if codes else None
    return Clips(results, without, tuple(_groups(clips, sides)), steady, identity)


def _groups(clips: list[_Clip], sides: list[str]) -> Iterator[Group]:
    if not sum(len(clip.looks) for clip in clips):
        return
    errors = {who: np.concatenate([clip.errors[who] for clip in clips]) for who in sides}
    clip_of = np.repeat(np.arange(len(clips)), [len(clip.looks) for clip in clips])
    kinds = {
        "noted": groups.noted([clips[k].notes for k in clip_of]),
        "yaw": groups.binned(np.concatenate([clip.yaw_deg for clip in clips]), groups.YAW_DEG),
        **groups.looks([look for clip in clips for look in clip.looks]),
    }
    for by, members in kinds.items():
        for group in groups.split(by, members, errors):
            mostly = [clip for k, clip in enumerate(clips) if _half(members[group.label][clip_of == k])]
            r = {who: mean(clip.rows[who].correlation for clip in mostly) for who in sides}
            yield replace(group, sides=tuple(replace(side, correlation=r[side.who]) for side in group.sides))


def _half(mask: np.ndarray) -> bool:
    return bool(mask.size and mask.mean() > 0.5)

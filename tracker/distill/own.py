"""A user's own footage, labelled by the teacher, as a corpus whose end is held out.

Given a clip, an image folder or a mixture it asks the teacher about evenly spread frames, keeps the answers in a
folder so that a second call need not ask again, and sets the last fifth of each clip aside, with a gap before it. It
takes everyone in it for one person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from tracker.distill import archive
from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.label import Labelled, files_under, is_video, label_file, save
from tracker.distill.shelf import digest
from tracker.distill.teacher import Teacher
from tracker.errors import SourceError

HELD_SHARE, GAP_SHARE = 0.2, 0.04
"""The end that is held out, and what is left out before it: neighbours in time are all but the same picture."""
FEWEST_FACES = 40
STEM = 40
"""Letters of a file's name that its kept answers have, for people; file systems end at 255 bytes."""


def label_own(
    path: Path, teacher_path: Path, cache: Path, most: int, progress: Callable[[int, int, int], None] | None = None
) -> Corpus:
    """About `most` frames of a video, or of all videos and images in a folder, as a corpus with `validation` set.

    `progress(done, total, faces)` counts files. Raises SourceError for what cannot be read or shows too few faces,
    AssetError for a bad teacher, OutputError where `cache` cannot be written.
    """
    paths = files_under(path) if path.is_dir() else [path]
    videos = max(1, sum(map(is_video, paths)))
    each = max(1, (most - len(paths) + videos) // videos)
    parts, faces = [], 0
    with closing(Teacher(teacher_path)) as teacher:
        asked = digest(teacher_path)
        for number, file in enumerate(paths):
            parts.append(_answers(file, teacher, asked, cache, each))
            faces += len(parts[-1].frame)
            if progress:
                progress(number + 1, len(paths), faces)
    if faces < FEWEST_FACES:
        raise SourceError(
            f"the teacher found a face in only {faces} of the frames that were looked at in {path}; give footage with "
            f"at least {FEWEST_FACES}, of a face that is near, lit and turned to the camera"
        )
    corpus = _corpus(paths, parts)
    if not corpus.validation.any():
        raise SourceError(
            f"{path} holds {videos} videos, of which {each} frames each are looked at, too few to hold an end of one "
            "out; give fewer videos, or longer ones"
        )
    return corpus


def _answers(path: Path, teacher: Teacher, asked: str, cache: Path, most: int) -> Labelled:
    """The teacher's answers for one file, kept under a name that says which content they are for, and whose."""
    if not path.is_file():
        raise SourceError(f"no file {path}; give a video, or a folder of videos and images")
    source = digest(path)
    key = hashlib.sha256(f"{source} {asked} {most}".encode()).hexdigest()[:12]
    kept = cache / f"{path.stem[:STEM]}_{key}.npz"
    if kept.is_file():
        remedy = "delete it and run the command again, which labels anew"
        return Labelled(**archive.read(kept, remedy, Labelled.__slots__))
    done = label_file(path, teacher, most)
    save(done, kept, source, asked)
    return done


def _corpus(paths: list[Path], parts: list[Labelled]) -> Corpus:
    """Videos one by one and the images together, each with its end held out."""
    order = sorted(range(len(paths)), key=lambda k: is_video(paths[k]))  # stable: the images first, in their order
    kind = np.concatenate([np.full(len(parts[k].frame), KINDS.index(_kind(paths[k])), np.int8) for k in order])
    clip = np.concatenate([np.full(len(parts[k].frame), number, np.int32) for number, k in enumerate(order)])
    keep, held = np.zeros(len(clip), bool), np.zeros(len(clip), bool)
    for rows in sequences(kind, clip):
        first_held = len(rows) - round(len(rows) * HELD_SHARE)
        held[rows[first_held:]] = True
        keep[rows[: first_held - round(len(rows) * GAP_SHARE)]] = True
    keep |= held
    joined = {name: np.concatenate([getattr(parts[k], name) for k in order]) for name in _COLUMNS}
    return Corpus(
        **{name: column[keep] for name, column in joined.items()}, person=np.zeros(int(keep.sum()), np.int32),
        clip=clip[keep], kind=kind[keep], validation=held[keep], open_licence=np.ones(int(keep.sum()), bool),
    )  # fmt: skip


def sequences(kind: np.ndarray, clip: np.ndarray) -> list[np.ndarray]:
    """Rows in their order of time: each clip's, and all images'."""
    stills = kind == KINDS.index("images")
    return [np.flatnonzero(stills), *(np.flatnonzero((clip == c) & ~stills) for c in np.unique(clip[~stills]))]


_COLUMNS = ("patches", "landmarks", "scores")


def _kind(path: Path) -> str:
    return "clips" if is_video(path) else "images"

"""Profile faces for training: labelled faces turned out of the picture's plane, with their landmarks.

Given the packed corpus it draws faces that look more or less ahead, people evenly, turns each to large yaw and pitch,
away from the side already seen, and packs pairs of one source into a shard laid out like the corpus: rows 2k and 2k + 1
are one face turned twice, or the face as it is and turned. It knows nothing of how a face is turned or learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.distill.bust import Frame, angles_of, drawn_out, mould, rotation_of, shown, turned, without
from tracker.distill.corpus import SHARDS, TURNED, Corpus, digest_of, load
from tracker.distill.current import current_model
from tracker.distill.label import PATCH_PX
from tracker.distill.lessons import Poses
from tracker.distill.shard import Shard
from tracker.distill.train import poses_of
from tracker.errors import SettingsError, SourceError

CHUNK_PAIRS = 250
MOST_SOURCE_YAW_DEG = 45.0
# Of clips, stills and AFLW, where there are any.
KIND_SHARE = (0.42, 0.36, 0.22)
AS_IT_IS_SHARE = 1 / 3
OTHER_BACKDROP_SHARE = 0.3
# A face cut off so near its landmarks shows no head to turn.
MARGIN_PX = 10

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What may be turned."""

    corpus: Corpus
    """The packed corpus."""
    poses: Poses
    """Its heads."""
    people: tuple[tuple[np.ndarray, ...], ...]
    """By kind, by person: int rows of the corpus."""
    weight: np.ndarray
    """float64 [N]: how readily a row is drawn among its person's; 0 where it is turned too far already."""


def turn_faces(cache: Path, count: int = 10_000, seed: int = 0, progress: Callable[[str], None] = print) -> Path:
    """Fill `cache/turned` up to `count` faces (even) from `cache/corpus`; returns the folder.

    What is there already of the same corpus stays, so a call that was cut goes on where it stood. Raises SettingsError
    for a count that is no even number of faces, SourceError where there is no corpus or no face in it to turn.
    """
    if count < 2 or count % 2:
        raise SettingsError(f"count {count} is not a positive even number of faces; they come in pairs, say 10000")
    model = current_model(cache)
    corpus = load(cache, in_memory=False)
    sources = sources_of(corpus, poses_of(cache, corpus, model))
    frame, shard = Frame(model), Shard(cache / SHARDS[TURNED], digest_of(corpus))
    while len(shard) < count:
        first = len(shard) // 2
        draws = (np.random.default_rng((seed, k)) for k in range(first, min(first + CHUNK_PAIRS, count // 2)))
        faces = [face for rng in draws for face in pair(sources, frame, rng)]
        shard.append([face.patch for face in faces], _columns(faces))
        progress(f"turned {len(shard)} of {count} faces")
    return shard.folder


def sources_of(corpus: Corpus, poses: Poses) -> Sources:
    """Sort the corpus by kind and person. Raises SourceError when nobody in it looks ahead."""
    yaw_deg = np.degrees(np.arctan2(-poses.rotation[:, 2, 0], poses.rotation[:, 2, 2]))
    # Turned a little, a face shows one cheek and ear whole; turned far, its far contour is a guess.
    weight = np.where(np.abs(yaw_deg) <= MOST_SOURCE_YAW_DEG, 1.0 + np.clip(np.abs(yaw_deg), 0, 25) / 25, 0.0)
    people = []
    for kind in range(len(KIND_SHARE)):
        rows = np.flatnonzero((corpus.kind == kind) & (weight > 0))
        order = rows[np.argsort(corpus.person[rows], kind="stable")]
        edges = np.flatnonzero(np.diff(corpus.person[order])) + 1
        people.append(tuple(part for part in np.split(order, edges) if len(part)))
    if not any(people):
        raise SourceError(
            f"none of the {len(corpus)} faces of the corpus is within {MOST_SOURCE_YAW_DEG:.0f} degrees of looking "
            "ahead; label more clips or images"
        )
    return Sources(corpus, poses, tuple(people), weight)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One row of the shard."""

    patch: np.ndarray
    """uint8 [224, 224, 3] RGB."""
    landmarks: np.ndarray
    """float32 [478, 3] in patch pixels, hidden ones too."""
    rotation: np.ndarray
    """float32 [3, 3]: the head as seen in the patch."""
    labels: dict[str, np.ndarray]
    """Scores, person, clip and flags of the source."""


def pair(sources: Sources, frame: Frame, rng: Rng) -> tuple[Face, Face]:
    """One source turned twice, or as it is and turned."""
    corpus, poses = sources.corpus, sources.poses
    row = _draw_row(sources, rng)
    patch, landmarks, rotation = np.array(corpus.patches[row]), corpus.landmarks[row], poses.rotation[row]
    bust = mould(patch, landmarks, rotation, float(poses.scale[row]), frame)
    backdrop = _backdrop(sources, rng) if rng.random() < OTHER_BACKDROP_SHARE else None
    names = ("scores", "person", "clip", "validation", "open_licence")
    labels = {name: getattr(corpus, name)[row] for name in names} | {"kind": np.int8(TURNED)}

    def twin() -> Face:
        aimed = aim(rotation, rng)
        return Face(*turned(bust, aimed, frame, backdrop), aimed.astype(np.float32), labels)

    one = Face(patch, landmarks, rotation, labels) if rng.random() < AS_IT_IS_SHARE else twin()
    return one, twin()


def _columns(faces: list[Face]) -> dict[str, np.ndarray]:
    """As the corpus has them, and `rotation` float32 [N, 3, 3] besides."""
    return {
        **{name: np.stack([face.labels[name] for face in faces]) for name in faces[0].labels},
        "landmarks": np.stack([face.landmarks for face in faces]).astype(np.float32),
        "rotation": np.stack([face.rotation for face in faces]).astype(np.float32),
    }


def aim(rotation: np.ndarray, rng: Rng) -> np.ndarray:
    """float64 [3, 3]: where a head shall look instead: 30 to 90 degrees aside, up or down, mostly both.

    A head that looks aside is turned on to that side: the other cheek was not seen.
    """
    pitch, yaw, roll = np.degrees(angles_of(rotation))
    side = np.sign(yaw) if abs(yaw) > 6 else rng.choice([-1.0, 1.0])
    drawn = rng.random()
    if drawn < 0.1:
        yaw, pitch = yaw + side * rng.uniform(0, 12), rng.choice([-1, 1]) * rng.uniform(18, 35)
    else:
        yaw = side * rng.uniform(max(30.0, min(abs(yaw) + 15, 70.0)), 90.0)
        pitch = rng.uniform(-35, 35) if drawn < 0.5 else float(np.clip(pitch + rng.normal(0, 5), -35, 35))
    return rotation_of(*np.radians([pitch, yaw, roll + rng.normal(0, 5)]))


def _draw_row(sources: Sources, rng: Rng) -> int:
    """A kind, one of its people, and of two of that person's faces the sharper; one that is cut off is drawn anew."""
    share = np.array([part if people else 0 for part, people in zip(KIND_SHARE, sources.people, strict=True)])
    row = -1
    for _ in range(20):
        people = sources.people[rng.choice(len(share), p=share / share.sum())]
        rows = people[rng.integers(len(people))]
        weight = sources.weight[rows]
        two = rng.choice(rows, 2, p=weight / weight.sum())
        row = int(max(two, key=lambda index: _sharpness(sources.corpus, index)))
        if _has_margin(sources.corpus, row):
            break
    return row


def _sharpness(corpus: Corpus, row: int) -> float:
    low, high = _box(corpus.landmarks[row])
    grey = cv2.cvtColor(corpus.patches[row][low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1))


def _has_margin(corpus: Corpus, row: int) -> bool:
    top, bottom, left, right = shown(corpus.patches[row])
    low, high = _box(corpus.landmarks[row])
    inside = low[0] - left, low[1] - top, right - high[0], bottom - high[1]
    return min(inside) >= MARGIN_PX


def _box(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    return np.clip(low, 0, PATCH_PX - 2).astype(int), np.clip(high + 1, 2, PATCH_PX).astype(int)


def _backdrop(sources: Sources, rng: Rng) -> np.ndarray:
    """Another patch of the corpus with its head taken out."""
    row = int(rng.integers(len(sources.corpus)))
    points = sources.corpus.landmarks[row, :, :2]
    middle = (points.min(0) + points.max(0)) / 2
    return without(drawn_out(np.array(sources.corpus.patches[row])), (points - middle) * [1.4, 1.45] + middle - [0, 12])

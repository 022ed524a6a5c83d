"""How good a network is on held-out people, before it is exported (torch).

Given a network and labelled faces it looks at each through a slightly wrong square, and compares landmarks, scores,
pose and identity with the teacher; pose as the network states it, and as the landmarks that it points at say. It
trains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tracker.detect.roi import Roi
from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.evaluate import MOVES, true_roi
from tracker.distill.export import crop_of
from tracker.distill.guided import guided
from tracker.distill.lessons import SPARSE, Poses, carry, look_at_points
from tracker.distill.student import Decoder, Student, rotation_from_6d
from tracker.face import topology
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel
from tracker.regress.outputs import CROP_PX, SLICES

NARROWEST_PX = 12.0
"""An inter-ocular distance counts as at least this in a crop: it vanishes in profile."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Results on the held-out people of one kind of data."""

    kind: str
    faces: int
    landmarks_percent: float
    """The face model's landmarks: mean 2D distance to the teacher over the inter-ocular distance."""
    guides_percent: float
    """The landmarks that the network points at, the same way."""
    correlation: float
    """Mean over the shapes that move of Pearson's r over all faces."""
    rotation_deg: float
    """Mean angle between the stated pose and the teacher's, as the face model has it."""
    guided_rotation_deg: float
    """The same of the pose fitted to the guides."""
    identity_within: float
    """Variance of identity within a person over that between persons; NaN without people seen twice."""


@dataclass(frozen=True, slots=True)
class Turned:
    """Results on heads turned far, against points that people set."""

    faces: int
    points_percent: float
    """Mean 2D distance over the square root of the area of the points' box."""


def accuracy(net: Student, corpus: Corpus, poses: Poses, model: FaceModel, limit: int = 300) -> list[Accuracy]:
    """One row per kind of data with held-out people in it, at most `limit` faces each, the same at every call."""
    rows = []
    for number, kind in enumerate(KINDS):
        found = np.random.default_rng(number).permutation(np.flatnonzero(corpus.validation & (corpus.kind == number)))
        if len(found):
            rows.append(_accuracy(net, corpus, poses, model, np.sort(found[:limit]), kind))
    return rows


def _accuracy(net: Student, corpus: Corpus, poses: Poses, model: FaceModel, rows: np.ndarray, kind: str) -> Accuracy:
    rng, crops, truths, turns = np.random.default_rng(0), [], [], []
    for index in rows.tolist():
        roi = true_roi(poses, index, rng)
        warp = _crop_from_px(roi)
        crops.append(crop_of(corpus.patches[index], roi)[0])
        truths.append(carry(corpus.landmarks[index], warp))
        turn = np.eye(3)
        turn[:2, :2] = warp[:, :2] / np.sqrt(abs(np.linalg.det(warp[:, :2])))
        turns.append(turn @ poses.rotation[index])
    out, decoder = outputs(net, np.array(crops)), Decoder(model)
    truth, turned = np.array(truths), np.array(turns)
    points, guides = decoder(out)[0].numpy(), decoder.guides(out).numpy()
    stated = rotation_from_6d(out[:, SLICES["rotation"]]).numpy()
    return Accuracy(
        kind, len(rows), _percent(points, truth), _percent(guides, truth, topology.GUIDES),
        _correlation(out[:, SLICES["expression"]].numpy(), corpus.scores[rows]), _degrees(stated, turned),
        _degrees(guided(out.numpy(), model).rotation, turned), _within(out, corpus.person[rows]),
    )  # fmt: skip


def shapes_error(net: Student, corpus: Corpus, poses: Poses, rows: np.ndarray) -> float:
    """Mean absolute error of the shapes of `rows`, whose truth is known, `tongueOut` aside; NaN without rows."""
    if not len(rows):
        return float("nan")
    rng = np.random.default_rng(0)
    crops = np.array([crop_of(corpus.patches[k], true_roi(poses, k, rng))[0] for k in rows.tolist()])
    found = outputs(net, crops)[:, SLICES["expression"]].clamp(0, 1).numpy()
    known = np.arange(found.shape[1]) != ARKIT_INDEX["tongueOut"]
    return float(np.abs(found - corpus.scores[rows])[:, known].mean())


@torch.no_grad()
def outputs(net: Student, crops: np.ndarray) -> torch.Tensor:
    """[N, WIDTH] for crops float32 [N, 3, 128, 128], in evaluation mode."""
    net = net.eval()
    return torch.cat([net(torch.from_numpy(crops[k : k + 64])) for k in range(0, len(crops), 64)])


def turned(net: Student, faces: list[tuple[np.ndarray, np.ndarray]], model: FaceModel) -> Turned:
    """Against people's points on crops of turned heads, as `lessons.sparse_faces` gives them."""
    if not faces:
        return Turned(0, float("nan"))
    crops, seen = [], []
    for image, points in faces:
        look = look_at_points(points)
        x, y = look.centre.tolist()
        roi = Roi(x, y, look.side, look.roll)
        warp = _crop_from_px(roi)
        crops.append(crop_of(image, roi)[0])
        seen.append(points @ warp[:, :2].T + warp[:, 2])
    mesh, marks = Decoder(model)(outputs(net, np.array(crops)))[0].numpy(), np.array(seen)
    box = np.sqrt(np.prod(np.nanmax(marks, 1) - np.nanmin(marks, 1), axis=1))
    error = np.linalg.norm(mesh[:, [v for _, v in SPARSE], :2] - marks[:, [p for p, _ in SPARSE]], axis=2)
    return Turned(len(faces), float(np.mean(np.nanmean(error, 1) / box)) * 100)


def _crop_from_px(roi: Roi) -> np.ndarray:
    whole = np.vstack([roi.px_from_crop(CROP_PX), [0, 0, 1]])
    inverse: np.ndarray = np.linalg.inv(whole)[:2]
    return inverse


def _percent(points: np.ndarray, truth: np.ndarray, at: tuple[int, ...] | None = None) -> float:
    eyes = truth[:, list(topology.OUTER_EYE_CORNERS), :2]
    across = np.maximum(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1), NARROWEST_PX)
    wanted = truth if at is None else truth[:, list(at)]
    return float((np.linalg.norm((points - wanted)[..., :2], axis=2).mean(1) / across).mean()) * 100


def _correlation(ours: np.ndarray, theirs: np.ndarray) -> float:
    moving = np.flatnonzero(theirs.std(0) > MOVES)
    r = [np.corrcoef(ours[:, k], theirs[:, k])[0, 1] for k in moving if ours[:, k].std() > 0]
    return float(np.mean(r)) if r else float("nan")


def _degrees(ours: np.ndarray, theirs: np.ndarray) -> float:
    cosine = (np.einsum("nij,nij->n", ours, theirs) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def _within(out: torch.Tensor, person: np.ndarray) -> float:
    codes = out[:, SLICES["identity"]].numpy()
    groups = [codes[person == who] for who in np.unique(person)]
    several = [group for group in groups if len(group) > 1]
    if not several or len(groups) < 3:
        return float("nan")
    within = np.mean([group.var(0, ddof=1).sum() for group in several])
    between = np.array([group.mean(0) for group in groups]).var(0, ddof=1).sum()
    return float(within / between)

"""Are the predicted standard deviations as large as the errors? On people kept aside, block by block.

Given a student, the packed corpus and poses it compares errors with the quantiles that the predictions promise, fits
one factor a block on half of the people, judges it on the other half, and folds the factors into the network's last
bias, where they cost nothing. The errors are against the teacher: it does not know the truth.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.special import erf

from tracker.distill.corpus import Corpus
from tracker.distill.evaluate import MOVES, true_roi
from tracker.distill.guided import guided
from tracker.distill.lessons import Poses, carry
from tracker.distill.losses import MAX_LOG_STD, MIN_LOG_STD, region_of_vertices
from tracker.distill.student import Decoder, Student
from tracker.face.model import FaceModel
from tracker.face.topology import GUIDES
from tracker.kernels.backend import choose
from tracker.regress.outputs import CROP_PX, SLICES

Law = Literal["laplace", "normal", "rayleigh"]
LAWS: tuple[Law, ...] = ("laplace", "normal", "rayleigh")
"""Of an error along an axis, the first two; of a length, whose mean square is the deviation's square, the last."""
LEVELS = np.arange(1, 20) / 20
"""Nominal coverages."""
FACTORS = np.exp(np.linspace(np.log(0.1), np.log(10), 161))

_CENTRE = SLICES["centre_log_std"].start
BLOCKS: dict[str, slice] = {
    "expression": SLICES["expression_log_std"],
    "rotation": SLICES["rotation_log_std"],
    "centre": slice(_CENTRE, _CENTRE + 1),
    "scale": slice(_CENTRE + 1, _CENTRE + 2),
    "regions": SLICES["region_log_std"],
    "guides": SLICES["guides_log_std"],
    "identity": SLICES["identity_log_std"],
}
"""Block -> its logarithms of standard deviations in the output vector."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Of one block over N faces; K values each."""

    size: np.ndarray
    """float64 [N, K], absolute, in the unit of the block's standard deviation."""
    log_std: np.ndarray
    """float64 [N, K or 1], as predicted."""
    person: np.ndarray
    """int [N]."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """One block."""

    block: str
    law: Law
    """Under which the predictions fit better, by the people the factor was fitted on."""
    factor: float
    """What the predicted standard deviations are to be multiplied by."""
    before: float
    """Expected calibration error on the other people: mean over `LEVELS` of |observed - nominal| coverage."""
    after: float
    """The same with the factor."""
    observed_before: tuple[float, ...]
    observed_after: tuple[float, ...]
    """Coverage observed at each of `LEVELS`."""
    faces: int
    people: int
    """Judged on."""


def predict(net: Student, corpus: Corpus, poses: Poses, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The network's vectors [N, WIDTH] for crops cut as the run time cuts them, with slightly wrong squares, and the
    crops' similarities [N, 2, 3] from patch pixels."""
    cut, rng = choose().crop_roi, np.random.default_rng(0)
    crop = np.zeros((3, CROP_PX, CROP_PX), np.float32)
    found, warps = [], []
    for row in rows.tolist():
        px_from_crop = true_roi(poses, row, rng).px_from_crop(CROP_PX)
        cut((corpus.patches[row],), "rgb24", 8, "bt601", True, px_from_crop, crop)
        with torch.inference_mode():
            found.append(net(torch.from_numpy(crop)[None])[0].numpy())
        warps.append(np.linalg.inv(np.vstack([px_from_crop, [0, 0, 1]]))[:2])
    return np.array(found, np.float64), np.array(warps)


def choose_rows(corpus: Corpus, limit: int) -> np.ndarray:
    """int [N <= limit]: held-out labelled faces, each kind's share evenly taken."""
    kinds = [np.flatnonzero(corpus.validation & (corpus.kind == kind)) for kind in range(3)]
    there = [rows for rows in kinds if len(rows)]
    each = max(1, limit // max(1, len(there)))
    return np.concatenate([rows[np.linspace(0, len(rows) - 1, min(len(rows), each)).astype(int)] for rows in there])


def measure(net: Student, corpus: Corpus, poses: Poses, model: FaceModel, limit: int = 900) -> dict[str, Errors]:
    """Every block's errors on held-out people; pose and mesh are those that the guides give, as published. Where a
    block says something of a whole (a region, a rotation), the error is a length; the centre's is along each axis, the
    identity's per coefficient, half between two frames."""
    rows = choose_rows(corpus, limit)
    vectors, warps = predict(net, corpus, poses, rows)
    out = torch.tensor(vectors, dtype=torch.float32)
    decoder = Decoder(model)
    with torch.inference_mode():
        guides = decoder.guides(out).numpy()
    heads = guided(vectors, model)
    truth = np.array([carry(corpus.landmarks[row], warp) for row, warp in zip(rows, warps, strict=True)])
    off = np.linalg.norm((heads.points - truth)[..., :2], axis=2) / CROP_PX
    zoom = np.sqrt(np.abs(np.linalg.det(warps[:, :, :2])))
    turn = np.zeros((len(rows), 3, 3))
    turn[:, 2, 2], turn[:, :2, :2] = 1, warps[:, :, :2] / zoom[:, None, None]
    cosine = (np.einsum("nij,nij->n", heads.rotation, turn @ poses.rotation[rows]) - 1) / 2
    centre = np.einsum("nij,nj->ni", warps[:, :, :2], poses.centre[rows]) + warps[:, :, 2]
    growth = np.log(heads.scale / (poses.scale[rows] * zoom))
    scores = np.abs(np.clip(vectors[:, SLICES["expression"]], 0, 1) - corpus.scores[rows])
    moving = corpus.scores[rows].std(0) > MOVES
    sizes = {
        "rotation": np.arccos(np.clip(cosine, -1, 1))[:, None],
        "centre": np.abs(heads.centre() - centre) / CROP_PX,
        "scale": np.abs(growth)[:, None],
        "regions": off @ region_of_vertices(decoder.mean).numpy().T.astype(np.float64),
        "guides": np.linalg.norm((guides - truth[:, list(GUIDES)])[..., :2], axis=2) / CROP_PX,
    }
    person = corpus.person[rows]
    errors = {name: Errors(size, vectors[:, BLOCKS[name]], person) for name, size in sizes.items()}
    spread = vectors[:, BLOCKS["expression"]][:, moving]
    errors["expression"] = Errors(scores[:, moving], spread, person)
    errors["identity"] = _identity(vectors, person)
    return {name: errors[name] for name in BLOCKS}


def _identity(vectors: np.ndarray, person: np.ndarray) -> Errors:
    """Two frames of a person, as far apart as they come, have one identity: half of their squared difference is each
    one's variance."""
    first, second = [], []
    for who in np.unique(person):
        rows = np.flatnonzero(person == who)
        half = len(rows) // 2
        first += rows[:half].tolist()
        second += rows[half : 2 * half].tolist()
    codes = vectors[:, SLICES["identity"]]
    spread = (vectors[first, BLOCKS["identity"]] + vectors[second, BLOCKS["identity"]]) / 2
    return Errors(np.abs(codes[first] - codes[second]) / np.sqrt(2), spread, person[first])


def coverage(errors: Errors, law: Law, factor: float = 1.0, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    """float [19]: share of errors inside the interval that should hold each of `LEVELS`."""
    spread = np.exp(np.clip(errors.log_std[chosen] + np.log(factor), MIN_LOG_STD, MAX_LOG_STD))
    deviations = errors.size[chosen] / spread
    if law == "normal":
        inside = erf(deviations / np.sqrt(2))
    else:
        inside = 1 - np.exp(-np.sqrt(2) * deviations if law == "laplace" else -(deviations**2))
    observed: np.ndarray = (inside[..., None] <= LEVELS).mean((0, 1))
    return observed


def calibration_error(observed: np.ndarray) -> float:
    """Mean distance of the reliability curve from the diagonal."""
    return float(np.abs(observed - LEVELS).mean())


def fit(errors: Errors, law: Law, chosen: np.ndarray | slice = slice(None)) -> float:
    """The factor with the least calibration error."""
    costs = [calibration_error(coverage(errors, law, float(factor), chosen)) for factor in FACTORS]
    return float(FACTORS[int(np.argmin(costs))])


def judge(errors: dict[str, Errors], seed: int = 0) -> list[Reliability]:
    """Fit on a random half of the people, judge on the rest."""
    everyone = np.unique(np.concatenate([block.person for block in errors.values()]))
    half = np.random.default_rng(seed).permutation(everyone)[: len(everyone) // 2]
    rows = []
    for name, block in errors.items():
        ours = np.isin(block.person, half)
        if not ours.any() or ours.all():
            continue
        factors = {law: fit(block, law, ours) for law in LAWS}
        law = min(LAWS, key=lambda one: calibration_error(coverage(block, one, factors[one], ours)))
        before, after = (coverage(block, law, factor, ~ours) for factor in (1.0, factors[law]))
        rows.append(Reliability(
            name, law, factors[law], calibration_error(before), calibration_error(after), tuple(before.tolist()),
            tuple(after.tolist()), int((~ours).sum()), len(np.unique(block.person[~ours])),
        ))  # fmt: skip
    return rows


@torch.no_grad()
def fold(net: Student, factors: dict[str, float]) -> Student:
    """A copy whose standard deviations are multiplied by each block's factor: a shift of the head's bias, exact."""
    copy = deepcopy(net)
    for name, factor in factors.items():
        copy.head.bias[BLOCKS[name]] += float(np.log(factor))
    return copy


def calibrated(net: Student, corpus: Corpus, poses: Poses, model: FaceModel) -> tuple[Student, list[Reliability]]:
    """A copy of the network with its standard deviations set right, and what that is worth."""
    rows = judge(measure(net, corpus, poses, model))
    return fold(net, {row.block: row.factor for row in rows}), rows

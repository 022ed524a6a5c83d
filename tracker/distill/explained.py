"""How much of people never seen the face model can show, against the number of its identity coefficients.

Given the packed corpus and a face model it aligns held-out faces, takes off the teacher's expression, and fits ever
more identity coefficients to what remains of each person; likewise for colours. It learns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.distill.albedo import explained_by_albedo
from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.morphable import similarity
from tracker.face import topology
from tracker.face.model import FaceModel

COUNTS = (0, 2, 4, 8, 16, 32, 64)
ALBEDO_COUNTS = (0, 1, 2, 4, 8, 16, 24)
BATCH = 512


@dataclass(frozen=True, slots=True)
class Explained:
    """Held-out people, each counted once."""

    coefficients: int
    people_share: float
    """Of the variance over people of their own shape (the mean over their frames, expression taken off), in 3D. Of who
    is shown once, that is a little of his expression too."""
    landmark_share: float
    """Of the variance of all landmarks about the aligned mean face, expression included; 3D."""
    residual_percent: float
    """Mean distance in the picture to the teacher's landmarks, of the distance of the outer eye corners."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `facewire distill model` says at its end, for the model card."""

    face_model: str
    people: int
    faces: int
    identity: tuple[Explained, ...]
    albedo_share: dict[int, float]
    """Coefficients -> share of the variance of held-out people's colours, light taken off."""


def explain(corpus: Corpus, model: FaceModel) -> Report:
    """Clips and stills of the people kept aside."""
    rows = np.flatnonzero(corpus.validation & (corpus.kind < KINDS.index("aflw")))
    person = np.unique(corpus.person[rows], return_inverse=True)[1]
    people = int(person.max()) + 1
    apart, bare = _residuals(corpus, model, rows)
    each = 1 / np.bincount(person)[person] / people
    own = np.zeros((people, topology.VERTICES, 3))
    np.add.at(own, person, bare * (each * people)[:, None, None])
    eye_mm = float(np.linalg.norm(np.subtract(*model.mean_mm[list(topology.OUTER_EYE_CORNERS)])))
    basis = model.identity_mm.reshape(len(model.identity_mm), -1).astype(np.float64)
    whole = each @ (apart**2).sum((1, 2))
    steps = []
    for count in COUNTS:
        codes = np.linalg.lstsq(basis[:count].T, own.reshape(people, -1).T, rcond=None)[0].T
        left_of_people = own - (codes @ basis[:count]).reshape(own.shape)
        left = bare - (own - left_of_people)[person]
        steps.append(Explained(
            count, float(1 - (left_of_people**2).sum() / (own**2).sum()),
            float(1 - each @ (left**2).sum((1, 2)) / whole),
            float(each @ np.linalg.norm(left[..., :2], axis=2).mean(1) / eye_mm * 100),
        ))  # fmt: skip
    colours = explained_by_albedo(corpus, model, ALBEDO_COUNTS) if len(model.albedo_basis) else {}
    return Report(model.hash.hex(), people, len(rows), tuple(steps), colours)


def _residuals(corpus: Corpus, model: FaceModel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks [N, V, 3] brought to head space minus the mean, then minus expression too, in mm.

    They are aligned to the mean face with the teacher's expression: an open mouth is no smaller head.
    """
    apart, bare = (np.empty((len(rows), topology.VERTICES, 3)) for _ in range(2))
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        scores, landmarks = corpus.scores[rows[part]], corpus.landmarks[rows[part]].astype(np.float64)
        expression = np.einsum("nk,kvi->nvi", scores, model.expression_mm)
        for n, (shown, found) in enumerate(zip(expression, landmarks, strict=True), start):
            target = (model.mean_mm + shown).astype(np.float64)
            scale, rotation, shift = (value[0] for value in similarity(found[None], target))
            apart[n] = found @ rotation.T * scale + shift - model.mean_mm
            bare[n] = apart[n] - shown
    return apart, bare


def card_table(report: Report) -> str:
    """The rows of the model card, in Markdown."""
    lines = ["| identity coefficients | people's shape | landmarks | residual |", "|---|---|---|---|"]
    for row in report.identity:
        shares = f"{row.people_share:.1%} | {row.landmark_share:.1%} | {row.residual_percent:.2f}%"
        lines.append(f"| {row.coefficients} | {shares} |")
    return "\n".join(lines)

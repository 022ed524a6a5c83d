"""How good the shipped networks are on the people kept aside, through the very code that runs live.

Given the corpus it shows each held-out patch to regressor and refiner with a slightly wrong square, and compares with
the teacher: landmarks, scores, and whether the predicted standard deviations are as large as the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.detect.roi import Roi
from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.lessons import Poses
from tracker.face import topology
from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.refine.fit import Refiner
from tracker.regress.regressor import Regressor
from tracker.smooth.estimate import Estimator
from tracker.source import frame_from_image

MOVES = 0.05
"""A shape whose score, by the teacher, spreads less over the faces is left out: what never moves is never wrong."""


@dataclass(frozen=True, slots=True)
class Held:
    """Results on held-out people of one kind."""

    kind: str
    faces: int
    landmarks_percent: float
    """Mean 2D distance to the teacher over the inter-ocular distance."""
    correlation: float
    """Mean over shapes that move (see `MOVES`) of Pearson's r over all faces; NaN where none does."""
    presence: float
    """Share of faces with a presence above one half."""
    expression_coverage: float
    """Share of score errors within one predicted standard deviation; 0.76 for a calibrated Laplace law; NaN where no
    shape moves."""


def true_roi(poses: Poses, index: int, rng: np.random.Generator) -> Roi:
    """The square around a labelled head, jittered as a tracked one would be."""
    look = poses.look(index)
    x, y = (look.centre + rng.normal(0, 0.02, 2) * look.side).tolist()
    return Roi(x, y, look.side * float(np.exp(rng.normal(0, 0.04))), look.roll)


def evaluate(
    corpus: Corpus, poses: Poses, limit: int = 600, student: str | Path | None = None, model: FaceModel | None = None
) -> list[Held]:
    """One row per kind of data with held-out people in it; of the shipped student and face model by default."""
    model, kernels = model or FaceModel.load(), choose()
    regressor = Regressor(kernels.crop_roi, 1, model.hash, student)
    refiner = Refiner(1, model)
    estimator = Estimator(model, kernels.morph, kernels.project)
    rows = []
    for number, kind in enumerate(KINDS):
        chosen = np.flatnonzero(corpus.validation & (corpus.kind == number))
        if not len(chosen):
            continue
        chosen = chosen[:: max(1, len(chosen) // limit)]
        rng = np.random.default_rng(0)
        errors, scores, stds, presence = [], [], [], []
        for index in chosen.tolist():
            (guess,) = regressor(frame_from_image(corpus.patches[index]), [true_roi(poses, index, rng)])
            fit = refiner(guess, 0)
            points = estimator.landmarks(fit.identity, fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm)
            truth = corpus.landmarks[index]
            iod = np.linalg.norm(np.subtract(*truth[list(topology.OUTER_EYE_CORNERS), :2]))
            errors.append(np.linalg.norm((points - truth)[:, :2], axis=1).mean() / max(iod, 1.0))
            scores.append(fit.expression.copy())
            stds.append(fit.expression_std.copy())
            presence.append(fit.presence > 0.5)
        ours, theirs = np.array(scores), corpus.scores[chosen]
        moving = theirs.std(0) > MOVES
        # What ours never moves follows nothing; where no shape moves, as in a single face, nothing can be said.
        r = [np.corrcoef(ours[:, k], theirs[:, k])[0, 1] for k in np.flatnonzero(moving & (ours.std(0) > 0))]
        within = (np.abs(ours - theirs) < np.array(stds))[:, moving]
        rows.append(
            Held(kind, len(chosen), float(np.mean(errors)) * 100, _mean(r), float(np.mean(presence)), _mean(within))
        )
    return rows


def _mean(values: list[float] | np.ndarray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")

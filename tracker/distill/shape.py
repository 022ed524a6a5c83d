"""The face model from a packed corpus, start to end: learn, triangulate, colour, write.

Given the corpus it chooses the faces to learn from, or takes the geometry of a model that is there and learns colours
alone, and reports how well held-out people are explained. It needs no torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.distill.albedo import learn_albedo
from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.current import GEOMETRY
from tracker.distill.mesh import triangulate, unwrap, vertex_colour
from tracker.distill.morphable import Learned, learn, residual_share
from tracker.errors import SourceError
from tracker.face.model import FaceModel, save
from tracker.face.pose import exp_so3
from tracker.regress.outputs import IDENTITIES

VERSION = "2.0"
# Where the mean of the training faces looks, against the teacher's own canonical frame: median of 449 faces spread
# over the training clips (spread 1.3 degrees; yaw and roll are zero by symmetry).
MEAN_LOOKS_DOWN_DEG = 3.6
EVERY = 2
COLOUR_PEOPLE = 600


def build_model(corpus: Corpus, path: Path, geometry: Path | None = None) -> dict[str, float]:
    """Learn the model and write it to `path`; returns the residuals on held-out people, percent of inter-ocular;
    none where nobody is held out.

    With `geometry`, a face model's file, only colours are learned: every other array is written as it is there, so that
    a network trained through it goes on meaning the same. The hash changes all the same, and the network has to be
    exported again to be stamped with it. Raises AssetError for a `geometry` that is no face model, SourceError where
    too few people are labelled.
    """
    if geometry is None:
        _learn_geometry(corpus, path)
    model = FaceModel.load(path if geometry is None else geometry)
    albedo = learn_albedo(corpus, model)
    arrays = {name: getattr(model, name) for name in GEOMETRY}
    save(path, VERSION, {**arrays, "albedo": albedo.mean, "albedo_basis": albedo.basis})
    held = np.flatnonzero(_teachable(corpus) & corpus.validation)
    if not len(held):
        return {}
    learned = Learned(model.mean_mm, model.identity_mm, model.expression_mm, model.mirror_index, np.zeros(0))
    return residual_share(learned, *_rows(corpus, held))


def _teachable(corpus: Corpus) -> np.ndarray:
    """bool [N]: not the crops of 80 px, which add noise rather than shape, nor what was made from a model."""
    kept: np.ndarray = corpus.kind < KINDS.index("aflw")
    return kept


def _learn_geometry(corpus: Corpus, path: Path) -> None:
    chosen = np.flatnonzero(_teachable(corpus) & ~corpus.validation)[::EVERY]
    people = len(np.unique(corpus.person[chosen]))
    if 2 * people < IDENTITIES:  # each counts twice, once in the mirror
        raise SourceError(
            f"{people} people are too few for a face model: they and their mirror images differ in {2 * people} ways, "
            f"not {IDENTITIES}; label more, or leave this step out: the networks are then trained through the shipped "
            "model"
        )
    straight = exp_so3(np.array([np.radians(MEAN_LOOKS_DOWN_DEG), 0, 0])).T
    learned = learn(*_rows(corpus, chosen), IDENTITIES, straight)
    _write(path, learned, corpus, chosen)


def _rows(corpus: Corpus, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    person = np.unique(corpus.person[chosen], return_inverse=True)[1]
    return corpus.landmarks[chosen].astype(np.float64), corpus.scores[chosen].astype(np.float64), person


def _write(path: Path, learned: Learned, corpus: Corpus, chosen: np.ndarray) -> None:
    uv = unwrap(learned)
    one_each = chosen[np.unique(corpus.person[chosen], return_index=True)[1]][:COLOUR_PEOPLE]
    colour = vertex_colour(corpus.patches, corpus.landmarks, one_each)
    save(path, VERSION, {
        "mean_mm": learned.mean_mm, "identity_mm": learned.identity_mm, "expression_mm": learned.expression_mm,
        "triangles": triangulate(uv, learned.mirror_index), "uv": uv,
        "albedo": (colour + colour[learned.mirror_index]) / 2, "mirror_index": learned.mirror_index,
    })  # fmt: skip

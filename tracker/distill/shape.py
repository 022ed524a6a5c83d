"""The face model from a packed corpus, start to end: learn, triangulate, colour, write.

Given the corpus it chooses the faces to learn from and reports how well held-out people are explained. It needs no
torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.distill.corpus import KINDS, Corpus
from tracker.distill.mesh import triangulate, unwrap, vertex_colour
from tracker.distill.morphable import Learned, learn, residual_share
from tracker.face.model import save
from tracker.face.pose import exp_so3
from tracker.regress.outputs import IDENTITIES

VERSION = "1.0"
# Where the mean of the training faces looks, against the teacher's own canonical frame: median of 449 faces spread
# over the training clips (spread 1.3 degrees; yaw and roll are zero by symmetry).
MEAN_LOOKS_DOWN_DEG = 3.6
EVERY = 2
COLOUR_PEOPLE = 600


def build_model(corpus: Corpus, path: Path) -> dict[str, float]:
    """Learn the model and write it to `path`; returns the residuals on held-out people, percent of inter-ocular."""
    teachable = corpus.kind != KINDS.index("aflw")  # crops of 80 px add noise, not shape
    chosen = np.flatnonzero(teachable & ~corpus.validation)[::EVERY]
    straight = exp_so3(np.array([np.radians(MEAN_LOOKS_DOWN_DEG), 0, 0])).T
    learned = learn(*_rows(corpus, chosen), IDENTITIES, straight)
    _write(path, learned, corpus, chosen)
    return residual_share(learned, *_rows(corpus, np.flatnonzero(teachable & corpus.validation)))


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

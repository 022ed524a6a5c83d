"""Tuning touches the last layers alone, goes as far as blocks of the footage show, and stops when time is up."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.corpus import load  # noqa: E402
from tracker.distill.lessons import fit_poses  # noqa: E402
from tracker.distill.losses import Objective  # noqa: E402
from tracker.distill.own import sequences  # noqa: E402
from tracker.distill.student import Decoder  # noqa: E402
from tracker.distill.thaw import thaw  # noqa: E402
from tracker.distill.tune import BLOCKS, WAYS, TuneSettings, best_way, between, blocks_of, look_at, tuned  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402

FEW = TuneSettings(batch=4, drawn=4, steps=3)


@pytest.fixture
def footage(small_cache: Path):
    """The faces of one person, six of every clip's eight to learn from, and the shipped network."""
    corpus = load(small_cache)
    corpus = replace(corpus, person=np.zeros(len(corpus), np.int32), validation=np.arange(len(corpus)) % 8 > 5)
    return thaw()[0], corpus


def test_blocks_are_parts_of_time_and_leave_out_what_is_held(footage):
    _, corpus = footage
    blocks = blocks_of(corpus)
    assert (blocks[corpus.validation] == -1).all()
    assert len(set(np.bincount(blocks[~corpus.validation], minlength=BLOCKS))) == 1
    order = np.concatenate([rows[~corpus.validation[rows]] for rows in sequences(corpus.kind, corpus.clip)])
    assert (np.diff(blocks[order]) >= 0).all()
    for clip in np.unique(corpus.clip[corpus.kind == 0]):
        rows = order[corpus.clip[order] == clip]
        assert (np.diff(rows) == 1).all(), "in their order of time"


def test_only_the_last_layers_move_and_each_way_lies_between(footage):
    net, corpus = footage
    model = FaceModel.load()
    seen = look_at(net, (corpus, fit_poses(corpus, model)), None, FEW)
    assert len(seen.pages) == BLOCKS and not seen.others
    objective = Objective(Decoder(model), torch.full((52,), 0.1))
    pages = [page for pages in seen.pages for page in pages]
    end = tuned(net, pages, [], objective, FEW)
    first, last, half = (who.state_dict() for who in (net, end, between(net, end, 0.5)))
    moved = {name.split(".")[0] for name in first if not torch.equal(first[name], last[name])}
    assert moved == {"neck", "head"}
    torch.testing.assert_close(half["head.weight"], (first["head.weight"] + last["head.weight"]) / 2)
    late = tuned(net, pages, [], objective, FEW, until=time.monotonic() - 1)
    assert torch.equal(late.head.weight, net.head.weight)


@pytest.mark.parametrize(
    ("landmarks", "shapes", "way"),
    [((2.0, 1.8, 1.6), (0.3, 0.3, 0.3), 0.5), ((2.0, 1.8, 1.6), (0.3, 0.29, 0.36), 0.25),
     ((2.0, 2.1, 2.2), (0.3, 0.31, 0.32), 0.0), ((2.0, 2.0, 2.0), (0.3, 0.28, 0.25), 0.5)],
)  # fmt: skip
def test_the_way_gains_most_without_paying_for_it(landmarks, shapes, way):
    errors = np.stack([landmarks, shapes], 1)[None].repeat(BLOCKS, 0)
    assert errors.shape[1] == len(WAYS) and best_way(errors) == way

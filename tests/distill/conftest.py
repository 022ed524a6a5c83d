"""A corpus small enough to train on within a test: the face model's own landmarks over painted patches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tracker.face.model import FaceModel

PER_CLIP = 8


def _write_corpus(cache: Path, *, open_people: tuple[int, ...] = (), people: int = 4) -> Path:
    """Clips and stills of some people, the last of them kept aside, packed into `cache`; returns `cache`."""
    from tracker.distill.corpus import Corpus

    rng, model = np.random.default_rng(0), FaceModel.load()
    count = people * PER_CLIP * 2
    person = np.repeat(np.arange(people), PER_CLIP * 2).astype(np.int32)
    kind = np.tile(np.repeat([0, 1], PER_CLIP), people).astype(np.int8)
    scores = rng.uniform(0, 0.4, (count, 52)).astype(np.float32)
    shape = model.mean_mm + np.einsum("nk,kvi->nvi", scores, model.expression_mm)
    landmarks = (shape * 0.7 + [112, 90, 0] + rng.normal(0, 3, (count, 1, 3))).astype(np.float32)
    patches = rng.integers(0, 60, (count, 224, 224, 3), np.uint8)
    for patch, points in zip(patches, landmarks, strict=True):
        at = points[:, :2].astype(int)
        patch[at[:, 1], at[:, 0]] = 255
    columns = {
        "landmarks": landmarks, "scores": scores, "person": person, "kind": kind,
        "clip": (person * 2 + kind).astype(np.int32), "validation": person == people - 1,
        "open_licence": np.isin(person, open_people),
    }  # fmt: skip
    assert {"patches", *columns} == set(Corpus.__slots__)
    folder = cache / "corpus"
    folder.mkdir(parents=True)
    (folder / "patches.raw").write_bytes(patches.tobytes())
    np.savez(folder / "labels.npz", **columns)
    return cache


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., Path]:
    """The function that packs a corpus, for another one than `small_cache`."""
    return _write_corpus


@pytest.fixture(scope="session")
def write_model() -> Callable[..., FaceModel]:
    """A function that writes a face model into a cache: the shipped one with a grey face and, if asked, larger."""
    from tracker.distill.current import FILE, GEOMETRY
    from tracker.face.model import save

    def write(cache: Path, larger: float = 1.0) -> FaceModel:
        model = FaceModel.load()
        arrays = {name: getattr(model, name) for name in (*GEOMETRY, "albedo_basis")}
        arrays |= {"mean_mm": model.mean_mm * larger, "albedo": model.albedo * 0 + 128}
        save(cache / FILE, "2.0", arrays)
        return FaceModel.load(cache / FILE)

    return write


@pytest.fixture
def small_cache(tmp_path: Path) -> Path:
    """A cache with a packed corpus of 64 faces of four people, nobody's openly licensed but the first's."""
    return _write_corpus(tmp_path / "cache", open_people=(0,))

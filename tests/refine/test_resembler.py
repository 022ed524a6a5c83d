"""What is remembered of a face from look to look, and that the kernel is given what the stage's constants say."""

from __future__ import annotations

from importlib.resources import files

import av
import numpy as np
import pytest

from tests.refine.test_compare import a_look
from tests.refine.test_fit import a_guess
from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.pipeline import Pipeline
from tracker.refine.fit import Fit, Refiner
from tracker.refine.resembler import Resembler
from tracker.regress.outputs import CROP_PX
from tracker.regress.regressor import Guess
from tracker.source import frame_from_image

MODEL = FaceModel.load()


def test_identity_settles_and_does_not_mix_people() -> None:
    resembler, refiner = Resembler(1, MODEL, choose().resemble), Refiner(1, MODEL)
    rng = np.random.default_rng(0)
    for _ in range(200):
        guess = a_guess(Roi(0, 0, 100, 0), identity=1 + rng.normal(0, 1, 64))
        resembler(guess, refiner(guess, 0, 5), 0)
    assert abs(resembler.identity_of(0) - 1).mean() < 0.15
    guess = a_guess(Roi(0, 0, 100, 0), identity=-2)
    resembler(guess, refiner(guess, 0, 6), 0)
    assert np.allclose(resembler.identity_of(0), -2)


def test_forgotten_faces_are_new_again() -> None:
    resembler, refiner = Resembler(2, MODEL, choose().resemble), Refiner(1, MODEL)
    first, second = (a_look(np.full((3, CROP_PX, CROP_PX), grey, np.float32)) for grey in (60.0, 180.0))
    resembler(first, refiner(first, 0), 1)
    alone = resembler.lighting_of(1).copy()
    resembler(second, refiner(second, 0), 0)
    assert np.array_equal(resembler.lighting_of(1), alone), "each slot has its own"
    resembler(second, refiner(second, 0), 1)
    mixed = resembler.lighting_of(1).copy()
    resembler.reset()
    resembler(second, refiner(second, 0), 1)
    assert np.array_equal(resembler.lighting_of(1), resembler.lighting_of(0)) and not np.array_equal(mixed, alone)


class Both:
    """A stage on numba whose every look goes through the reference as well, each with its own memories."""

    def __init__(self, resembler: Resembler) -> None:
        self.resembler, self.plain = resembler, Resembler(1, MODEL, choose("reference").resemble)
        self.pairs: list[tuple[Fit, Fit]] = []

    def __call__(self, guess: Guess, fit: Fit, slot: int) -> Fit:
        found, wanted = self.resembler(guess, fit, slot), self.plain(guess, fit, slot)
        self.pairs.append((found, wanted))
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self.resembler, name)


@pytest.fixture(scope="module")
def both() -> Both:
    """After some frames of the bundled clip."""
    pipeline = Pipeline()
    pipeline.resembler = both = Both(pipeline.resembler)  # type: ignore[assignment]
    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        for k, frame in enumerate(container.decode(video=0)):
            pipeline.track(frame_from_image(frame.to_ndarray(format="rgb24"), k / 30))
            if k == 24:
                break
    return both


def test_a_real_face_is_that_of_the_plain_sequence(both: Both) -> None:
    """Through the looks at a new face and beyond, each with memories of its own."""
    assert len(both.pairs) == 25
    for found, wanted in both.pairs:
        np.testing.assert_allclose(found.expression, wanted.expression, atol=2e-5)
        np.testing.assert_allclose(found.rotation, wanted.rotation, atol=2e-6)
        np.testing.assert_allclose(found.center_px, wanted.center_px, atol=1e-4)
        np.testing.assert_allclose(found.region_confidence, wanted.region_confidence, atol=1e-5)
        assert found.scale_px_per_mm == pytest.approx(wanted.scale_px_per_mm, rel=1e-6)
        assert found.trust == pytest.approx(wanted.trust, abs=1e-5)
    np.testing.assert_allclose(both.resembler.identity_of(0), both.plain.identity_of(0), atol=1e-5)
    np.testing.assert_allclose(both.resembler.lighting_of(0), both.plain.lighting_of(0), atol=1e-5)
    assert np.array_equal(both.resembler.seen.ids, both.plain.seen.ids)

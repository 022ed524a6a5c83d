"""Lift and align by the batch are the processor's, where a pose follows from the guides and where none does."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.device.mesh import mesh_on  # noqa: E402
from tracker.device.pose import Lift, square_of  # noqa: E402
from tracker.device.rotation import Rotations  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.refine.fit import Refiner  # noqa: E402
from tracker.regress.outputs import SLICES  # noqa: E402
from tracker.regress.regressor import Guess, _presence  # noqa: E402


@pytest.fixture(scope="module")
def vectors(looks):
    """The clip's, and ones from which no pose follows: a shapeless one, a mirrored one, a crowded one, wild ones."""
    rng = np.random.default_rng(0)
    rows = [look.vector.copy() for look in looks[:8]]
    mirrored, crowded, endless = (looks[0].vector.copy() for _ in range(3))
    guides = mirrored[SLICES["guides"]].reshape(-1, 3)
    guides[:, 0] = -2 * np.linspace(-1, 1, len(guides))
    crowded[SLICES["guides"]] = -100 * np.tile([0.005, 0.005, 0.005], len(guides))
    endless[SLICES["guides"].start] = np.nan
    rows += [mirrored, crowded, endless, *rng.normal(0, 2, (4, len(rows[0]))).astype(np.float32)]
    return np.stack(rows)


def test_fits_equal_the_refiners(here, vectors):
    model = FaceModel.load()
    rng = np.random.default_rng(1)
    count = len(vectors)
    squares = np.stack([
        rng.uniform(-50, 1900, count), rng.uniform(0, 1000, count), rng.uniform(40, 900, count),
        rng.uniform(-math.pi, math.pi, count),
    ], 1)  # fmt: skip
    found = Lift(mesh_on(model, here), Rotations(here))(torch.from_numpy(vectors))
    pose = found.pose.placed(square_of(torch.from_numpy(squares)), 1)
    refiner, aligned = Refiner(1, model), 0
    for row, (vector, square) in enumerate(zip(vectors, squares, strict=True)):
        wanted = refiner(Guess(Roi(*square.tolist()), np.empty(0), vector, _presence(vector)), 0)
        np.testing.assert_allclose(pose.rotation[row], wanted.rotation, atol=1e-9)
        np.testing.assert_allclose(pose.center_px[row], wanted.center_px, atol=1e-6)
        assert pose.scale[row, 0] == pytest.approx(wanted.scale_px_per_mm, rel=1e-9)
        np.testing.assert_array_equal(found.expression[row], wanted.expression)
        np.testing.assert_allclose(found.std[row, :52], wanted.expression_std, rtol=1e-6)
        np.testing.assert_allclose(found.trust[row], wanted.region_confidence, rtol=1e-6, atol=1e-9)
        assert found.presence[row, 0] == pytest.approx(wanted.presence, rel=1e-6)
        assert bool(found.plausible[row, 0]) == wanted.plausible
        aligned += wanted.plausible
    assert 8 <= aligned < count, "some rows have no pose to follow"


def test_a_crop_sees_what_fits_see(here, looks):
    model, roi = FaceModel.load(), Roi(300.0, 200.0, 160.0, 0.3)
    lifted = Lift(mesh_on(model, here), Rotations(here))(torch.from_numpy(looks[0].vector[None]))
    wanted = Refiner(1, model)(Guess(roi, np.empty(0), looks[0].vector, _presence(looks[0].vector)), 0)
    inside = lifted.pose.enlarged(64)
    square = square_of(torch.tensor([[300.0, 200.0, 160.0, 0.3]], dtype=torch.float64))
    seen = inside.placed(square, 64)
    np.testing.assert_allclose(seen.rotation[0], wanted.rotation, atol=1e-9)
    np.testing.assert_allclose(seen.center_px[0], wanted.center_px, atol=1e-9)
    assert seen.scale[0, 0] == pytest.approx(wanted.scale_px_per_mm, rel=1e-9)
    assert inside.scale[0, 0] == pytest.approx(64 / 160 * wanted.scale_px_per_mm, rel=1e-9)

"""Several looks at one face become one fit."""

import numpy as np

from tests.refine.test_fit import a_guess
from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.face.pose import geodesic_rad
from tracker.refine.consensus import consensus, kept
from tracker.refine.fit import Refiner

REFINER = Refiner(1, FaceModel.load())


def looks(*turns, **parts):
    """A fit per roll of the square, in which the head is upright."""
    return [kept(REFINER(a_guess(Roi(100, 80, 200, turn), **parts), 0)) for turn in turns]


def test_of_one_look_nothing_changes():
    (fit,) = looks(0.3)
    assert consensus(fit, []) is fit


def test_looks_that_err_to_both_sides_meet_in_the_middle():
    left, straight, right = looks(-0.2, 0.0, 0.2)
    mean = consensus(left, [right])
    assert geodesic_rad(mean.rotation, straight.rotation) < 1e-9
    assert np.allclose(mean.rotation @ mean.rotation.T, np.eye(3)) and np.linalg.det(mean.rotation) > 0
    assert np.allclose(mean.center_px, (left.center_px + right.center_px) / 2)


def test_sizes_have_a_geometric_mean():
    small, middle, large = (kept(REFINER(a_guess(Roi(100, 80, side, 0)), 0)) for side in (100, 200, 400))
    assert np.isclose(consensus(small, [large]).scale_px_per_mm, middle.scale_px_per_mm)


def test_coefficients_have_a_plain_mean():
    mean = consensus(looks(0.0, expression=0.2)[0], looks(0.1, expression=0.6))
    assert np.allclose(mean.expression, 0.4) and mean.expression.dtype == np.float32


def test_what_is_not_averaged_is_the_looks_own():
    first, second = looks(0.0, identity=1.0)[0], looks(0.4, identity=-1.0)[0]
    mean = consensus(first, [second])
    assert mean.presence == first.presence and mean.expression_std is first.expression_std
    assert np.allclose(mean.identity, 0) and np.allclose(first.identity, 1)


def test_a_kept_fit_survives_the_next_look():
    first = kept(REFINER(a_guess(Roi(0, 0, 100, 0), expression=0.5), 0))
    REFINER(a_guess(Roi(0, 0, 100, 0), expression=0.1), 0)
    assert np.allclose(first.expression, 0.5)

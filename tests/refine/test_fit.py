"""From the network's vector to a head in the picture, checked against geometry done by hand."""

import math

import numpy as np
import pytest

from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.refine.fit import Refiner
from tracker.regress.guides import guides_at_rest
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH
from tracker.regress.regressor import Guess


def a_guess(roi, **parts):
    output = np.zeros(WIDTH, np.float32)
    output[SLICES["rotation"]] = [1, 0, 0, 0, 1, 0]
    for name in SLICES:
        if name.endswith("log_std"):
            output[SLICES[name]] = -4
    for name, value in parts.items():
        output[SLICES[name]] = value
    return Guess(roi, np.zeros((3, CROP_PX, CROP_PX), np.float32), output, 0.9)


def test_a_neutral_vector_puts_the_anchor_in_the_middle():
    fit = Refiner(1, FaceModel.load())(a_guess(Roi(200.0, 100.0, ROI_SIDE_MM, 0.0)), 0)
    assert np.isclose(fit.scale_px_per_mm, 1.0)
    assert np.allclose(fit.center_px, [200, 100 - ROI_CENTRE_MM[1]])
    assert np.allclose(fit.rotation, np.eye(3)) and fit.plausible


def test_the_square_of_a_fit_is_the_square_it_came_from():
    roi = Roi(320.0, 240.0, 180.0, 0.4)
    back = Refiner(1, FaceModel.load())(a_guess(roi), 0).roi()
    for name in ("x_px", "y_px", "side_px", "roll_rad"):
        assert math.isclose(getattr(back, name), getattr(roi, name), abs_tol=1e-4)


def test_expression_is_clipped_and_doubt_costs_confidence():
    refiner = Refiner(1, FaceModel.load())
    sure = refiner(a_guess(Roi(0, 0, 100, 0), expression=1.7, region_log_std=-6), 0).region_confidence.copy()
    fit = refiner(a_guess(Roi(0, 0, 100, 0), expression=-0.3, region_log_std=-2), 0)
    assert (fit.expression == 0).all()
    assert (fit.region_confidence < sure * 0.3).all()


def test_a_fit_keeps_its_pose_when_its_slot_is_used_again():
    """A new face's looks are compared with one another."""
    refiner = Refiner(1, FaceModel.load())
    first = refiner(a_guess(Roi(10, 20, 100, 0.1)), 0)
    pose = first.rotation.copy(), first.center_px.copy()
    refiner(a_guess(Roi(300, 20, 300, -0.5), rotation=[1, 0, 0.5, 0, 1, 0]), 0)
    assert np.array_equal(first.rotation, pose[0]) and np.array_equal(first.center_px, pose[1])


def test_far_off_guesses_are_not_followed():
    refiner = Refiner(1, FaceModel.load())
    from_middle = guides_at_rest(FaceModel.load()) - [0.5, 0.5, 0]
    for grown, moved, plausible in ((1.0, 0.0, True), (1.5, 0.3, True), (3.0, 0.0, False), (0.3, 0.0, False),
                                    (1.0, 0.7, False)):  # fmt: skip
        guides = (grown - 1) * from_middle + [moved, 0, 0]
        fit = refiner(a_guess(Roi(50, 90, 100, 0.7), guides=guides.ravel()), 0)
        assert fit.plausible == plausible, (grown, moved)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_guess_with_a_number_that_is_none_is_not_followed(bad):
    refiner, roi = Refiner(1, FaceModel.load()), Roi(50, 90, 100, 0.7)
    for name, place in SLICES.items():
        for at in (place.start, place.stop - 1):
            guess = a_guess(roi)
            guess.output[at] = bad
            assert not refiner(guess, 0).plausible, name
    assert refiner(a_guess(roi), 0).plausible

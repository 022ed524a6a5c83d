"""Variance of identity within and between people, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench.identity import spread_of

# Two coefficients; the first moves every vertex by 2 mm, the second nothing.
BASIS = np.zeros((2, 3, 3))
BASIS[0, :, 0] = 2


def test_variances_by_hand() -> None:
    codes = [
        ("a", np.array([[0.0, 0], [2, 0]])),  # mean 1, variance 2
        ("a", np.array([[3.0, 0], [3, 0]])),  # mean 3, variance 0: a's clips vary by 2, their mean is 2
        ("b", np.array([[4.0, 0], [4, 0]])),
        ("c", np.array([[6.0, 0], [6, 0]])),
        ("d", np.array([[100.0, 0]])),  # one frame says nothing
    ]
    found = spread_of(codes, BASIS)
    assert (found.clips, found.people, found.people_with_several) == (4, 3, 1)
    plain, mm = found.spreads
    assert (plain.unit, plain.within_clip, plain.within_person) == ("coefficients", pytest.approx(0.5), 2)
    assert plain.between == pytest.approx(4)  # of 2, 4 and 6
    assert (mm.within_clip, mm.within_person, mm.between) == pytest.approx((2.0, 8, 16))


def test_what_does_not_move_the_face_counts_in_coefficients_alone() -> None:
    plain, mm = spread_of([("a", np.array([[0.0, 0], [0, 2]]))], BASIS).spreads
    assert (plain.within_clip, mm.within_clip) == (2, 0)
    assert np.isnan(plain.within_person) and np.isnan(plain.between)

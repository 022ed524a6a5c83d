"""`lift`: every implementation against the reference, and what any pose must be."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.lift.cases import CASES, PARTS, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").lift(*wanted)
    choose("numba").lift(*found)
    for a, b in zip(wanted[-4:], found[-4:], strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_any_six_numbers_make_a_rotation(kernels: Kernels, case: Case) -> None:
    arguments = case.arguments()
    kernels.lift(*arguments)
    r = arguments[-1][:9].reshape(3, 3)
    assert np.allclose(r.T @ r, np.eye(3), atol=1e-9) and np.isclose(np.linalg.det(r), 1)


def test_a_turned_square_turns_the_pose_about_its_middle(kernels: Kernels) -> None:
    level, turned = Case("", 300.0, 0.0).arguments(), Case("", 300.0, 0.5).arguments()
    kernels.lift(*level)
    kernels.lift(*turned)
    c, s = np.cos(0.5), np.sin(0.5)
    turn, middle = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), np.array([640.5, 360.25])
    assert np.allclose(turned[-1][:9].reshape(3, 3), turn @ level[-1][:9].reshape(3, 3))
    assert np.allclose(turned[-1][9:11] - middle, turn[:2, :2] @ (level[-1][9:11] - middle))


def test_doubt_costs_trust(kernels: Kernels) -> None:
    sure, unsure = CASES[0].arguments(), CASES[0].arguments()
    unsure[2][PARTS.log_std :] += 2
    kernels.lift(*sure)
    kernels.lift(*unsure)
    assert (unsure[-2] < sure[-2]).all() and unsure[-1][12] < sure[-1][12]


@pytest.mark.parametrize("index", [2, -1])
def test_what_is_too_short_is_named(kernels: Kernels, index: int) -> None:
    arguments = list(CASES[0].arguments())
    arguments[index] = arguments[index][:10]
    with pytest.raises(SettingsError, match="numbers"):
        kernels.lift(*arguments)


@pytest.mark.parametrize("first", [-1, 22])
def test_a_part_that_is_not_in_the_vector_is_named(kernels: Kernels, first: int) -> None:
    arguments = list(CASES[0].arguments())
    arguments[0] = np.array([first, 20, 26, 28, 29])
    with pytest.raises(SettingsError, match="give one that holds every part"):
        kernels.lift(*arguments)

"""`morph`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.morph.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").morph(*wanted)
    choose("numba").morph(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


def test_linear_in_the_weights(kernels: Kernels) -> None:
    mean, basis, weights, out = CASES[0].arguments()
    twice = out.copy()
    kernels.morph(mean, basis, weights, out)
    kernels.morph(mean, basis, 2 * weights, twice)
    np.testing.assert_allclose(twice - mean, 2 * (out - mean), atol=4 * TOLERANCE)


def test_a_rigid_motion_commutes(kernels: Kernels) -> None:
    mean, basis, weights, out = CASES[0].arguments()
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    moved = out.copy()
    kernels.morph(mean, basis, weights, out)
    kernels.morph(mean @ turn + 7, basis @ turn, weights, moved)
    np.testing.assert_allclose(moved, out @ turn + 7, atol=4 * TOLERANCE)


def test_adds_in_place(kernels: Kernels) -> None:
    mean, basis, weights, out = CASES[0].arguments()
    kernels.morph(mean, basis, weights, out)
    kernels.morph(mean, basis, weights, mean)
    np.testing.assert_array_equal(mean, out)


@pytest.mark.parametrize("index,name", [(0, "mean"), (1, "basis"), (2, "basis"), (3, "mean")])
def test_wrong_shapes_are_named(kernels: Kernels, index: int, name: str) -> None:
    arguments = list(CASES[0].arguments())
    arguments[index] = arguments[index][:-1]
    with pytest.raises(SettingsError, match=name):
        kernels.morph(*arguments)


def test_other_types_are_named(kernels: Kernels) -> None:
    mean, basis, weights, out = CASES[0].arguments()
    with pytest.raises(SettingsError, match="float64"):
        kernels.morph(mean.astype(np.float64), basis, weights, out)

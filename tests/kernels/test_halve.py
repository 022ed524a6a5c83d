"""`halve`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.halve.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").halve(*wanted)
    choose("numba").halve(*found)
    assert np.abs(found[-1].astype(int) - wanted[-1]).max() <= TOLERANCE


def test_four_pixels_make_one(kernels: Kernels) -> None:
    picture = np.array([[[0, 1, 255, 255], [2, 3, 255, 254]]], np.float32)
    out = np.zeros((1, 2, 1), np.uint8)
    kernels.halve(picture, out)
    assert out.ravel().tolist() == [2, 255], "1.5 is rounded up"


def test_an_odd_size_is_named(kernels: Kernels) -> None:
    with pytest.raises(SettingsError, match="picture is numpy float32"):
        kernels.halve(np.zeros((3, 5, 4), np.float32), np.zeros((2, 2, 3), np.uint8))

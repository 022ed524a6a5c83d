"""`linearize`: every implementation against the reference, and its laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.gauss_newton import Problem
from tracker.kernels.linearize import POSE, Balance
from tracker.kernels.linearize.cases import BALANCE, CASES, TOLERANCE, Case, difference


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").linearize(*wanted)
    choose("numba").linearize(*found)
    assert difference(found, wanted) <= TOLERANCE


def residual_of(kernels: Kernels, arguments: tuple[Any, ...], vertices: np.ndarray) -> np.ndarray:
    """float32 [R] with the mesh elsewhere."""
    kernels.linearize(vertices.astype(np.float32), *arguments[1:])
    return arguments[-1].residual[0].copy()


def test_the_jacobian_is_the_residuals_slope(kernels: Kernels) -> None:
    arguments = Case("inside", 40, 3, 10, side=32).arguments()
    vertices, about, view, shapes = (array.astype(np.float64) for array in arguments[:4])
    # Between pixel centres, where what is read is smooth.
    vertices[:, :2] = np.floor(np.clip(vertices[:, :2], 3, 28)) + 0.75
    arguments[8][:] = 0
    kernels.linearize(vertices.astype(np.float32), *arguments[1:])
    jacobian = arguments[-1].jacobian[0].copy()
    q = vertices - about
    ways = [np.cross(axis, q) for axis in np.eye(3)] + [np.eye(3)[0] + 0 * q, np.eye(3)[1] + 0 * q, q]
    turned = np.concatenate([view, np.zeros((1, 3))])
    ways += [shape @ turned.T for shape in shapes]
    for parameter, way in enumerate(ways):
        small = 0.1 / max(float(np.abs(way[:, :2]).max()), 1e-9)
        ahead, behind = (residual_of(kernels, arguments, vertices + sign * small * way) for sign in (1, -1))
        slope = (ahead - behind) / (2 * small)
        limit = 0.02 * np.abs(jacobian[:, parameter]).max() + 1e-3
        np.testing.assert_allclose(slope, jacobian[:, parameter], rtol=0, atol=limit, err_msg=str(parameter))


def test_beyond_the_picture_brightness_has_no_slope(kernels: Kernels) -> None:
    arguments = CASES[0].arguments()
    arguments[0][:, :2] = [-30, 200]
    kernels.linearize(*arguments)
    problem = arguments[-1]
    assert (problem.jacobian[0, :478] == 0).all() and np.isfinite(problem.residual).all()


def test_each_landmark_counts_by_its_doubt_down_to_the_least(kernels: Kernels) -> None:
    arguments = list(Case("two", 4, 0, 2, side=8).arguments())
    vertices, at, landmarks, std = arguments[0], arguments[7], arguments[8], arguments[9]
    at[:], landmarks[:] = [1, 2], vertices[[1, 2], :2] - 3
    std[:] = [1.5, 0.01]
    kernels.linearize(*arguments)
    found = arguments[-1].residual[0, 4:]
    np.testing.assert_allclose(found, [2, 2, 3 / BALANCE.least_std_px, 3 / BALANCE.least_std_px], rtol=1e-4)


def test_bad_input_is_named(kernels: Kernels) -> None:
    arguments = list(CASES[1].arguments())
    with pytest.raises(SettingsError, match="landmarks at vertices -1 to"):
        kernels.linearize(*arguments[:7], np.array([-1, 0, 8], np.int32), *arguments[8:])
    with pytest.raises(SettingsError, match="spreads above 0"):
        kernels.linearize(*arguments[:10], Balance(1, 0, 1, 1), arguments[-1])
    with pytest.raises(SettingsError, match="target is numpy int64"):
        kernels.linearize(*arguments[:6], arguments[6].astype(np.int64), *arguments[7:])
    other = Problem(*(np.zeros((1, *s), np.float32) for s in ((5,), (5, POSE), (5,), (POSE,), (POSE,))),
                    np.zeros(1, np.float32))  # fmt: skip
    with pytest.raises(SettingsError, match="jacobian is numpy"):
        kernels.linearize(*arguments[:-1], other)

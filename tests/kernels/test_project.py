"""`project`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.project.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").project(*wanted)
    choose("numba").project(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


def test_the_axes_are_the_cameras(kernels: Kernels) -> None:
    out = np.full((3, 3), np.nan, np.float32)
    kernels.project(np.eye(3, dtype=np.float32), np.eye(3), 2.0, np.array([10.0, 20.0]), out)
    np.testing.assert_allclose(out, [[12, 20, 0], [10, 22, 0], [10, 20, 2]])


def test_distances_scale(kernels: Kernels) -> None:
    vertices, rotation, scale, center, out = CASES[1].arguments()
    kernels.project(vertices, rotation, scale, center, out)
    wanted = scale * np.linalg.norm(vertices[1:] - vertices[:-1], axis=1)
    np.testing.assert_allclose(np.linalg.norm(out[1:] - out[:-1], axis=1), wanted, rtol=1e-4)


def test_float32_poses_are_taken(kernels: Kernels) -> None:
    vertices, rotation, scale, center, out = CASES[1].arguments()
    single = out.copy()
    kernels.project(vertices, rotation, scale, center, out)
    kernels.project(vertices, rotation.astype(np.float32), np.float32(scale), center.astype(np.float32), single)
    np.testing.assert_allclose(single, out, atol=1e-3)


def test_wrong_shapes_are_named(kernels: Kernels) -> None:
    vertices, rotation, scale, center, out = CASES[1].arguments()
    with pytest.raises(SettingsError, match="vertices_head_mm"):
        kernels.project(vertices[:-1], rotation, scale, center, out)
    with pytest.raises(SettingsError, match="rotation"):
        kernels.project(vertices, rotation[:2], scale, center, out)
    with pytest.raises(SettingsError, match="out is numpy float64"):
        kernels.project(vertices, rotation, scale, center, out.astype(np.float64))

"""`portray`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.portray import DIRECTIONS, ROTATION, ROTATION_RAW, STEEPEST, TRANSLATION, Base
from tracker.kernels.portray.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").portray(*wanted)
    choose("numba").portray(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found[0].vertices_mm, wanted[0].vertices_mm, rtol=0, atol=TOLERANCE)


def test_it_is_morph_and_project(kernels: Kernels) -> None:
    base, lasting, basis, weights, _, rotation, center, scale, *_, out = arguments = CASES[0].arguments()
    vertices, points = base.vertices_mm.copy(), np.zeros_like(base.vertices_mm)
    kernels.portray(*arguments)
    kernels.morph(vertices, base.lasting_mm, lasting, vertices)
    kernels.morph(vertices, basis, weights, vertices)
    kernels.project(vertices, rotation, scale, center, points)
    np.testing.assert_allclose(out[: points.size], points.ravel(), atol=TOLERANCE)


def test_small_changes_wait_and_add_up(kernels: Kernels) -> None:
    case = Case("", step_mm=0.5)
    base, lasting, *rest = case.arguments()
    kernels.portray(base, lasting, *rest)
    before, held = base.vertices_mm.copy(), base.folded.copy()
    for _ in range(3):
        lasting = lasting + 0.4 * base.least_change
        kernels.portray(base, lasting, *rest)
    assert not np.array_equal(base.vertices_mm, before) and not np.array_equal(base.folded, held)
    assert (np.abs(lasting - base.folded) < base.least_change).all()
    wanted = case.arguments()[0].vertices_mm + np.einsum("b,bvx->vx", base.folded, base.lasting_mm)
    np.testing.assert_allclose(base.vertices_mm, wanted, atol=1e-3)


def test_a_body_that_faces_the_camera_off_axis_is_turned_towards_it(kernels: Kernels) -> None:
    arguments = list(CASES[0].arguments())
    arguments[5] = arguments[8] = np.eye(3)
    kernels.portray(*arguments)
    after = arguments[-1][3 * 478 :]
    translation = after[TRANSLATION : TRANSLATION + 3]
    for start in (ROTATION, ROTATION_RAW):
        turned = after[start : start + 9].reshape(3, 3)
        assert np.allclose(turned @ turned.T, np.eye(3), atol=1e-6)
    forward = after[ROTATION : ROTATION + 9].reshape(3, 3) @ [0, 0, -1]
    assert np.allclose(forward, -translation / np.linalg.norm(translation), atol=1e-6)
    fx, fy, cx, cy = arguments[11]
    x, y, z = translation
    assert np.allclose([fx * x / z + cx, fy * y / z + cy], arguments[6], atol=1e-3)


@pytest.mark.parametrize("tilt", [0.0, 0.1, 5.0])
def test_directions_are_of_unit_length_and_look_ahead(kernels: Kernels, tilt: float) -> None:
    arguments = Case("", tilt=tilt).arguments()
    kernels.portray(*arguments)
    found = arguments[-1][3 * 478 + DIRECTIONS :].reshape(2, 3)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert (found[:, 2] <= -np.sqrt(1 - STEEPEST**2) + 1e-6).all()


@pytest.mark.parametrize("index", [1, 2, 3, 4, -1])
def test_other_lengths_are_named(kernels: Kernels, index: int) -> None:
    arguments = list(CASES[0].arguments())
    arguments[index] = arguments[index][:-1]
    with pytest.raises(SettingsError, match="must be"):
        kernels.portray(*arguments)


def test_a_base_names_what_is_wrong() -> None:
    mean, lasting = np.zeros((5, 3), np.float32), np.zeros((2, 5, 3), np.float32)
    for bad, says in (
        ((mean.astype(np.float64), lasting), "mean_mm is numpy float64"), ((mean[:4], lasting), "lasting_mm is numpy"),
        ((mean, lasting[:, :, ::2]), "lasting_mm is numpy strided"), ((None, lasting), "mean_mm is NoneType"),
        ((mean[:0], lasting[:, :0]), "a mesh of no vertices"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=says):
            Base(*bad, 0.1)

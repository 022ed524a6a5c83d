"""`normals`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.normals.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").normals(*wanted)
    choose("numba").normals(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


def test_turning_the_mesh_turns_them(kernels: Kernels) -> None:
    vertices, triangles, out = CASES[0].arguments()
    turn = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]], np.float32)
    turned = out.copy()
    kernels.normals(vertices, triangles, out)
    kernels.normals(np.ascontiguousarray(vertices @ turn.T), triangles, turned)
    np.testing.assert_allclose(turned, out @ turn.T, atol=2 * TOLERANCE)


def test_they_point_out_of_a_face_towards_the_camera(kernels: Kernels) -> None:
    model = FaceModel.load()
    out = np.empty((1, *model.mean_mm.shape), np.float32)
    kernels.normals(model.mean_mm[None], model.triangles, out)
    assert (out[0, [4, 9, 152], 2] < -0.5).all(), "nose, forehead and chin look along -z"
    assert out[0, 127, 0] * model.mean_mm[127, 0] > 0, "a temple looks to its own side"


def test_what_has_no_area_has_no_normal(kernels: Kernels) -> None:
    vertices = np.zeros((1, 4, 3), np.float32)
    out = np.full_like(vertices, np.nan)
    kernels.normals(vertices, np.array([[0, 1, 2]], np.int32), out)
    assert (out == 0).all()


def test_a_triangle_of_no_vertex_is_named_and_the_rest_is_done(kernels: Kernels) -> None:
    vertices, triangles, out = CASES[-1].arguments()
    triangles = np.concatenate([triangles, np.array([[0, 1, 99], [-1, 0, 1]], np.int32)])
    with pytest.raises(SettingsError, match="2 triangles name no vertex"):
        kernels.normals(vertices, triangles, out)
    np.testing.assert_allclose(np.linalg.norm(out, axis=2), 1, atol=1e-5)


def test_other_types_are_named(kernels: Kernels) -> None:
    vertices, triangles, out = CASES[-1].arguments()
    with pytest.raises(SettingsError, match="vertices is numpy float64"):
        kernels.normals(vertices.astype(np.float64), triangles, out)
    with pytest.raises(SettingsError, match="triangles is numpy int64"):
        kernels.normals(vertices, triangles.astype(np.int64), out)

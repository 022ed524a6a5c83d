"""Plain torch under the kernels' contracts: the references' results on the kernels' own cases."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device import plain  # noqa: E402
from tracker.device.operators import _on_numpy, least_squares  # noqa: E402
from tracker.kernels.backend import operator  # noqa: E402
from tracker.kernels.gauss_newton import Problem  # noqa: E402
from tracker.kernels.halve import cases as halve  # noqa: E402
from tracker.kernels.linearize import cases as linearize  # noqa: E402
from tracker.kernels.normals import cases as normals  # noqa: E402
from tracker.kernels.relight import Relit  # noqa: E402
from tracker.kernels.relight import cases as relight  # noqa: E402
from tracker.kernels.shade import Surface  # noqa: E402


def tensors(*arrays):
    return [torch.from_numpy(array) if isinstance(array, np.ndarray) else array for array in arrays]


def test_morph_and_project():
    rng = np.random.default_rng(0)
    mean, basis = rng.normal(0, 50, (9, 3)).astype(np.float32), rng.normal(0, 3, (5, 9, 3)).astype(np.float32)
    weights, out = rng.normal(0, 1, (4, 5)).astype(np.float32), torch.empty((4, 9, 3))
    plain.morph(*tensors(mean, basis, weights), out)
    np.testing.assert_allclose(out, mean + np.einsum("bk,kvx->bvx", weights, basis), atol=1e-4)
    turns, scale = rng.normal(0, 1, (4, 3, 3)).astype(np.float32), rng.uniform(1, 3, 4).astype(np.float32)
    center, seen = rng.uniform(0, 900, (4, 3)).astype(np.float32), torch.empty((4, 9, 3))
    plain.project(out, *tensors(turns, scale, center), seen)
    expected = scale[:, None, None] * np.einsum("bij,bvj->bvi", turns, out.numpy()) + center[:, None]
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("case", halve.CASES, ids=lambda case: case.name)
def test_halve(case):
    picture, out = case.arguments()
    wanted = out.copy()
    operator("halve", "reference")[0](picture, wanted)
    if picture.ndim == 3:
        picture, out, wanted = picture[None], out[None], wanted[None]
    found = torch.from_numpy(out)
    plain.halve(torch.from_numpy(picture), found)
    assert np.abs(found.numpy().astype(int) - wanted).max() <= halve.TOLERANCE


@pytest.mark.parametrize("case", normals.CASES, ids=lambda case: case.name)
def test_normals(case):
    vertices, triangles, out = case.arguments()
    wanted = out.copy()
    operator("normals", "reference")[0](vertices, triangles, wanted)
    places, corners = tensors(vertices, triangles)
    found = torch.from_numpy(out)
    plain.Normals(corners, vertices.shape[1])(places, corners, found)
    np.testing.assert_allclose(found, wanted, atol=normals.TOLERANCE)


@pytest.mark.parametrize("case", relight.CASES, ids=lambda case: case.name)
def test_relight(case):
    surface, depth, target, slack, softness, out = case.arguments()
    operator("relight", "reference")[0](surface, depth, target, slack, softness, out)
    there = Surface(*tensors(*(getattr(surface, name) for name in Surface.__slots__)))
    light = Relit(*(torch.full(array.shape, np.nan) for array in (out.lighting, out.seen, out.weight)))
    solve = least_squares(_on_numpy(operator("gauss_newton", "numba")[0]))
    plain.Relight(solve)(there, *tensors(depth, target), slack, softness, light)
    np.testing.assert_allclose(light.seen, out.seen, atol=1e-6)
    np.testing.assert_allclose(light.weight, out.weight, atol=1e-5)
    np.testing.assert_allclose(light.lighting, out.lighting, atol=2e-3)


@pytest.mark.parametrize("case", linearize.CASES, ids=lambda case: case.name)
def test_linearize(case):
    *arguments, balance, problem = case.arguments()
    operator("linearize", "reference")[0](*arguments, balance, problem)
    shared = (3, 7)  # shapes, and the landmarks' vertices
    one = arguments[0].ndim == 2
    many = [array[None] if one and place not in shared else array for place, array in enumerate(arguments)]
    rows = [np.full_like(array, np.nan) for array in (problem.residual, problem.jacobian, problem.weight)]
    found = Problem(*rows, problem.prior, problem.deviation, problem.damping)
    plain.Linearize(torch.from_numpy(arguments[7]))(*tensors(*many), balance, found)
    for ours, theirs in zip(rows, (problem.residual, problem.jacobian, problem.weight), strict=True):
        scale = np.abs(theirs).max() + 1
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=2e-5)

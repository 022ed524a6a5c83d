"""`shade_gradient`: against the reference, finite differences, automatic differentiation, and pictures drawn finely."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.rasterize.cases import Case as Mesh
from tracker.kernels.rasterize.reference import weights as barycentrics
from tracker.kernels.shade import Surface
from tracker.kernels.shade.cases import Case as Shaded
from tracker.kernels.shade.reference import harmonics
from tracker.kernels.shade_gradient import Gradient, ShadeGradient, neighbours_of
from tracker.kernels.shade_gradient.cases import CASES, TOLERANCE, Case, filled

PARTS = ("places", "normals", "albedo", "lighting")
SMALL = Case("small", Shaded("small", Mesh("small", 9, 8, 28, batch=2), regions=3))
WHITE = 1 / 0.282095


@pytest.fixture(scope="module", params=["numba", "reference"])
def gradient(request: pytest.FixtureRequest) -> ShadeGradient:
    return operator("shade_gradient", request.param)[0]


@pytest.fixture(scope="module")
def fast() -> ShadeGradient:
    """For large pictures."""
    return operator("shade_gradient", "numba")[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    operator("shade_gradient", "reference")[0](*wanted)
    operator("shade_gradient", "numba")[0](*found)
    np.testing.assert_allclose(filled(found), filled(wanted), rtol=0, atol=TOLERANCE)


def without_silhouettes(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Every edge has a neighbour that faces the same way: its own triangle."""
    neighbours = np.repeat(np.arange(len(arguments[1]), dtype=np.int32)[:, None], 3, axis=1)
    return arguments[0], neighbours, *arguments[2:]


def energy(parts: dict[str, np.ndarray], arguments: tuple[Any, ...]) -> float:
    """The weighed error in float64, of whatever is seen in each pixel now."""
    surface, _, ids, target, softness, weights, _ = arguments
    total = 0.0
    for image in range(len(ids)):
        colours = parts["albedo"][image] * (harmonics(parts["normals"][image]) @ parts["lighting"][image])
        region = np.where(ids[image] >= 0, surface.regions[ids[image]], -1)
        counted = (region >= 0) & (region < weights.shape[1])
        corners = surface.triangles[ids[image][counted]]
        share = barycentrics(parts["places"][image], corners, np.argwhere(counted))
        away = (share[:, :, None] * colours[corners]).sum(1) - target[image][counted] / 255
        squared = (away**2).sum(1)
        total += float((weights[image][region[counted]] * squared / (squared + softness**2)).sum())
    return total


def parts_of(surface: Surface) -> dict[str, np.ndarray]:
    found = {"places": surface.vertices_px[..., :2], "normals": surface.normals}
    found |= {"albedo": surface.albedo, "lighting": surface.lighting}
    return {name: array.astype(np.float64) for name, array in found.items()}


@pytest.mark.parametrize("part", PARTS)
def test_finite_differences_inside(gradient: ShadeGradient, part: str) -> None:
    arguments = without_silhouettes(SMALL.arguments())
    gradient(*arguments)
    found, here = getattr(arguments[-1], part), parts_of(arguments[0])
    rng = np.random.default_rng(0)
    for _ in range(4):
        way = rng.normal(0, 1, found.shape)
        ahead, back = (energy(here | {part: here[part] + step * way}, arguments) for step in (1e-6, -1e-6))
        # Clipped barycentrics have corners, which a step may cross: hence not closer.
        assert (ahead - back) / 2e-6 == pytest.approx(float((found * way).sum()), rel=2e-3, abs=1e-3)


def test_automatic_differentiation_inside(gradient: ShadeGradient) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    arguments = without_silhouettes(SMALL.arguments())
    surface, _, ids, target, softness, weights, out = arguments
    gradient(*arguments)
    parts = {name: torch.tensor(array, requires_grad=True) for name, array in parts_of(surface).items()}
    total = torch.zeros((), dtype=torch.float64)
    for image in range(len(ids)):
        x, y, z = parts["normals"][image].T
        rows = [x * 0 + 1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
        constants = torch.tensor(harmonics(np.array([[0.6, 0.48, 0.64]]))[0])
        at = torch.tensor([1, 0.48, 0.64, 0.6, 0.6 * 0.48, 0.48 * 0.64, 3 * 0.64**2 - 1, 0.6 * 0.64, 0.6**2 - 0.48**2])
        light = (torch.stack(rows, 1) * constants / at.double()) @ parts["lighting"][image]
        colours = parts["albedo"][image] * light
        region = np.where(ids[image] >= 0, surface.regions[ids[image]], -1)
        counted = (region >= 0) & (region < weights.shape[1])
        corners = torch.tensor(surface.triangles[ids[image][counted]]).long()
        centre = torch.tensor(np.argwhere(counted)[:, None, ::-1] + 0.5)
        x, y = (parts["places"][image][corners] - centre).unbind(2)
        edge = x.roll(-1, 1) * y.roll(1, 1) - x.roll(1, 1) * y.roll(-1, 1)
        share = (edge / edge.sum(1, keepdim=True)).clamp(0, 1)
        share = share / share.sum(1, keepdim=True)
        away = (share[:, :, None] * colours[corners]).sum(1) - torch.tensor(target[image][counted] / 255)
        squared = (away**2).sum(1)
        total = total + (torch.tensor(weights[image][region[counted]]) * squared / (squared + softness**2)).sum()
    total.backward()
    for part in PARTS:
        wanted = parts[part].grad.numpy()
        np.testing.assert_allclose(getattr(out, part), wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


def even(points: list[list[float]], triangles: list[list[int]], regions: list[int], greys: list[float]) -> Surface:
    """A surface whose every vertex has one grey, whatever the normal."""
    vertices = np.array([points], np.float32)
    albedo = np.repeat(np.array(greys, np.float32)[None, :, None], 3, axis=2)
    light = np.zeros((1, 9, 3), np.float32)
    light[:, 0] = WHITE
    normals = np.zeros_like(vertices) + np.float32([0, 0, -1])
    return Surface(vertices, np.array(triangles, np.int32), normals, albedo, light, np.array(regions, np.int32))


def of_places(gradient: ShadeGradient, surface: Surface, side_px: int, weights: list[float]) -> np.ndarray:
    """dE by places before a black photograph."""
    count = surface.vertices_px.shape[1]
    ids, depth = np.empty((1, side_px, side_px), np.int32), np.empty((1, side_px, side_px), np.float32)
    operator("rasterize", "numba")[0](surface.vertices_px, surface.triangles, ids, depth)
    shapes = ((1, count, 2), (1, count, 3), (1, count, 3), (1, 9, 3))
    out = Gradient(*(np.full(shape, np.nan, np.float32) for shape in shapes))
    target = np.zeros((*ids.shape, 3), np.uint8)
    gradient(surface, neighbours_of(surface.triangles), ids, target, 0.5, np.array([weights], np.float32), out)
    return out.places[0]


def rho(grey: float) -> float:
    return 3 * grey**2 / (3 * grey**2 + 0.25)


def area_slopes(points: np.ndarray) -> np.ndarray:
    """How the area [3, 2] of a triangle grows with its corners' places."""
    after, before = points[[1, 2, 0]], points[[2, 0, 1]]
    sign = np.sign(np.linalg.det(points[1:] - points[0]))
    return sign / 2 * np.stack([(after - before)[:, 1], (before - after)[:, 0]], 1)


TRIANGLE = [[21.2, 24.4, 1.0], [46.8, 231.6, 1.0], [232.8, 93.6, 1.0]]


def test_growing_a_triangle_costs_its_error_times_its_area(fast: ShadeGradient) -> None:
    found = of_places(fast, even(TRIANGLE, [[0, 1, 2]], [0], [0.5] * 3), 256, [1.5])
    wanted = 1.5 * rho(0.5) * area_slopes(np.array(TRIANGLE)[:, :2])
    np.testing.assert_allclose(found, wanted, atol=0.03 * np.abs(wanted).max())


def test_before_another_surface_it_costs_the_difference(fast: ShadeGradient) -> None:
    behind = [[-300.0, -300, 2], [-300, 900, 2], [900, -300, 2]]
    surface = even(TRIANGLE + behind, [[3, 4, 5], [0, 1, 2]], [1, 0], [0.3] * 3 + [0.9] * 3)
    found = of_places(fast, surface, 256, [1.0, 2.0])
    wanted = (rho(0.3) - 2 * rho(0.9)) * area_slopes(np.array(TRIANGLE)[:, :2])
    np.testing.assert_allclose(found[:3], wanted, atol=0.03 * np.abs(wanted).max())
    np.testing.assert_allclose(found[3:], 0, atol=1e-5)  # its edges are outside of the picture


def test_an_edge_within_a_surface_is_no_silhouette(gradient: ShadeGradient) -> None:
    points = [[8.2, 8.1, 1], [55.3, 9.4, 1], [54.1, 56.6, 1], [9.7, 55.2, 1], [30.4, 33.3, 1]]
    surface = even(points, [[4, 1, 0], [4, 2, 1], [4, 3, 2], [4, 0, 3]], [0] * 4, [0.5] * 5)
    found = of_places(gradient, surface, 64, [1.0])
    assert np.abs(found[4]).max() < 1e-4 < 1 < np.abs(found[:4]).min()
    # Moving all of it costs nothing, but for a line at a tip that has no pixel.
    np.testing.assert_allclose(found.sum(0), 0, atol=2 * rho(0.5))


def test_a_ball_has_its_silhouette_where_it_turns_away(gradient: ShadeGradient) -> None:
    """Grown by a share it covers twice that share more, which the picture drawn eight times as fine says too."""
    mesh = dataclasses.replace(Mesh("ball", 24, 18, 64, closed=True), size=0.8)
    vertices, triangles = mesh.mesh()
    even_ball = even(vertices[0].tolist(), triangles.tolist(), [0] * len(triangles), [0.5] * vertices.shape[1])
    found = of_places(gradient, even_ball, 64, [1.0])
    areas = []
    for share in (0.97, 1.03):
        fine = vertices * np.float32([8, 8, 1])
        middle = fine[..., :2].mean(1, keepdims=True)
        fine[..., :2] = middle + share * (fine[..., :2] - middle)
        ids, depth = np.empty((1, 512, 512), np.int32), np.empty((1, 512, 512), np.float32)
        operator("rasterize", "numba")[0](fine, triangles, ids, depth)
        areas.append((ids >= 0).sum() / 64)
    middle = vertices[0, :, :2].mean(0)
    along = float((found * (vertices[0, :, :2] - middle)).sum())
    assert along == pytest.approx(rho(0.5) * (areas[1] - areas[0]) / 0.06, rel=0.05)


def test_neighbours() -> None:
    triangles = np.array([[0, 1, 2], [2, 1, 3], [3, 1, 2], [4, 5, 6]], np.int32)
    # Three share the edge from 1 to 2, and two each of the others of 3.
    np.testing.assert_array_equal(neighbours_of(triangles), [[-1, -1, -1], [2, 2, -1], [-1, 1, 1], [-1, -1, -1]])
    np.testing.assert_array_equal(neighbours_of(triangles[:2]), [[1, -1, -1], [-1, -1, 0]])
    assert neighbours_of(np.empty((0, 3), np.int32)).shape == (0, 3)


def test_the_same_bits_on_every_run() -> None:
    arguments = SMALL.arguments()
    found = []
    for _ in range(2):
        operator("shade_gradient", "numba")[0](*arguments)
        found.append(b"".join(getattr(arguments[-1], part).tobytes() for part in PARTS))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (1, lambda neighbours: neighbours[:-1], "neighbours is"),
        (1, lambda neighbours: neighbours + 1000, "a triangle's neighbour is 1"),
        (2, lambda ids: ids[:1], "vertices_px is"),
        (3, lambda target: target.astype(np.float32), "target is numpy float32"),
        (4, lambda softness: 0.0, "softness 0.0"),
        (5, lambda weights: weights.astype(np.float64), "weights is numpy float64"),
    ],
)
def test_wrong_arguments_are_named(gradient: ShadeGradient, place: int, change: Any, message: str) -> None:
    arguments = list(SMALL.arguments())
    arguments[place] = change(arguments[place])
    with pytest.raises(SettingsError, match=message):
        gradient(*arguments)

"""`shade`: every implementation against the reference, and its laws."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.shade import Shade, Shaded, Surface
from tracker.kernels.shade.cases import CASES, TOLERANCE, Case, filled
from tracker.kernels.shade.reference import harmonics

ONE = CASES[1]


@pytest.fixture(scope="module", params=["numba", "reference"])
def shade(request: pytest.FixtureRequest) -> Shade:
    return operator("shade", request.param)[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    operator("shade", "reference")[0](*wanted)
    operator("shade", "numba")[0](*found)
    np.testing.assert_allclose(filled(found), filled(wanted), rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(found[-1].pixels, wanted[-1].pixels)


def test_linear_in_the_lighting(shade: Shade) -> None:
    pictures = []
    lights = [np.random.default_rng(k).normal(0, 1, (3, 9, 3)).astype(np.float32) for k in range(2)]
    for light in (*lights, lights[0] + 2 * lights[1]):
        surface, ids, target, softness, out = ONE.arguments()
        shade(dataclasses.replace(surface, lighting=light), ids, target, softness, out)
        pictures.append((out.colours, out.image))
    for first, second, both in zip(*pictures, strict=True):
        np.testing.assert_allclose(both, first + 2 * second, atol=1e-5)


def test_an_even_light_on_an_even_surface_is_even(shade: Shade) -> None:
    surface, ids, target, softness, out = ONE.arguments()
    surface.lighting[:] = 0
    surface.lighting[:, 0] = 1 / 0.282095
    surface.albedo[:] = [0.2, 0.5, 0.8]
    shade(surface, ids, target, softness, out)
    shown = ids >= 0
    np.testing.assert_allclose(out.image[shown], np.tile([0.2, 0.5, 0.8], (shown.sum(), 1)), atol=1e-6)
    assert (out.image[~shown] == 0).all()


def test_the_light_comes_from_where_the_normal_looks(shade: Shade) -> None:
    """A light of y alone: as bright as the normal points down, in camera axes."""
    surface, ids, target, softness, out = ONE.arguments()
    surface.lighting[:] = 0
    surface.lighting[:, 1] = 1
    shade(surface, ids, target, softness, out)
    np.testing.assert_allclose(out.colours, surface.albedo * 0.488603 * surface.normals[..., 1:2], atol=1e-6)


def count(surface: Surface, ids: np.ndarray, regions: int) -> np.ndarray:
    """Pixels of every picture's regions, by looking at each."""
    numbers = [surface.regions[picture[picture >= 0]] for picture in ids]
    return np.stack([[(picture == region).sum() for region in range(regions)] for picture in numbers])


def test_a_photograph_that_is_the_picture_has_no_error(shade: Shade) -> None:
    surface, ids, target, softness, out = ONE.arguments()
    surface.lighting[:, 1:] *= 0.1
    shade(surface, ids, target, softness, out)
    target[:] = np.round(out.image.clip(0, 1) * 255)
    shade(surface, ids, target, softness, out)
    np.testing.assert_array_equal(out.pixels, count(surface, ids, ONE.regions))
    assert (out.error < out.pixels * 1e-3).all() and out.pixels.all()


def test_what_covers_a_region_raises_its_error_alone(shade: Shade) -> None:
    surface, ids, target, softness, out = ONE.arguments()
    surface.lighting[:, 1:] *= 0.1
    shade(surface, ids, target, softness, out)
    target[:] = np.round(out.image.clip(0, 1) * 255)
    number = np.where(ids >= 0, surface.regions[ids], -1)
    target[number == 2] = [0, 255, 0]
    shade(surface, ids, target, softness, out)
    share = out.error / out.pixels
    assert (share[:, 2] > 0.85).all() and (np.delete(share, 2, 1) < 1e-3).all()


def test_a_pixel_at_the_softness_counts_half(shade: Shade) -> None:
    surface, ids, target, softness, out = ONE.arguments()
    surface.albedo[:] = 0.5
    surface.lighting[:] = 0
    surface.lighting[:, 0] = 1 / 0.282095
    target[:] = 0
    shade(surface, ids, target, float(np.sqrt(3) / 2), out)
    np.testing.assert_allclose(out.error, out.pixels / 2, rtol=1e-5)


def test_what_names_no_triangle_or_no_region_is_not_counted(shade: Shade) -> None:
    surface, ids, target, softness, out = ONE.arguments()
    ids[:, :8] = len(surface.triangles)
    ids[:, 8:9] = [[[-(2**31), 2**31 - 1] * 32]]
    surface.regions[:100] = [-7, 6] * 50
    shade(surface, ids, target, softness, out)
    ids[:, :9] = -1
    np.testing.assert_array_equal(out.pixels, count(surface, ids, ONE.regions))
    assert np.isfinite(out.error).all() and (out.image[:, :9] == 0).all()


def test_a_triangle_without_area_is_an_even_mixture(shade: Shade) -> None:
    vertices = np.full((1, 3, 3), 4.5, np.float32)
    grey = np.ones((1, 3, 3), np.float32) * np.float32([[0.1], [0.3], [0.8]])
    light = np.zeros((1, 9, 3), np.float32)
    light[:, 0] = 1 / 0.282095
    surface = Surface(vertices, np.array([[0, 1, 2]], np.int32), vertices * 0, grey, light, np.zeros(1, np.int32))
    ids, target = np.zeros((1, 8, 8), np.int32), np.zeros((1, 8, 8, 3), np.uint8)
    out = Shaded(grey.copy(), np.empty((1, 1), np.float32), np.empty((1, 1), np.int32),
                 np.full((1, 8, 8, 3), np.nan, np.float32))  # fmt: skip
    shade(surface, ids, target, 0.1, out)
    np.testing.assert_allclose(out.image, 0.4, atol=1e-6)


@pytest.mark.parametrize("backend", ["numba"])
def test_the_same_bits_on_every_run(backend: str) -> None:
    arguments = CASES[0].arguments()
    found = []
    for _ in range(2):
        operator("shade", backend)[0](*arguments)
        found.append(arguments[-1].error.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Surface)])
def test_a_surface_names_what_is_wrong(field: str) -> None:
    surface = ONE.arguments()[0]
    wrong: Any = getattr(surface, field).astype(np.float64)
    with pytest.raises(SettingsError, match=f"{field} is numpy float64"):
        dataclasses.replace(surface, **{field: wrong})
    blamed = {"vertices_px": "normals", "triangles": "regions"}.get(field, field)  # the first that disagrees
    with pytest.raises(SettingsError, match=f"{blamed} is numpy"):
        dataclasses.replace(surface, **{field: getattr(surface, field)[:-1]})


@pytest.mark.parametrize("index", [-1, 468])
def test_a_surface_has_no_triangle_of_no_vertex(index: int) -> None:
    surface = ONE.arguments()[0]
    triangles = surface.triangles.copy()
    triangles[7, 1] = index
    with pytest.raises(SettingsError, match=f"names vertex {index}; there are 0 to 467"):
        dataclasses.replace(surface, triangles=triangles)


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (1, lambda ids: ids[:2], r"target is numpy uint8 \[3, 64, 64, 3\]"),
        (1, lambda ids: ids.astype(np.int64), "ids is numpy int64"),
        (2, lambda target: target.astype(np.float32), "target is numpy float32"),
        (3, lambda softness: 0.0, "softness 0.0"),
        (3, lambda softness: float("nan"), "softness nan"),
        (4, lambda out: dataclasses.replace(out, colours=out.colours[:, :9].copy()), "one batch and one mesh"),
        (4, lambda out: dataclasses.replace(out, image=out.image[:, 1:].copy()), "image is"),
    ],
)
def test_wrong_arguments_are_named(shade: Shade, place: int, change: Any, message: str) -> None:
    arguments: list[Any] = list(ONE.arguments())
    arguments[place] = change(arguments[place])
    with pytest.raises(SettingsError, match=message):
        shade(*arguments)


def test_regions_have_a_limit() -> None:
    colours = np.empty((1, 3, 3), np.float32)
    with pytest.raises(SettingsError, match="65 regions; 1 to 64"):
        Shaded(colours, np.empty((1, 65), np.float32), np.empty((1, 65), np.int32))


def test_harmonics_are_orthonormal_over_the_sphere() -> None:
    normals = np.random.default_rng(0).normal(size=(200_000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    basis = harmonics(normals)
    assert np.allclose(basis.T @ basis * 4 * np.pi / len(normals), np.eye(9), atol=0.03)

"""`reorient`: every implementation against the reference, and that it is the same light, whoever looks."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.face.pose import exp_so3
from tracker.kernels.backend import choose
from tracker.kernels.reorient import Reorient
from tracker.kernels.reorient.cases import CAMERA, CASES, TOLERANCE, Case
from tracker.kernels.reorient.reference import rotated, rotation_of
from tracker.kernels.shade.reference import harmonics


@pytest.fixture(params=["numba", "reference"])
def reorient(request: pytest.FixtureRequest) -> Reorient:
    return choose(request.param).reorient


def normals(seed: int) -> np.ndarray:
    """Unit vectors [40, 3]."""
    found = np.random.default_rng(seed).normal(size=(40, 3))
    unit: np.ndarray = found / np.linalg.norm(found, axis=1)[:, None]
    return unit


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").reorient(*wanted)
    choose("numba").reorient(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("seed", range(4))
def test_turned_with_what_it_lights_it_gives_the_same_colours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    light, rotation = rng.normal(size=(9, 3)), exp_so3(rng.normal(size=3))
    found = harmonics(normals(seed) @ rotation.T) @ rotated(light, rotation)
    np.testing.assert_allclose(found, harmonics(normals(seed)) @ light, atol=1e-5)


def test_each_body_is_lit_as_its_square_showed_it(reorient: Reorient) -> None:
    lighting, center_px, roll_rad, camera, out = Case("", 5).arguments()
    reorient(lighting, center_px, roll_rad, camera, out)
    for light, center, roll, turned in zip(lighting, center_px, roll_rad, out, strict=True):
        there = normals(1) @ rotation_of(center, roll, camera).T
        np.testing.assert_allclose(harmonics(there) @ turned, harmonics(normals(1)) @ light, atol=1e-4)


def test_a_square_is_turned_back_and_then_onto_its_ray(reorient: Reorient) -> None:
    """A normal along the x axis of a square that is turned by a quarter points down in the picture; one along its z
    axis, seen 45 degrees to the right, points there."""
    lighting, _, _, camera, out = Case("", 2).arguments()
    center_px = CAMERA[2:] + [[0.0, 0.0], [CAMERA[0], 0.0]]
    reorient(lighting, center_px, np.array([np.pi / 2, 0.0]), camera, out)
    down, right = np.array([[0, 1, 0]]), np.array([[1, 0, 1]]) / np.sqrt(2)
    np.testing.assert_allclose(harmonics(down) @ out[0], harmonics(np.eye(3)[:1]) @ lighting[0], atol=1e-5)
    np.testing.assert_allclose(harmonics(right) @ out[1], harmonics(np.eye(3)[2:]) @ lighting[1], atol=1e-5)


def test_wrong_shapes_are_named(reorient: Reorient) -> None:
    lighting, center_px, roll_rad, camera, out = CASES[0].arguments()
    with pytest.raises(SettingsError, match="lighting"):
        reorient(lighting[:, :8].copy(), center_px, roll_rad, camera, out)
    with pytest.raises(SettingsError, match="roll_rad"):
        reorient(lighting, center_px, np.zeros(2), camera, out)
    with pytest.raises(SettingsError, match="camera is numpy float32"):
        reorient(lighting, center_px, roll_rad, camera.astype(np.float32), out)

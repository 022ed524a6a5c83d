"""`relight`: every implementation against the reference, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.relight import LEAST_FACING
from tracker.kernels.relight.cases import CASES, TOLERANCE, Case, difference
from tracker.kernels.shade.reference import harmonics


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").relight(*wanted)
    choose("numba").relight(*found)
    assert difference(found, wanted) <= TOLERANCE


def unexplained(case: Case, kernels: Kernels, softness: float) -> np.ndarray:
    """How far off the true colours are under the light that was found, [B, V, 3]; 0 where nothing was counted."""
    surface, depth, target, slack, _, out = case.arguments()
    kernels.relight(surface, depth, target, slack, softness, out)
    true, found = surface.lighting / np.float32(0.9), out.lighting
    basis = np.stack([harmonics(normals) for normals in surface.normals])
    return np.abs(surface.albedo * (basis @ (found - true))) * (out.weight > 0)[..., None]


def test_the_light_that_was_there_is_found(kernels: Kernels) -> None:
    clean = Case("apart", 1, 900, side=512, strange=0.0)
    assert unexplained(clean, kernels, np.inf).max() < 0.1, "but for the ridge, bytes and clipping"


def test_what_is_strange_pulls_less_when_soft(kernels: Kernels) -> None:
    strange = Case("strange", 1, 300, side=512, strange=0.3)
    hard, soft = (unexplained(strange, kernels, softness).mean() for softness in (np.inf, 0.15))
    assert soft < 0.7 * hard


def test_what_is_hidden_turned_away_black_or_outside_counts_nothing(kernels: Kernels) -> None:
    surface, depth, target, slack, softness, out = CASES[0].arguments()
    kernels.relight(surface, depth, target, slack, softness, out)
    at, weight = surface.vertices_px[0], out.weight[0]
    outside = (at[:, :2] < 0).any(1) | (at[:, :2] >= 64).any(1)
    assert outside.any() and (weight[outside] == 0).all() and (out.seen[0, outside] == 0).all()
    assert (weight[surface.normals[0, :, 2] > -LEAST_FACING] == 0).all()
    assert (weight[::17] == 0).all()
    x, y = np.clip(np.floor(at[:, :2]), 0, 63).astype(int).T
    hidden = ~outside & (at[:, 2] > depth[0, y, x] + slack)
    assert hidden.any() and (weight[hidden] == 0).all()


def test_nothing_to_see_is_no_light(kernels: Kernels) -> None:
    surface, depth, target, slack, softness, out = CASES[0].arguments()
    surface.vertices_px[:] = -5
    kernels.relight(surface, depth, target, slack, softness, out)
    assert (out.lighting == 0).all() and (out.weight == 0).all()
    surface.vertices_px[:] = np.nan
    kernels.relight(surface, depth, target, slack, softness, out)
    assert (out.lighting == 0).all()


def test_wrong_settings_are_named(kernels: Kernels) -> None:
    surface, depth, target, slack, _, out = CASES[0].arguments()
    with pytest.raises(SettingsError, match="softness 0"):
        kernels.relight(surface, depth, target, slack, 0, out)
    with pytest.raises(SettingsError, match="depth has shape"):
        kernels.relight(surface, depth[0], target, slack, 0.1, out)
    with pytest.raises(SettingsError, match="of one batch"):
        kernels.relight(CASES[1].arguments()[0], depth, target, slack, 0.1, out)

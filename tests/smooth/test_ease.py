"""Ease outside of the filters: what the kernel tells, of the estimates of a filter that tells them as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tracker.face.pose import exp_so3, log_so3
from tracker.kernels.imm import FAR
from tracker.smooth import SmoothSettings, TrackFilter
from tracker.smooth.dynamics import as_estimated, dynamics_of
from tracker.smooth.ease import Ease
from tracker.smooth.hindsight import kept


@dataclass
class Fit:
    """A face that rests for three seconds, then turns, under noise."""

    expression: np.ndarray
    rotation: np.ndarray
    center_px: np.ndarray
    scale_px_per_mm: float
    expression_std = np.full(52, 0.1, np.float32)
    rotation_std_rad, centre_std_px, log_scale_std = 0.05, 2.0, 0.02


def fits(count: int) -> list[Fit]:
    rng, found = np.random.default_rng(0), []
    for k in range(count):
        turn = rng.normal(0, 0.004, 3) + [0, 0.03 * max(0, k - 90), 0]
        shapes = (0.3 + rng.normal(0, 0.003, 52)).astype(np.float32)
        found.append(Fit(shapes, exp_so3(turn), 300 + rng.normal(0, 0.3, 2), 2 * float(np.exp(rng.normal(0, 1e-3)))))
    return found


@pytest.mark.parametrize("step", [1 / 30, 1 / 12])
def test_it_is_what_the_kernel_tells(step: float) -> None:
    settings = SmoothSettings()
    inside, bare = TrackFilter(settings), TrackFilter(settings, constants=as_estimated(dynamics_of(settings)))
    ease, off = Ease(settings, far=FAR), []
    for k, fit in enumerate(fits(110)):
        wanted, estimate = inside(fit, k * step), kept(bare(fit, k * step))
        told = ease(estimate, bare.shares, k * step)
        np.testing.assert_allclose(told.expression, wanted.expression, atol=1e-6)
        np.testing.assert_allclose(told.center_px, wanted.center_px, atol=1e-4)
        assert told.scale_px_per_mm == pytest.approx(wanted.scale_px_per_mm, rel=1e-7)
        assert np.linalg.norm(log_so3(told.rotation.T @ wanted.rotation)) < 2e-4, "as a vector, not along the arc"
        off.append(np.linalg.norm(log_so3(told.rotation.T @ estimate.rotation)))
    assert np.mean(off[30:90]) > 1e-5, "at rest it is behind, a little"
    assert max(off[105:]) < 0.02 * 0.03, "in motion it is not, by two hundredths of a step"


def test_the_first_one_is_told_as_it_is_and_so_is_what_comes_after_a_gap_or_from_afar() -> None:
    settings, (first, *_) = SmoothSettings(), fits(1)
    ease, track = Ease(settings), TrackFilter(settings)
    still = np.tile([1.0, 0.0, 0.0], (7, 1))
    assert ease(one := kept(track(first, 0.0)), still, 0.0) is one
    near, far = replace(one, center_px=one.center_px + 0.1), replace(one, center_px=one.center_px + 20)
    assert ease(near, still, 0.033).center_px[0] < one.center_px[0] + 0.03
    assert ease(far, still, 0.067).center_px[0] > one.center_px[0] + 18
    assert ease(near, still, 0.067 + settings.gap_seconds + 0.01) is near

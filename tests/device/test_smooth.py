"""The batched filters are the kernel's: started, moved, held, anew, ahead, and what is not finite."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device.pose import Pose  # noqa: E402
from tracker.device.rotation import Rotations  # noqa: E402
from tracker.device.smooth import Look, Smooth  # noqa: E402
from tracker.face.pose import exp_so3  # noqa: E402
from tracker.kernels.imm import STARTED, state_size  # noqa: E402
from tracker.kernels.imm.cases import CASES, TOLERANCE  # noqa: E402
from tracker.kernels.imm.reference import imm  # noqa: E402
from tracker.smooth.dynamics import HEAD, Dynamics, dynamics_of  # noqa: E402
from tracker.smooth.settings import SmoothSettings  # noqa: E402
from tracker.smooth.track_filter import TrackFilter  # noqa: E402

FACES = 3


def smooth_by(of, here, numbers=52):
    return Smooth(of, Rotations(here), torch.zeros((numbers, 4), dtype=torch.float64))


def column(numbers, width=1):
    return torch.tensor(np.asarray(numbers, float)).reshape(-1, 1).expand(-1, width).contiguous()


def flags(seen):
    return torch.tensor(seen, dtype=torch.uint8)[:, None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_the_reference(here, case, monkeypatch):
    given = case.arguments()
    dynamics, groups, traits, rates, limits, numbers, rotation, place, size, variance = given[:10]
    state, turned, spot, values, std = given[13:]
    before = torch.tensor(state)[None]
    of = Dynamics(dynamics, dynamics, groups, traits, rates, limits, np.ones(len(groups)))
    smooth = smooth_by(of, here, case.numbers)
    monkeypatch.setattr(smooth, "variance", lambda _: torch.tensor(variance)[None])
    none = torch.zeros((1, 2), dtype=torch.float64)
    look = Look(
        torch.tensor(numbers)[None], Pose(torch.tensor(rotation)[None], torch.tensor(place)[None], column(size)),
        none, none, none, column(case.dt_seconds), column(case.ahead_seconds), none, flags([case.seen]),
    )  # fmt: skip
    found, pose, deviation, after = smooth.filtered(look, before)
    filtered_size = imm(*given)
    np.testing.assert_allclose(found[0], values, atol=TOLERANCE)
    np.testing.assert_allclose(pose.rotation[0], turned, atol=1e-9)
    np.testing.assert_allclose(pose.center_px[0], spot, atol=1e-7)
    assert pose.scale[0, 0] == pytest.approx(filtered_size, rel=1e-9)
    np.testing.assert_allclose(deviation[0], std, atol=TOLERANCE)
    np.testing.assert_allclose(after[0], state, rtol=1e-9, atol=TOLERANCE)


def fits(rng, count):
    """One fit per frame; one of each of its numbers is not finite."""
    for number in range(count):
        fit = SimpleNamespace(
            expression=rng.uniform(-0.1, 1.1, 52).astype(np.float32), rotation=exp_so3(rng.normal(0, 0.4, 3)),
            center_px=rng.uniform(0, 900, 2), scale_px_per_mm=float(rng.uniform(0.5, 4)),
            expression_std=rng.uniform(0.02, 0.2, 52).astype(np.float32), centre_std_px=float(rng.uniform(0.5, 4)),
            rotation_std_rad=float(rng.uniform(0.02, 0.2)), log_scale_std=float(rng.uniform(0.02, 0.2)),
        )  # fmt: skip
        if number == 5:
            fit.expression[7], fit.center_px[1] = np.nan, np.inf
        if number == 8:
            fit.rotation = np.full((3, 3), np.nan)
        if number == 10:
            fit.scale_px_per_mm = -1.0
        yield fit


def look_at(faces, steps, ahead):
    def of(name):
        return np.stack([getattr(fit, name) for fit in faces])

    doubt = torch.cat([column(of("centre_std_px")), column(of("log_scale_std"))], 1)
    pose = Pose(torch.tensor(of("rotation")), torch.tensor(of("center_px")), column(of("scale_px_per_mm")))
    return Look(
        torch.tensor(of("expression")), pose, torch.tensor(of("expression_std")), column(of("rotation_std_rad")),
        doubt, column(steps), column([ahead] * len(steps)), torch.ones((len(steps), 4), dtype=torch.float64),
        flags([True] * len(steps)),
    )  # fmt: skip


@pytest.mark.parametrize("ahead_ms", [0.0, 40.0])
def test_it_is_the_track_filter_for_every_face(here, ahead_ms):
    """The faces' clocks differ: one is steady, one stops and repeats, one leaves a gap."""
    stamps = [np.arange(14) / 30, np.array([0, 1, 2, 2, 2, 3, 5, 6, 7, 8, 9, 9, 10, 11]) / 25,
              np.array([0, 1, 2, 3, 30, 31, 32, 33, 34, 35, 80, 81, 82, 83]) / 30]  # fmt: skip
    settings = SmoothSettings(ahead_ms=ahead_ms, mouth=2.0)
    smooth = smooth_by(dynamics_of(settings), here)
    theirs = [TrackFilter(settings) for _ in range(FACES)]
    feeds = [list(fits(np.random.default_rng(face), 14)) for face in range(FACES)]
    state = torch.zeros((FACES, state_size(52, HEAD + 1)), dtype=torch.float64)
    for number in range(14):
        wanted = [one(feed[number], stamp[number]) for one, feed, stamp in zip(theirs, feeds, stamps, strict=True)]
        steps = [stamp[number] - stamp[number - 1] if number else 0.0 for stamp in stamps]
        for face, step in enumerate(steps):
            state[face, STARTED] *= step <= settings.gap_seconds
        look = look_at([feed[number] for feed in feeds], steps, ahead_ms / 1000)
        found, filtered, std, state = smooth.filtered(look, state)
        for face, one in enumerate(wanted):
            np.testing.assert_allclose(found[face], one.expression, atol=2e-7)
            np.testing.assert_allclose(filtered.rotation[face], one.rotation, atol=1e-9)
            np.testing.assert_allclose(filtered.center_px[face], one.center_px, atol=1e-7)
            assert filtered.scale[face, 0] == pytest.approx(one.scale_px_per_mm, rel=1e-9)
            np.testing.assert_allclose(std[face], one.std, rtol=1e-5)


def test_the_deviation_holds_what_the_network_may_err_by_and_what_the_filters_cannot_know(here):
    smooth, settings = smooth_by(dynamics_of(SmoothSettings()), here), SmoothSettings()
    (fit,) = fits(np.random.default_rng(0), 1)
    look = look_at([fit], [0.0], 0.0)
    state = torch.zeros((1, state_size(52, HEAD + 1)), dtype=torch.float64)
    seen = smooth(look, state)
    place = fit.centre_std_px / fit.scale_px_per_mm
    share = dynamics_of(settings).noise_share[-5]
    assert float(seen.before[0, 24]) == pytest.approx(place * np.hypot(1, share), rel=1e-5)
    surer = smooth(replace(look, doubt=look.doubt / 100), seen.state)
    assert float(surer.before[0, 24]) > 0.5 * share * place, "held: the filter is as unsure as it was"

"""`align`: every implementation against the reference, and what a pose from landmarks must do."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.align import Align
from tracker.kernels.align.cases import CASES, SQUARE, TOLERANCE, Case
from tracker.kernels.align.reference import similarity
from tracker.kernels.backend import choose

MEAN, BASIS, WEIGHTS, REST, OFFSET, LOG_STD, SHARE, POSE = 0, 1, 2, 3, 4, 5, 6, 8
TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
"""The roll of `SQUARE`."""


@pytest.fixture(params=["numba", "reference"])
def align(request: pytest.FixtureRequest) -> Align:
    return choose(request.param).align


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    assert choose("reference").align(*wanted)
    assert choose("numba").align(*found)
    np.testing.assert_allclose(found[POSE], wanted[POSE], rtol=0, atol=TOLERANCE)


def test_finds_the_pose_it_was_made_from(align: Align) -> None:
    case = CASES[0]
    arguments = case.arguments()
    assert align(*arguments)
    pose = arguments[POSE]
    np.testing.assert_allclose(pose[:9].reshape(3, 3), TURN @ case.rotation(), atol=1e-6)
    x, y, side, _ = SQUARE
    np.testing.assert_allclose(pose[9:11], [x, y] + side * TURN[:2, :2] @ [0.0, -0.05], atol=1e-3)
    assert pose[11] == pytest.approx(case.scale * side, rel=1e-5)


def test_with_full_depth_it_is_umeyamas() -> None:
    from tracker.distill.morphable import similarity as umeyama

    rng = np.random.default_rng(3)
    points = rng.normal(0, 50, (40, 3))
    seen = 0.004 * points @ CASES[1].rotation().T + 0.5 + rng.normal(0, 0.02, points.shape)
    found = similarity(points, seen, np.ones(len(points)), 1.0)
    assert found is not None
    scale, rotation, shift = umeyama(points[None], seen)
    np.testing.assert_allclose(found[0], rotation[0], atol=1e-6)
    assert found[1] == pytest.approx(scale[0], rel=1e-5)
    np.testing.assert_allclose(found[2], shift[0], atol=1e-6)


def test_what_is_not_trusted_hardly_counts(align: Align) -> None:
    off = []
    for log_std in (-4.0, 4.0):
        arguments = CASES[0].arguments()
        arguments[LOG_STD][:] = -4
        arguments[OFFSET][:60] += 0.3  # an occluder dragged twenty points away, and they say so or not
        arguments[LOG_STD][:20] = log_std
        assert align(*arguments)
        off.append(np.abs(arguments[POSE][:9].reshape(3, 3) - TURN @ CASES[0].rotation()).max())
    assert off[1] < 0.01 * off[0]


def test_wrong_depth_hardly_matters_where_it_hardly_counts(align: Align) -> None:
    off = []
    for share in (1.0, 0.01):
        arguments = list(CASES[0].arguments())
        seen_z = arguments[REST][:, 2] + arguments[OFFSET][2::3]
        arguments[OFFSET][2::3] += 0.4 * (seen_z - seen_z.mean())  # depth is guessed
        arguments[SHARE] = share
        assert align(*arguments)
        off.append(abs(arguments[POSE][11] / (CASES[0].scale * SQUARE[2]) - 1))
    assert off[1] < 0.1 * off[0]


@pytest.mark.parametrize("flaw", ["plane", "nan", "one_place", "mirrored"])
def test_no_pose_is_said_and_nothing_written(align: Align, flaw: str) -> None:
    arguments = CASES[0].arguments()
    if flaw == "plane":
        arguments[MEAN][:, 2] = 0
        arguments[BASIS][:, :, 2] = 0
    elif flaw == "nan":
        arguments[OFFSET][7] = np.nan
    elif flaw == "one_place":
        arguments[OFFSET][:] = 0.5 - arguments[REST].reshape(-1)
    else:
        arguments[MEAN][:, 0] *= -1
        arguments[BASIS][:, :, 0] *= -1
    assert not align(*arguments)
    assert np.isnan(arguments[POSE]).all()


def test_one_point_has_no_pose(align: Align) -> None:
    mean, basis, weights, rest, offset, log_std, *others = CASES[0].arguments()
    one = mean[:1].copy(), basis[:, :1].copy(), weights, rest[:1].copy(), offset[:3].copy(), 0 * log_std[:1]
    assert not align(*one, *others) and np.isnan(others[-1]).all()


def test_wrong_shapes_are_named(align: Align) -> None:
    arguments = list(CASES[1].arguments())
    with pytest.raises(SettingsError, match="offset"):
        align(*arguments[:OFFSET], arguments[OFFSET][:-1], *arguments[OFFSET + 1 :])
    with pytest.raises(SettingsError, match="log_std is numpy float64"):
        align(*arguments[:LOG_STD], arguments[LOG_STD].astype(np.float64), *arguments[LOG_STD + 1 :])
    with pytest.raises(SettingsError, match="pose"):
        align(*arguments[:POSE], np.zeros(9))

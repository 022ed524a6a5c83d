"""What synthetic people do: every shape often enough, nothing out of range, nothing against itself."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from tracker.distill import acting  # noqa: E402
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES  # noqa: E402


def test_every_shape_occurs_and_stays_in_range() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([acting.expression(rng) for _ in range(3000)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    often = (drawn > 0.2).mean(0)
    for name, share in zip(ARKIT_NAMES, often, strict=True):
        assert share == 0 if name == "tongueOut" else share > 0.02, f"{name}: {share:.3f}"
    assert (drawn[:, ARKIT_INDEX["mouthClose"]] <= drawn[:, ARKIT_INDEX["jawOpen"]]).all()
    for one, other in acting.OPPOSED:
        assert np.minimum(drawn[:, ARKIT_INDEX[one]], drawn[:, ARKIT_INDEX[other]]).max() <= 0.15


def test_heads_turn_to_profiles_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    poses = np.array([acting.pose(rng) for _ in range(2000)])
    assert np.allclose(poses @ poses.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    yaw = np.degrees(np.arctan2(-poses[:, 2, 0], poses[:, 2, 2]))
    assert (yaw > 60).mean() > 0.04 and (yaw < -60).mean() > 0.04
    assert (np.abs(yaw) < 30).mean() > 0.4

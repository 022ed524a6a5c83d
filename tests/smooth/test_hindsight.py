"""Two estimates of one head, joined by how sure each is."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.face.pose import exp_so3, geodesic_rad
from tracker.smooth.hindsight import _joined
from tracker.smooth.track_filter import Filtered


def head(size: float, std: float) -> Filtered:
    """Shapes, place, turn and the logarithm of the size all go by one number."""
    return Filtered(
        np.full(52, size, np.float32), exp_so3(np.array([0.0, size, 0.0])), np.array([100 * size, -50 * size]),
        float(np.exp(size)), np.full(58, std, np.float32),
    )  # fmt: skip


@pytest.mark.parametrize(("past_std", "future_std", "share"), [(0.1, 0.1, 0.5), (0.1, 0.2, 0.2), (0.2, 0.1, 0.8)])
def test_what_is_surer_counts_more(past_std: float, future_std: float, share: float) -> None:
    found, wanted = _joined(head(0.1, past_std), head(0.5, future_std)), head(0.1 + 0.4 * share, 0.0)
    np.testing.assert_allclose(found.expression, wanted.expression, rtol=1e-5)
    np.testing.assert_allclose(found.center_px, wanted.center_px, rtol=1e-5)
    assert found.scale_px_per_mm == pytest.approx(wanted.scale_px_per_mm, rel=1e-5)
    assert geodesic_rad(found.rotation, wanted.rotation) < 1e-5
    np.testing.assert_allclose(found.std, 1 / np.hypot(1 / past_std, 1 / future_std), rtol=1e-5)

"""Second differences of tracks that are known."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench import steadiness
from tracker.bench.agreement import Seen
from tracker.bench.steadiness import Tremble

MOVES = np.arange(52) == 3


def _seen(x: float, score: float = 0.0) -> Seen:
    """Ten pixels from eye corner to eye corner."""
    mesh, scores = np.zeros((478, 3)), np.zeros(52)
    mesh[263, 0] = 10
    scores[3] = score
    return Seen(mesh + [x, 0, 0], scores)


def test_even_motion_is_steady_and_a_zigzag_is_not() -> None:
    even = [_seen(float(x)) for x in range(4)]
    zigzag = [_seen(float(x % 2), 0.1 * (x % 2)) for x in range(4)]
    ours, theirs = steadiness.tremble(np.arange(4), [even, zigzag], MOVES)
    assert (ours.landmarks, ours.shapes) == (pytest.approx(0, abs=1e-9), 0)
    assert (theirs.landmarks, theirs.shapes) == (pytest.approx(0.2), pytest.approx(0.2))


def test_only_frames_in_a_row_that_all_sides_have() -> None:
    side = [_seen(0), _seen(9), _seen(0), _seen(0), _seen(0)]
    (gap,) = steadiness.tremble(np.array([0, 2, 4, 6, 8]), [side], MOVES)
    assert np.isnan(gap.landmarks)
    with_gap = [_seen(0), None, _seen(0), _seen(0), _seen(0)]
    one, other = steadiness.tremble(np.arange(5), [side, with_gap], MOVES)
    assert one.landmarks == other.landmarks == 0, "the jump at 1 is where the other has nothing"


def test_means_leave_out_what_says_nothing() -> None:
    row = steadiness.summarise("ours", [Tremble(0.2, 0.1), Tremble(np.nan, np.nan), Tremble(0.4, np.nan)])
    assert (row.clips, row.landmarks, row.shapes) == (2, pytest.approx(0.3), pytest.approx(0.1))
    assert np.isnan(steadiness.summarise("ours", []).landmarks)

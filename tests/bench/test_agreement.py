"""Agreement with the teacher, on meshes whose errors are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tracker.bench import agreement
from tracker.bench.agreement import Seen
from tracker.bench.answers import Answers
from tracker.face.expression import ARKIT_INDEX
from tracker.face.parameters import TrackState
from tracker.source.frame import Frame

JAW, SMILE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthSmileLeft"]


def _mesh() -> np.ndarray:
    """Ten pixels from eye corner to eye corner."""
    mesh = np.zeros((478, 3), np.float32)
    mesh[263, 0] = 10
    return mesh


def _answers(jaw: list[float], frames: list[int] | None = None, total: int | None = None) -> Answers:
    scores = np.zeros((len(jaw), 52), np.float32)
    scores[:, JAW] = jaw
    index = np.array(frames if frames is not None else range(len(jaw)), np.int32)
    meshes = np.repeat(_mesh()[None], len(jaw), 0)
    return Answers(total or len(jaw), index, meshes, scores, np.zeros((len(jaw), 3, 3), np.float32))


def _seen(shift: tuple[float, float], jaw: float) -> list[Seen]:
    scores = np.zeros(52)
    scores[JAW] = jaw
    return [Seen(_mesh() + np.array([*shift, 0]), scores)]


def test_errors_found_and_correlation_by_hand() -> None:
    answers = _answers([0.1, 0.3, 0.2, 0.9])
    # 0, 1 px and 5 px (just half of the inter-ocular distance) off; the last is 10 px off: another face.
    seen = [_seen((0, 0), 0.1), _seen((1, 0), 0.2), _seen((3, 4), 0.3), _seen((6, 8), 0.9)]
    row = agreement.score_clip("a.mp4", answers, seen)
    assert (row.frames, row.found) == (4, 3)
    assert row.nme == pytest.approx((0 + 0.1 + 0.5) / 3)
    # Teacher (1, 3, 2) against ours (1, 2, 3) is 0.5; the fourth frame was not found and does not count.
    assert row.correlation == pytest.approx(0.5)
    assert row.by_shape[JAW] == pytest.approx(0.5)
    assert np.isfinite(row.by_shape).sum() == 1


def test_the_nearest_face_counts() -> None:
    far, near = _seen((6, 8), 0.0)[0], _seen((1, 0), 0.0)[0]
    assert agreement.nearest([far, near], _mesh()) is near
    assert agreement.nearest([far], _mesh()) is None
    assert agreement.nearest([], _mesh()) is None


def test_frames_without_the_teacher_do_not_count() -> None:
    answers = _answers([0.0, 0.5], frames=[1, 3], total=5)
    row = agreement.score_clip("a.mp4", answers, [[], _seen((0, 0), 0.1), [], _seen((0, 0), 0.2), []])
    assert (row.frames, row.found) == (2, 2)


def test_frames_that_ours_lacks_are_not_found() -> None:
    row = agreement.score_clip("a.mp4", _answers([0.0, 0.5, 0.7]), [_seen((0, 0), 0.1)])
    assert (row.frames, row.found) == (3, 1)
    assert row.correlation == 0.0


def test_a_still_teacher_gives_no_correlation() -> None:
    row = agreement.score_clip("a.mp4", _answers([0.5, 0.5]), [_seen((0, 0), 0.1), _seen((0, 0), 0.9)])
    assert np.isnan(row.correlation)


def test_a_still_tracker_correlates_with_nothing() -> None:
    row = agreement.score_clip("a.mp4", _answers([0.1, 0.9]), [_seen((0, 0), 0.4), _seen((0, 0), 0.4)])
    assert row.correlation == 0.0


def test_means_over_clips() -> None:
    good = agreement.score_clip("a", _answers([0.1, 0.9]), [_seen((0, 0), 0.1), _seen((0, 0), 0.9)])
    poor = agreement.score_clip("b", _answers([0.1, 0.9, 0.5, 0.4]), [_seen((2, 0), 0.9), _seen((2, 0), 0.1), [], []])
    empty = agreement.score_clip("c", _answers([]), [])
    result = agreement.summarise("ours", [good, poor, empty])
    assert [row.name for row in result.rows] == ["a", "b"]
    assert result.found_share == pytest.approx(4 / 6)
    assert result.found_share_by_clip == pytest.approx((1 + 0.5) / 2)
    assert result.nme == pytest.approx((0 + 0.2) / 2)
    assert result.correlation == pytest.approx(0.0)  # 1 and -1
    assert result.by_shape == {"jawOpen": pytest.approx(0.0)}
    assert result.clips_by_shape == {"jawOpen": 2}


@dataclass
class _Face:
    landmarks_px: np.ndarray
    blendshapes_raw: np.ndarray
    state: TrackState
    identity: np.ndarray


class _Counting:
    """A tracker that says in its landmarks which frame it saw, and loses every third."""

    def __init__(self) -> None:
        self.times: list[float | None] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def track(self, frame: Frame) -> list[_Face]:
        self.times.append(frame.pts_seconds)
        state = TrackState.LOST if len(self.times) % 3 == 0 else TrackState.TRACKING
        return [_Face(np.full((478, 3), frame.index, np.float32), np.zeros(52, np.float32), state, np.ones(3))]


def test_a_clip_is_tracked_in_order_with_its_own_time(faceless_clip: Path) -> None:
    pipeline = _Counting()
    seen = agreement.track_clip(faceless_clip, pipeline)
    assert pipeline.resets == 1
    np.testing.assert_allclose(pipeline.times, np.arange(30) / 30, atol=1e-6)
    assert [len(faces) for faces in seen[:6]] == [1, 1, 0, 1, 1, 0]
    assert seen[28][0].landmarks_px[0, 0] == 28
    assert seen[28][0].identity is not None and seen[28][0].identity.tolist() == [1, 1, 1]


def test_the_peers_answers_as_a_track() -> None:
    answers = _answers([0.0, 0.5], frames=[1, 1], total=3)
    seen = agreement.seen_by_peer(answers)
    assert [len(faces) for faces in seen] == [0, 2, 0]
    assert seen[1][1].scores[JAW] == 0.5


def test_shapes_on_a_list_are_left_out() -> None:
    def row(jaw: float, smile: float) -> agreement.ClipRow:
        by_shape = np.full(52, np.nan)
        by_shape[[JAW, SMILE]] = jaw, smile
        return agreement.ClipRow("a", 5, 5, 0.0, float(np.nanmean(by_shape)), by_shape)

    rows = [row(0.8, 0.2), row(np.nan, 0.4)]
    assert agreement.correlation_without(rows, ()) == pytest.approx((0.5 + 0.4) / 2)
    assert agreement.correlation_without(rows, ("mouthSmileLeft",)) == pytest.approx(0.8), "the other has none left"
    assert np.isnan(agreement.correlation_without(rows, ("mouthSmileLeft", "jawOpen")))


def test_where_the_teacher_finds_nobody_nothing_is_said_of_finding() -> None:
    assert np.isnan(agreement.summarise("ours", []).found_share)

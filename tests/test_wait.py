"""Waiting for later frames: nothing changes without it, and with it every frame leaves once, in order, steadier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tracker import wait
from tracker.detect.finder import FindSettings
from tracker.errors import SettingsError
from tracker.face.parameters import TrackState
from tracker.pipeline import Pipeline
from tracker.smooth import SmoothSettings
from tracker.smooth.ease import Ease
from tracker.smooth.track_filter import Filtered
from tracker.source import frame_from_image
from tracker.source.frame import Frame
from tracker.wait import Tracked, waited

CLIP = Path(__file__).resolve().parents[1] / "tracker" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def noisy() -> list[Frame]:
    """A face that stands still for a while, then shifts evenly, under sensor noise: frames of 30 a second."""
    with av.open(CLIP) as container:
        rgb = next(f.to_ndarray(format="rgb24") for k, f in enumerate(container.decode(video=0)) if k == 30)
    rng, frames = np.random.default_rng(0), []
    for k in range(40):
        picture = np.roll(rgb, max(0, k - 20) * 3, axis=1)
        grain = np.rint(picture + rng.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
        frames.append(replace(frame_from_image(grain), pts=k, time_base=Fraction(1, 30), index=k))
    return frames


def leave(frames: list[Frame], look_ahead: int, **settings: float) -> list[Tracked]:
    pipeline = Pipeline(FindSettings(), SmoothSettings(look_ahead_frames=look_ahead, **settings))
    return list(waited(pipeline, frames))


def test_every_frame_leaves_once_and_in_order(noisy: list[Frame]) -> None:
    for count in (0, 3, 30):
        assert [frame.index for frame, _, _ in leave(noisy[:12], count)] == list(range(12))


@pytest.mark.parametrize("look_ahead", [0, 2, 5])
def test_a_cut_to_another_place_smears_no_frame(noisy: list[Frame], look_ahead: int) -> None:
    rgb, frames = noisy[0].planes[0], []
    for k in range(12):
        picture = np.full((rgb.shape[0], 2 * rgb.shape[1], 3), 100, np.uint8)
        x = 0 if k < 7 else rgb.shape[1]
        picture[:, x : x + rgb.shape[1]] = rgb
        frames.append(replace(frame_from_image(picture), pts=k, time_base=Fraction(1, 30), index=k))
    told, raw = leave(frames, look_ahead), leave(frames, 0, enabled=False)
    for (_, _, (face,)), (_, _, (as_seen,)) in zip(told, raw, strict=True):
        assert face.track_id == as_seen.track_id == 0
        assert np.abs(face.landmarks_px - as_seen.landmarks_px)[:, :2].mean() < 2


def test_a_device_does_not_wait() -> None:
    with pytest.raises(SettingsError, match="look_ahead_frames 3 with a device.*; leave out --smooth-look-ahead"):
        Pipeline(smooth=SmoothSettings(look_ahead_frames=3), device=lambda **_: None)


def test_without_looking_ahead_a_frame_leaves_before_the_next_is_asked_for(noisy: list[Frame]) -> None:
    asked = 0

    def counted() -> Iterator[Frame]:
        nonlocal asked
        for frame in noisy[:5]:
            asked += 1
            yield frame

    for number, _ in enumerate(waited(Pipeline(), counted())):
        assert asked == number + 1


def test_a_frame_leaves_as_many_frames_later_as_are_looked_ahead(noisy: list[Frame]) -> None:
    asked: list[Frame] = []
    frames = (frame for frame in noisy[:8] if not asked.append(frame))
    pipeline = Pipeline(smooth=SmoothSettings(look_ahead_frames=3))
    assert [len(asked) for _ in waited(pipeline, frames)] == [4, 5, 6, 7, 8, 8, 8, 8]


def test_what_was_told_of_a_track_is_kept_until_it_ends(noisy: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Ease] = []

    class Noted(Ease):
        def __call__(self, *given: Any) -> Filtered:
            asked.append(self)
            return super().__call__(*given)

    monkeypatch.setattr(wait, "Ease", Noted)
    leave(noisy[:8], 2)
    assert len(asked) == 8 and all(one is asked[0] for one in asked)


def test_a_face_that_is_not_seen_for_a_while_leaves_with_its_frames(noisy: list[Frame]) -> None:
    nobody = [replace(frame, planes=tuple(np.zeros_like(p) for p in frame.planes)) for frame in noisy[8:12]]
    left = leave([*noisy[:8], *nobody, *noisy[12:16]], 2)
    states = [faces[0].state for _, _, faces in left]
    assert len(left) == 16 and states[8:12] == [TrackState.COASTING] * 4 and states[-1] == TrackState.TRACKING


def test_later_frames_correct_earlier_ones(noisy: list[Frame]) -> None:
    """Rest, then an even shift of 3 px a frame, whose beginning a calm filter learns of late."""
    away = {}
    for count in (0, 2):
        x = np.array([faces[0].landmarks_px[4, 0] for _, _, faces in leave(noisy, count, calm=2.0)])
        off = x - np.maximum(0, np.arange(40) - 20) * 3.0
        away[count] = off - np.median(off[8:20])
    begins = slice(21, 27)
    assert np.abs(away[2][begins]).mean() < 0.9 * np.abs(away[0][begins]).mean(), away
    # What nothing follows cannot be corrected.
    assert away[2][-1] == pytest.approx(away[0][-1], abs=1.0)


def test_a_change_of_size_does_not_mix_two_pictures(noisy: list[Frame]) -> None:
    """What comes after it says nothing of the faces before."""
    small = [replace(frame, planes=tuple(p[::2, ::2] for p in frame.planes)) for frame in noisy[8:16]]
    walk = leave([*noisy[:8], *small], 3)
    alone = leave(noisy[:8], 3)
    for (_, _, faces), (_, _, expected) in zip(walk, alone, strict=False):
        assert np.array_equal(faces[0].landmarks_px, expected[0].landmarks_px)
    assert [faces[0].track_id for _, _, faces in walk] == [0] * 8 + [1] * 8


@pytest.mark.parametrize("change", [{"look_ahead_frames": -1}, {"look_ahead_frames": 99},
                                    {"look_ahead_frames": 2, "ahead_ms": 10.0}])  # fmt: skip
def test_what_cannot_be_is_named(change: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="look_ahead_frames"):
        SmoothSettings(**change)

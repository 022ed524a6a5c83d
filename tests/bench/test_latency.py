"""The latency bench over a real socket to a real subscriber, with a stand-in for the network's stages."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tracker.bench import latency, sides
from tracker.bench.latency import Settings
from tracker.bench.measure import spread
from tracker.errors import SettingsError, SourceError
from tracker.face.camera import Camera
from tracker.face.parameters import Deviation, Face, TrackState
from tracker.source.frame import Frame

TRACK_SECONDS = 0.002


def _face() -> Face:
    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    eye = np.eye(3, dtype=np.float32)
    return Face(
        track_id=0, state=TrackState.TRACKING, landmarks_px=zeros(478, 3), blendshapes=zeros(52),
        blendshapes_raw=zeros(52), rotation=eye, rotation_raw=eye, translation_mm=zeros(3), translation_raw_mm=zeros(3),
        identity=zeros(64), gaze=zeros(2, 3), lighting=zeros(9, 3), confidence=1.0, region_confidence=zeros(5),
        deviation=Deviation(zeros(52), 0.0, 0.0, zeros(3), 0.0),
    )  # fmt: skip


class _Sleeper:
    """Tracks by sleeping, and finds a face in every frame but each third."""

    model = SimpleNamespace(hash=b"12345678", version="stand-in")

    def __init__(self) -> None:
        self.stage_ns = {"find": 0, "infer": 0}
        self.count = 0

    def camera_for(self, frame: Frame) -> Camera:
        return Camera.from_fov(frame.width_px, frame.height_px)

    def track(self, frame: Frame) -> tuple[Face, ...]:
        time.sleep(TRACK_SECONDS)
        self.stage_ns.update(find=500_000, infer=1_500_000)
        self.count += 1
        return () if self.count % 3 == 0 else (_face(),)


def test_every_message_arrives_and_every_step_is_timed(faceless_clip: Path) -> None:
    pipeline = _Sleeper()
    result = latency.measure(Settings(faceless_clip, scale=0, frames=20), pipeline=pipeline)
    assert (result.width_px, result.height_px, result.frames) == (160, 120, 20)
    assert [one.name for one in result.passes] == ["ours", "ours alone at 60 Hz"]
    for one in result.passes:
        assert one.peer is None and one.ratio is None
        assert one.ours.lost == 0
        assert one.ours.published.count == one.ours.received.count == 20
        assert list(one.ours.stages) == ["wrap", "find", "infer", "publish"]
        assert one.ours.stages["infer"].p50_ns == 1_500_000
        # What was slept is part of it; how much more it takes is not for a test to say.
        assert one.ours.published.min_ns >= TRACK_SECONDS * 1e9
        assert one.ours.received.min_ns > 0
    assert pipeline.count == 2 * (20 + latency.WARM_UP)
    text = latency.report(result)
    assert "ours: published to received" in text and "messages lost: 0" in text


def test_frames_are_scaled_and_limited(faceless_clip: Path) -> None:
    held = latency.decode(faceless_clip, 240, 7)
    assert len(held) == 7
    assert (held[0].width, held[0].height, held[0].format.name) == (320, 240, "yuv420p")


def test_memory_limits_the_frames(faceless_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "memory_available_bytes", lambda: 2 * 5 * 160 * 120 * 3 // 2)
    assert len(latency.decode(faceless_clip, 0, 30)) == 6  # the one that goes over is the last


def test_the_peer_on_the_same_frames(faceless_clip: Path, data_dir: Path) -> None:
    pytest.importorskip("mediapipe")
    settings = Settings(faceless_clip, data_dir / "teacher/face_landmarker.task", "mediapipe", scale=0, frames=5)
    result = latency.measure(settings, pipeline=_Sleeper())
    interleaved = result.passes[0]
    assert interleaved.name == "interleaved" and interleaved.peer is not None
    assert interleaved.peer.total.count == 5 and interleaved.peer.found_share == 0
    assert interleaved.ratio == interleaved.peer.total.p50_ns / interleaved.ours.published.p50_ns
    assert "MediaPipe: conversion and detect" in latency.report(result)


def test_the_peers_total_is_summed_frame_by_frame() -> None:
    side = object.__new__(sides.PeerSide)
    side.conversion, side.detect, side.found = [1, 9], [10, 2], 1
    side._landmarker = SimpleNamespace(close=lambda: None)  # type: ignore[assignment]
    peer = side.finish()
    assert peer.total == spread([11, 11])
    assert peer.found_share == 0.5


def test_bad_settings_are_named(tmp_path: Path, faceless_clip: Path) -> None:
    with pytest.raises(SettingsError, match="--teacher"):
        Settings(faceless_clip, peer="mediapipe")
    with pytest.raises(SettingsError, match="frames 0"):
        Settings(faceless_clip, frames=0)
    with pytest.raises(SettingsError, match="scale 10"):
        Settings(faceless_clip, scale=10)
    with pytest.raises(SourceError, match="no file at .*none.mp4"):
        latency.measure(Settings(tmp_path / "none.mp4"))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="bad.mp4 is not a video"):
        latency.measure(Settings(tmp_path / "bad.mp4"))


def test_a_face_that_is_held_but_not_seen_is_not_found(faceless_clip: Path) -> None:
    class Holding(_Sleeper):
        def track(self, frame: Frame) -> tuple[Face, ...]:
            super().track(frame)
            return (replace(_face(), state=TrackState.COASTING, confidence=0.0),)

    result = latency.measure(Settings(faceless_clip, scale=0, frames=2), pipeline=Holding())
    assert [one.ours.found_share for one in result.passes] == [0, 0]

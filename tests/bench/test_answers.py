"""The cache of answers: asked once, asked again when the file or the model changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import answers
from tracker.bench.answers import Oracle, timed_frames
from tracker.bench.peers import Answer
from tracker.errors import AssetError, SourceError

pytest.importorskip("mediapipe")


class _Landmarker:
    """Finds one face in every frame but the first, marked with the time it was asked with."""

    opened = 0
    asked = 0

    def __init__(self, model_path: Path, *, video: bool = False, max_faces: int = 1) -> None:
        type(self).opened += 1
        self.first = True

    def __call__(self, rgb: np.ndarray, time_ms: int = 0) -> list[Answer]:
        type(self).asked += 1
        first, self.first = self.first, False
        mesh = np.full((478, 3), time_ms, np.float32)
        return [] if first else [Answer(mesh, np.zeros(52, np.float32), np.eye(3, dtype=np.float32))]

    def close(self) -> None:
        pass


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(answers, "Landmarker", _Landmarker)
    _Landmarker.opened = _Landmarker.asked = 0
    model = tmp_path / "face_landmarker.task"
    model.write_bytes(b"model")
    return model


def test_frames_come_with_their_time(faceless_clip: Path) -> None:
    frames = list(timed_frames(faceless_clip))
    assert len(frames) == 30
    assert [time_ms for _, time_ms in frames[:4]] == [0, 33, 67, 100]
    assert frames[0][0].shape == (120, 160, 3) and frames[0][0].flags.c_contiguous


def test_a_second_time_comes_from_the_cache(teacher: Path, faceless_clip: Path, tmp_path: Path) -> None:
    first = Oracle(teacher, tmp_path / "cache")(faceless_clip)
    assert (first.frames, len(first.frame), _Landmarker.asked) == (30, 29, 30)
    assert first.of(0).size == 0 and first.landmarks_px[first.of(3)[0], 0, 0] == 100
    again = Oracle(teacher, tmp_path / "cache")(faceless_clip)
    assert (_Landmarker.asked, _Landmarker.opened) == (30, 1)
    for name in ("frame", "landmarks_px", "scores", "rotation"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))


def test_another_model_mode_or_file_is_asked_again(teacher: Path, faceless_clip: Path, tmp_path: Path) -> None:
    Oracle(teacher, tmp_path / "cache")(faceless_clip)
    Oracle(teacher, tmp_path / "cache", video=True)(faceless_clip)
    Oracle(teacher, tmp_path / "cache", max_faces=5)(faceless_clip)
    teacher.write_bytes(b"another model")
    Oracle(teacher, tmp_path / "cache")(faceless_clip)
    copy = tmp_path / faceless_clip.name
    copy.write_bytes(faceless_clip.read_bytes() + b"\0")
    Oracle(teacher, tmp_path / "cache")(copy)
    assert _Landmarker.asked == 5 * 30


def test_a_video_model_forgets_between_files(teacher: Path, faceless_clip: Path) -> None:
    oracle = Oracle(teacher, video=True)
    oracle(faceless_clip)
    assert len(oracle(faceless_clip).frame) == 29
    assert _Landmarker.opened == 2


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    with pytest.raises(SourceError, match="bad.mp4"):
        list(timed_frames(bad))
    image = tmp_path / "bad.png"
    image.write_bytes(b"no image")
    with pytest.raises(SourceError, match="bad.png"):
        list(timed_frames(image))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "sound.mp4"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    with pytest.raises(SourceError, match="sound.mp4 is not a video"):
        list(timed_frames(tmp_path / "sound.mp4"))


def test_a_damaged_answer_is_named(teacher: Path, faceless_clip: Path, tmp_path: Path) -> None:
    Oracle(teacher, tmp_path / "cache")(faceless_clip)
    (entry,) = tmp_path.glob("cache/*/*.npz")
    entry.write_bytes(entry.read_bytes()[:100])
    with pytest.raises(AssetError, match=f"{entry.name} is damaged .*delete it"):
        Oracle(teacher, tmp_path / "cache")(faceless_clip)

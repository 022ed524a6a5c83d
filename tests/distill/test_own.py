"""A user's footage becomes a corpus whose end is held out."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.label import Labelled  # noqa: E402
from tracker.distill.own import _corpus, label_own  # noqa: E402
from tracker.errors import AssetError, SourceError  # noqa: E402


def _labelled(frames):
    count = len(frames)
    scores = np.zeros((count, 52), np.float32)
    scores[:, 0] = frames
    return Labelled(
        np.zeros((count, 224, 224, 3), np.uint8), np.zeros((count, 478, 3), np.float32), scores,
        np.asarray(frames, np.int32), np.zeros((count, 3), np.float32),
    )  # fmt: skip


def test_the_last_fifth_of_each_clip_is_held_out_with_a_gap_before_it():
    corpus = _corpus([Path("a.mp4"), Path("b.mp4")], [_labelled(range(100)), _labelled(range(50))])
    for clip, length in ((0, 100), (1, 50)):
        held = corpus.scores[(corpus.clip == clip) & corpus.validation, 0]
        trained = corpus.scores[(corpus.clip == clip) & ~corpus.validation, 0]
        assert held.tolist() == list(range(int(length * 0.8), length))
        assert trained.max() + 1 < held.min() and len(trained) >= length * 0.75


def test_images_are_one_sequence_however_they_are_mixed_with_clips():
    paths = [Path("a.jpg"), Path("b.mp4"), *(Path(f"c{k}.jpg") for k in range(9))]
    corpus = _corpus(paths, [_labelled([0]), _labelled(range(20)), *(_labelled([k + 1]) for k in range(9))])
    stills = corpus.kind == 1
    assert corpus.scores[stills & corpus.validation, 0].tolist() == [8, 9]
    assert (~stills).sum() == 19 and len(np.unique(corpus.clip[stills])) == 10


def test_videos_too_short_to_hold_an_end_out_are_refused(tmp_path, monkeypatch):
    from tracker.distill import own

    monkeypatch.setattr(own, "Teacher", lambda _: type("Teacher", (), {"close": lambda self: None})())
    monkeypatch.setattr(own, "label_file", lambda *_: _labelled(range(2)))
    (tmp_path / "x.task").write_text("words")
    for k in range(30):
        (tmp_path / f"{k}.mov").write_text(str(k))
    with pytest.raises(SourceError, match="30 videos, of which 2 frames.* fewer videos, or longer ones"):
        label_own(tmp_path, tmp_path / "x.task", tmp_path / "labels", 60)


def _teacher(data_dir):
    pytest.importorskip("mediapipe", reason="the teacher needs MediaPipe, which comes with the train extra")
    return data_dir / "teacher/face_landmarker.task"


def test_a_clip_without_a_face_is_refused_and_its_labels_are_kept(faceless_clip, tmp_path, data_dir):
    teacher = _teacher(data_dir)
    with pytest.raises(SourceError, match="in only 0"):
        label_own(faceless_clip, teacher, tmp_path / "labels", 10)
    kept = list((tmp_path / "labels").iterdir())
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    with pytest.raises(SourceError):
        label_own(faceless_clip, teacher, tmp_path / "labels", 10)
    assert kept[0].stat().st_mtime_ns == written


@pytest.mark.parametrize(("name", "content"), [("no.mp4", None), ("text.mp4", b"words"), ("text.jpg", b"words")])
def test_footage_that_cannot_be_read_is_named(tmp_path, data_dir, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        label_own(tmp_path / name, _teacher(data_dir), tmp_path / "labels", 10)


def test_the_teacher_is_let_go_whatever_happens(tmp_path, monkeypatch):
    """One that is left to the interpreter's end complains there."""
    from tracker.distill import own

    closed = []
    monkeypatch.setattr(own, "Teacher", lambda _: type("Teacher", (), {"close": lambda self: closed.append(self)})())
    (tmp_path / "x.task").write_text("words")
    with pytest.raises(SourceError, match=r"nope\.mp4"):
        label_own(tmp_path / "nope.mp4", tmp_path / "x.task", tmp_path / "labels", 10)
    assert len(closed) == 1


def test_kept_answers_are_for_one_content_and_one_teacher(faceless_clip, tmp_path, monkeypatch):
    from tracker.distill import own

    asked = []
    monkeypatch.setattr(own, "Teacher", lambda _: type("Teacher", (), {"close": lambda self: None})())
    monkeypatch.setattr(own, "label_file", lambda path, *_: asked.append(path.read_bytes()) or _labelled(range(50)))
    clip, teacher = tmp_path / "a.mp4", tmp_path / "x.task"
    for content, who in (("one", "a"), ("one", "a"), ("two", "a"), ("two", "b"), ("one", "a")):
        clip.write_text(content)
        teacher.write_text(who)
        label_own(clip, teacher, tmp_path / "labels", 10)
    assert asked == [b"one", b"two", b"two"]
    for kept in (tmp_path / "labels").iterdir():
        kept.write_bytes(kept.read_bytes()[:500])
    with pytest.raises(AssetError, match="damaged.*labels anew"):
        label_own(clip, teacher, tmp_path / "labels", 10)


def test_a_wrong_teacher_is_named(tmp_path, faceless_clip):
    import zipfile

    pytest.importorskip("mediapipe", reason="the teacher needs MediaPipe, which comes with the train extra")
    with zipfile.ZipFile(tmp_path / "wrong.task", "w") as archive:
        archive.writestr("something.tflite", b"else")
    (tmp_path / "text.task").write_text("words")
    for name in ("wrong.task", "text.task", "missing.task"):
        with pytest.raises(AssetError, match=name):
            label_own(faceless_clip, tmp_path / name, tmp_path / "labels", 10)

"""Training goes on after a kill, takes what it is given, and refuses what it cannot use."""

import shutil
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.corpus import load  # noqa: E402
from tracker.distill.lessons import SHARE, Lessons  # noqa: E402
from tracker.distill.train import Run, TrainSettings, averaged, poses_of, score_std, train  # noqa: E402
from tracker.errors import AssetError, SourceError  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402

_TRAIN = """
import sys, torch
from pathlib import Path
from tracker.distill.train import TrainSettings, train
torch.set_num_threads(1)
cache = Path(sys.argv[1])
train(cache, cache, TrainSettings(minutes=10, batch=4, checkpoint_minutes=1e-6), progress=print)
"""


def test_training_that_was_killed_goes_on(small_cache):
    running = subprocess.Popen([sys.executable, "-c", _TRAIN, str(small_cache)], stdout=subprocess.DEVNULL)
    checkpoint = small_cache / "student.pt"
    while not checkpoint.is_file():
        assert running.poll() is None, "training ended before its first checkpoint"
    running.kill()
    running.wait()
    averaged(checkpoint)
    steps = torch.load(checkpoint, weights_only=True)["steps"]
    said = []
    train(small_cache, small_cache, TrainSettings(minutes=1e-9, batch=4), progress=said.append)
    assert said[0] == f"resuming at step {steps}" and steps > 0
    assert "give more --minutes" in said[1], "nothing more is trained, and that is said"
    assert not list(small_cache.glob("*.part"))


def test_the_open_student_sees_openly_licensed_rows_only(small_cache, monkeypatch):
    from tracker.distill import train as module

    seen = []
    monkeypatch.setattr(module, "Lessons", lambda corpus, poses, model, data, cache, seed: seen.append((corpus, data)))
    monkeypatch.setattr(module, "drawing", lambda *_: nullcontext())
    monkeypatch.setattr(module, "keep_on", lambda *_: None)
    path = train(small_cache, small_cache, TrainSettings(batch=4), open_only=True, progress=print)
    ((corpus, data),) = seen
    assert path.name == "student_open.pt" and len(corpus) == 16 and corpus.open_licence.all()
    assert data is None, "stills and points beside the corpus are research material"


@pytest.mark.parametrize("kinds", [(0,), (1,), (0, 1)])
def test_lessons_make_do_with_what_there_is(tmp_path, kinds, write_corpus):
    write_corpus(tmp_path)
    corpus, model = load(tmp_path), FaceModel.load()
    chosen = np.isin(corpus.kind, kinds)
    some = type(corpus)(**{name: getattr(corpus, name)[chosen] for name in type(corpus).__slots__})
    lessons = Lessons(some, poses_of(tmp_path, some, model), model, None, tmp_path)
    shares = dict(zip(SHARE, lessons.share, strict=True))
    assert shares["sparse"] == shares["aflw"] == 0 and np.isclose(lessons.share.sum(), 1)
    batch = lessons.batch(64)
    assert batch.crops.shape == (64, 128, 128, 3) and 0 < batch.presence.sum() < 64
    assert np.isfinite(batch.landmarks).all()


def test_poses_are_of_the_faces_that_are_there_now(small_cache):
    corpus, model = load(small_cache), FaceModel.load()
    before = poses_of(small_cache, corpus, model)
    corpus.landmarks[1] += [20, 0, 0]  # as another picture of one face would
    after = poses_of(small_cache, corpus, model)
    assert after.centre[1, 0] - before.centre[1, 0] == pytest.approx(20, abs=0.01)


def test_a_still_too_small_for_a_background_is_passed_over(tmp_path, monkeypatch):
    import cv2

    from tracker.distill import lessons

    path = tmp_path / "stamp.png"
    cv2.imwrite(str(path), np.full((36, 30, 3), 255, np.uint8))
    monkeypatch.setattr(lessons, "faces_of_images", lambda *_: [(np.zeros((1, 4)), path)])
    assert len(lessons.background_patches(tmp_path, tmp_path, 0, count=10)) == 2, "textures alone"


def test_a_corpus_of_held_out_people_alone_is_refused(tmp_path, write_corpus):
    write_corpus(tmp_path, people=1)
    with pytest.raises(SourceError, match="no face to train on"):
        train(tmp_path, tmp_path, TrainSettings(minutes=1e-9))


def test_nobody_openly_licensed_is_said(tmp_path, write_corpus):
    write_corpus(tmp_path)
    with pytest.raises(SourceError, match="open licence"):
        train(tmp_path, tmp_path, TrainSettings(minutes=1e-9), open_only=True)


@pytest.mark.parametrize("content", [b"", b"words", None])
def test_a_checkpoint_of_another_kind_is_refused(small_cache, content):
    path = small_cache / "student.pt"
    if content is None:
        torch.save({"net": {"head.weight": torch.zeros(3, 3)}}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(AssetError, match="no checkpoint of this version"):
        averaged(path)
    run = Run(FaceModel.load(), score_std(load(small_cache)), TrainSettings())
    with pytest.raises(AssetError, match="no checkpoint of this version"):
        run.resume(path)


def test_a_student_of_another_face_model_is_refused(small_cache, write_model):
    path, model = small_cache / "student.pt", FaceModel.load()
    run = Run(model, score_std(load(small_cache)), TrainSettings())
    run.save(path)
    averaged(path, model)
    averaged(path, write_model(small_cache))  # other colours, under another hash, but the same shapes
    other = write_model(small_cache, 1.01)  # as if learned into the cache, where every step looks for it
    apart = f"through face model {model.hash.hex()}, whose shapes are not those of {other.hash.hex()}"
    with pytest.raises(AssetError, match=apart):
        train(small_cache, small_cache, TrainSettings(minutes=1e-9, batch=4), progress=print)
    early = {name: value for name, value in torch.load(path).items() if name not in ("face_model", "geometry")}
    torch.save(early, path)
    with pytest.raises(AssetError, match=apart):
        averaged(path, other)
    run.resume(path)


@pytest.mark.parametrize(("kind", "step"), [("corpus", "label"), ("turned", "turn"), ("synthetic", "synthesize")])
def test_a_damaged_corpus_is_said(small_cache, kind, step):
    labels, patches = small_cache / kind / "labels.npz", small_cache / kind / "patches.raw"
    if kind != "corpus":
        shutil.copytree(small_cache / "corpus", small_cache / kind)
    patches.write_bytes(patches.read_bytes()[: 224 * 224 * 3])
    with pytest.raises(AssetError, match=f"1 faces, but 64 are labelled.*distill {step}"):
        load(small_cache, made=True)
    for content in (labels.read_bytes()[:1000], b"words", b""):
        labels.write_bytes(content)
        with pytest.raises(AssetError, match=f"damaged.*distill {step}"):
            load(small_cache, made=True)

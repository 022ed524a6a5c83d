"""An ablation keeps the arms that are done, takes up one that was cut, and mixes no settings."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill import ablate as module  # noqa: E402
from tracker.distill.ablate import AblateSettings, ablate, arms, rendered_aside, without  # noqa: E402
from tracker.distill.accuracy import shapes_error  # noqa: E402
from tracker.distill.corpus import SYNTHETIC, load  # noqa: E402
from tracker.distill.lessons import SHARE, Lessons  # noqa: E402
from tracker.distill.losses import Terms  # noqa: E402
from tracker.distill.student import Student  # noqa: E402
from tracker.distill.train import poses_of  # noqa: E402
from tracker.errors import AssetError, SettingsError  # noqa: E402
from tracker.face.expression import ARKIT_INDEX  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402

TINY = AblateSettings(steps=2, batch=4, faces=8)


def _ablate(cache, out, said, settings=TINY, **rest):
    return ablate(cache, cache, out, settings, progress=said.append, **rest)


def test_finished_arms_are_kept(small_cache, tmp_path):
    out, said = tmp_path / "results" / "ablation.json", []
    _ablate(small_cache, out, said, only=("all",))
    first = json.loads(out.read_text())["result"]["arms"]
    shown = _ablate(small_cache, out, said, only=("all", "without guides"))
    both = json.loads(out.read_text())["result"]["arms"]
    assert [line for line in said if line.startswith("arm")] == ["arm 1 of 1: all", "arm 2 of 2: without guides"]
    assert both[0] == first[0] and both[1]["name"] == "without guides"
    assert {row["kind"] for row in both[0]["kinds"]} == {"clips", "images"}
    assert shown in out.with_suffix(".txt").read_text() and "without guides" in shown


def test_an_arm_that_was_cut_is_taken_up(small_cache, tmp_path, monkeypatch):
    recipe = module.TrainSettings
    monkeypatch.setattr(module, "TrainSettings", lambda **given: recipe(checkpoint_minutes=0, **given))
    steps, step = [], module.Run.step

    def cut(run, batch):
        if len(steps) == 1:
            raise KeyboardInterrupt
        steps.append(run.steps)
        return step(run, batch)

    out, said = tmp_path / "ablation.json", []
    with monkeypatch.context() as cutting, pytest.raises(KeyboardInterrupt):
        cutting.setattr(module.Run, "step", cut)
        _ablate(small_cache, out, said, only=("all",))
    assert not out.exists()
    _ablate(small_cache, out, said, only=("all",))
    assert "resuming at step 1" in said and out.exists() and not list((small_cache / "ablation").iterdir())


def test_neither_settings_nor_corpora_are_mixed(small_cache, tmp_path, write_corpus):
    out = tmp_path / "ablation.json"
    _ablate(small_cache, out, [], only=("all",))
    with pytest.raises(SettingsError, match="steps 2 there, 3 here"):
        _ablate(small_cache, out, [], AblateSettings(steps=3, batch=4, faces=8))
    other = write_corpus(tmp_path / "other", people=5)
    with pytest.raises(SettingsError, match=r"lessons \w+ there, \w+ here"):
        _ablate(other, out, [], only=("all",))
    out.write_text("{}")
    with pytest.raises(SettingsError, match="holds no ablation"):
        _ablate(small_cache, out, [])


def test_the_table_names_its_start(small_cache, tmp_path):
    shown = _ablate(small_cache, tmp_path / "a.json", [], only=("all",))
    assert shown.startswith("2 steps of 4 crops from random weights, every arm; on people held out")
    start = tmp_path / "student.pt"
    module.Run(FaceModel.load(), np.ones(52, np.float32), module.TrainSettings()).save(start)
    shown = _ablate(small_cache, tmp_path / "b.json", [], only=("all",), start=start)
    assert shown.startswith("2 steps of 4 crops from a student of 0 steps (")


def test_rendered_people_are_kept_aside_whole(small_cache):
    corpus = load(small_cache)
    assert not rendered_aside(corpus).any()
    made = replace(corpus, kind=np.full(len(corpus), SYNTHETIC, np.int8))
    aside = rendered_aside(made)
    assert aside.sum() == len(made) // 2 and aside[len(made) // 2 :].all()
    net, model = Student().eval(), FaceModel.load()
    poses = poses_of(small_cache, corpus, model)
    told = shapes_error(net, made, poses, np.flatnonzero(aside))
    nothing = np.delete(made.scores[aside], ARKIT_INDEX["tongueOut"], axis=1).mean()
    assert told == pytest.approx(nothing, abs=0.2) and np.isnan(shapes_error(net, made, poses, np.empty(0, int)))


@pytest.mark.parametrize("name", ["ablation.txt", "folder"])
def test_an_output_that_the_table_would_take_is_refused(small_cache, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="cannot hold the arms"):
        _ablate(small_cache, tmp_path / name, [])


def test_a_start_of_another_face_model_is_refused(small_cache, tmp_path, write_model):
    pt, shipped = tmp_path / "student.pt", Path(str(files("tracker.assets").joinpath("student.onnx")))
    module.Run(FaceModel.load(), np.ones(52, np.float32), module.TrainSettings()).save(pt)
    write_model(small_cache)
    _ablate(small_cache, tmp_path / "a.json", [], only=("all",), start=shipped)  # other colours alone
    write_model(small_cache, larger=1.1)
    for start in (pt, shipped):
        with pytest.raises(AssetError, match="whose shapes are not those"):
            _ablate(small_cache, tmp_path / "b.json", [], only=("all",), start=start)


def test_unknown_arms_and_starts_are_refused(small_cache, tmp_path):
    with pytest.raises(SettingsError, match="no arm 'without luck'; valid: all, "):
        _ablate(small_cache, tmp_path / "a.json", [], only=("without luck",))
    with pytest.raises(SettingsError, match=r"missing\.pt"):
        _ablate(small_cache, tmp_path / "a.json", [], start=tmp_path / "missing.pt")


def test_there_is_an_arm_for_every_idea_and_it_changes_just_that(small_cache):
    corpus, model = load(small_cache), FaceModel.load()
    lessons = Lessons(corpus, poses_of(small_cache, corpus, model), model, None, small_cache)
    lessons.share = np.full(len(SHARE), 1 / len(SHARE))
    found = {arm.name: arm for arm in arms(lessons)}
    for name in Terms.__slots__:
        if isinstance(getattr(Terms(), name), bool):
            arm = found.get(f"without {name}") or found[f"with {name}"]
            changed = [n for n in Terms.__slots__ if getattr(arm.terms, n) != getattr(Terms(), n)]
            assert changed == [name] and arm.left_out is None
    fewer = without(lessons, found["without turned"].left_out)
    assert fewer.share[list(SHARE).index("turned")] == 0 and np.isclose(fewer.share.sum(), 1)
    assert "without phantoms" not in found and lessons.share.min() > 0

"""Every step of `facewire distill` says what is wrong with its input in one line, and exits with 2."""

import pytest

pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.cli import main  # noqa: E402


def _complaint(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["distill", *map(str, arguments)])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and said.startswith("facewire: ") and "\n" not in said
    return said


@pytest.mark.parametrize("step", ["train", "model", "export", "evaluate", "ablate"])
def test_an_empty_cache_says_which_step_comes_first(step, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # results of earlier runs lie where the command looks for its own
    data = [tmp_path] if step in ("train", "export", "ablate") else []
    said = _complaint(capsys, step, *data, "--cache", tmp_path / "cache")
    assert "run `facewire distill label` first" in said
    assert not (tmp_path / "cache").exists()


def test_a_folder_of_another_layout_is_said(tmp_path, capsys):
    said = _complaint(capsys, "label", tmp_path, "--cache", tmp_path / "cache", "--teacher", tmp_path / "x.task")
    assert "none of clips/, images/ and aflw_crops/" in said


def test_an_empty_folder_is_said(tmp_path, capsys):
    (tmp_path / "clips").mkdir()
    said = _complaint(capsys, "label", tmp_path, "--cache", tmp_path / "cache", "--teacher", tmp_path / "x.task")
    assert "holds no video or image" in said


@pytest.mark.parametrize("step", ["label", "train", "detector", "phantoms", "synthesize", "export", "ablate"])
def test_data_that_is_not_there_is_said(step, small_cache, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FACEWIRE_TEACHER", "x.task")
    brief = ["--minutes", "0.001"] if step in ("train", "detector", "phantoms") else []
    assert "no folder" in _complaint(capsys, step, tmp_path / "dta", "--cache", small_cache, *brief)


def test_an_empty_folder_beside_a_full_one_is_passed_over(tmp_path, capsys, monkeypatch):
    from tracker.distill import corpus
    from tracker.distill import label as labelling

    seen = []
    monkeypatch.setattr(labelling, "label", lambda folder, *_, **__: seen.append(folder.name))
    monkeypatch.setattr(corpus, "pack", lambda *_: [])
    for name in ("clips", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "images/a.jpg").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["distill", "label", str(tmp_path), "--teacher", "x.task", "--cache", str(tmp_path / "cache")])
    assert ended.value.code == 0 and seen == ["images"]


def test_too_few_people_for_a_face_model_are_said(small_cache, capsys):
    assert "3 people are too few for a face model" in _complaint(capsys, "model", "--cache", small_cache)
    assert sorted(path.name for path in small_cache.iterdir()) == ["corpus"]


def test_a_corpus_without_a_checkpoint_is_said(small_cache, tmp_path, capsys):
    said = _complaint(capsys, "export", tmp_path, "--cache", small_cache, "--out", tmp_path / "assets")
    assert "holds no checkpoint" in said


def test_a_clip_without_faces_is_said(faceless_clip, tmp_path, data_dir, capsys):
    pytest.importorskip("mediapipe", reason="the teacher needs MediaPipe, which comes with the train extra")
    teacher = data_dir / "teacher/face_landmarker.task"
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").write_bytes(faceless_clip.read_bytes())
    said = _complaint(capsys, "label", tmp_path, "--cache", tmp_path / "cache", "--teacher", teacher)
    assert "found no face" in said and not (tmp_path / "cache/corpus/labels.npz").exists()


def test_a_folder_may_be_given_as_a_dot(tmp_path, capsys, monkeypatch):
    from tracker.distill import train

    seen = []
    monkeypatch.setattr(train, "train", lambda cache, data, *_, **__: seen.append(data))
    for folder, given in ((tmp_path, "."), (tmp_path / "train", "."), (tmp_path / "train", ".."), (tmp_path, "train")):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit):
            main(["distill", "train", given])
    assert seen == [tmp_path] * 4


def test_crops_without_their_points_are_said(tmp_path, capsys, monkeypatch):
    from tracker.distill import corpus
    from tracker.distill import label as labelling

    monkeypatch.setattr(labelling, "label", lambda *_, **__: 0)
    monkeypatch.setattr(corpus, "pack", lambda *_: [])
    (tmp_path / "train/aflw_crops").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        main(["distill", "label", str(tmp_path), "--teacher", "x.task", "--cache", str(tmp_path / "cache")])
    assert ended.value.code == 0 and "has no truth.npz" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["nan", "inf", "0", "-1"])
@pytest.mark.parametrize("step", ["train", "detector"])
def test_a_time_that_does_not_end_is_refused(step, minutes, tmp_path, capsys):
    assert minutes in _complaint(capsys, step, tmp_path, "--cache", tmp_path / "cache", "--minutes", minutes)


def test_an_output_that_cannot_be_a_folder_is_said(small_cache, tmp_path, capsys):
    from tracker.distill.corpus import load
    from tracker.distill.train import Run, TrainSettings, score_std
    from tracker.face.model import FaceModel

    Run(FaceModel.load(), score_std(load(small_cache)), TrainSettings()).save(small_cache / "student.pt")
    (tmp_path / "file").write_text("")
    said = _complaint(capsys, "export", tmp_path, "--cache", small_cache, "--out", tmp_path / "file")
    assert "a part of the path is a file" in said


def test_one_held_out_face_says_nothing_of_shapes(small_cache, capsys, recwarn):
    import numpy as np

    path = small_cache / "corpus/labels.npz"
    with np.load(path) as archive:
        labels = {name: archive[name] for name in archive}
    labels["validation"] = np.arange(len(labels["person"])) == 0
    np.savez(path, **labels)
    with pytest.raises(SystemExit) as ended:
        main(["distill", "evaluate", "--cache", str(small_cache)])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and "shapes r -" in said and "within one std -" in said and "nan" not in said
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


@pytest.mark.parametrize("arguments", [("--checkpoint", "missing.pt"), ("--checkpoint", "missing.onnx")])
def test_personalize_names_a_missing_start(faceless_clip, tmp_path, capsys, arguments):
    said = _complaint(capsys, "personalize", faceless_clip, "--teacher", "x.task", "--out", tmp_path, *arguments)
    assert arguments[1] in said


def test_a_disk_that_is_full_is_said(small_cache, tmp_path, capsys, monkeypatch):
    import errno

    import numpy as np

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    said = _complaint(capsys, "train", tmp_path, "--cache", small_cache, "--minutes", "0.001")
    assert "no space left" in said and sorted(p.name for p in small_cache.iterdir()) == ["corpus"]

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

"""Training a detector and a student a little, and putting both in place: whole, together, or not at all."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.detect.detector import Detector  # noqa: E402
from tracker.distill import export as module  # noqa: E402
from tracker.distill import train_detector as detector_module  # noqa: E402
from tracker.distill.corpus import load  # noqa: E402
from tracker.distill.export import export  # noqa: E402
from tracker.distill.scenes import Scenes  # noqa: E402
from tracker.distill.train import Run, TrainSettings, poses_of, score_std, student_path  # noqa: E402
from tracker.distill.train_detector import DetectorRun, DetectorSettings, averaged_detector, train_detector  # noqa: E402
from tracker.errors import AssetError, OutputError  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.regress.network import asset_bytes  # noqa: E402
from tracker.regress.regressor import Regressor  # noqa: E402
from tracker.source import frame_from_image  # noqa: E402

TINY = DetectorSettings(minutes=60, batch=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_corpus, write_model):
    """A cache with a face model of its own, two students trained through it and a detector, all but untrained; the
    corpus' scenes."""
    cache = write_corpus(tmp_path_factory.mktemp("trained") / "cache", open_people=(0,))
    model, corpus = write_model(cache, 1.01), load(cache)
    for open_only in (False, True):
        Run(model, score_std(corpus), TrainSettings()).save(student_path(cache, open_only))
    DetectorRun(TINY).save(cache / module.DETECTOR)
    scenes = Scenes(corpus, poses_of(cache, corpus, model), cache, cache, [])
    return cache, scenes


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Crops and views that set ranges."""
    monkeypatch.setattr(module, "CALIBRATION", 8)
    monkeypatch.setattr(module, "VIEWS", 4)


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_model_and_networks_are_put_in_place_together(trained, tmp_path, monkeypatch):
    cache, _ = trained
    before = {"student.onnx": b"old", "face_model.npz": b"old", "notes.txt": b"kept"}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    with monkeypatch.context() as full, pytest.raises(OutputError):
        full.setattr(module, "export_student", lambda *given: given[3].write_bytes(b"new") and [])
        full.setattr(module, "export_detector", _full)
        export(cache, cache, tmp_path, progress=print)
    assert _files(tmp_path) == before, "a disk that is full leaves all of it"
    made = export(cache, cache, tmp_path, progress=print)
    assert [path.name for path in made] == ["detector.onnx", "face_model.npz", "student.onnx"]
    assert sorted(_files(tmp_path)) == sorted({*before, "detector.onnx"})
    model, kernels = FaceModel.load(tmp_path / "face_model.npz"), choose()
    assert model.hash == FaceModel.load(cache / "face_model.npz").hash != FaceModel.load().hash
    Regressor(kernels.crop_roi, 1, model.hash, tmp_path / "student.onnx")
    with pytest.raises(AssetError, match="face model"):
        Regressor(kernels.crop_roi, 1, FaceModel.load().hash, tmp_path / "student.onnx")
    Detector(kernels.crop_luma, 0.5, tmp_path / "detector.onnx")(frame_from_image(np.zeros((64, 64, 3), np.uint8)))


def _full(*_):
    raise OSError(28, "No space left on device")


def test_the_open_student_goes_without_the_detector_that_saw_everything(trained, tmp_path):
    cache, _ = trained
    made = export(cache, cache, tmp_path / "open", open_only=True, progress=print)
    assert [path.name for path in made] == ["face_model.npz", "student.onnx"]
    assert asset_bytes("student.onnx", made[1])


def test_what_does_not_fit_is_refused_and_nothing_is_written(small_cache, write_model, tmp_path):
    out, model = tmp_path / "assets", FaceModel.load()
    for open_only, step in ((False, "train DATA`"), (True, "train DATA --open")):
        with pytest.raises(AssetError, match=step):
            export(small_cache, small_cache, out, open_only=open_only, progress=print)
    Run(model, score_std(load(small_cache)), TrainSettings()).save(student_path(small_cache, True))
    with pytest.raises(AssetError, match="give --open"):
        export(small_cache, small_cache, out, progress=print)
    write_model(small_cache, 1.01)
    with pytest.raises(AssetError, match=f"through face model {model.hash.hex()}"):
        export(small_cache, small_cache, out, open_only=True, progress=print)
    (small_cache / module.DETECTOR).write_bytes(b"words")
    with pytest.raises(AssetError, match=r"detector\.pt is no checkpoint"):
        export(small_cache, small_cache, out, progress=print)
    assert not list(out.iterdir())


def test_a_detector_that_was_cut_goes_on_where_it_stopped(trained, tmp_path, monkeypatch):
    _, scenes = trained
    path, said, step = tmp_path / "detector.pt", [], DetectorRun.step

    def cut(run, batch):
        if run.steps == 2:
            raise KeyboardInterrupt
        return step(run, batch)

    with monkeypatch.context() as cutting, pytest.raises(KeyboardInterrupt):
        cutting.setattr(DetectorRun, "step", cut)
        train_detector(scenes, path, TINY, said.append)
    assert "stopped at step 2" in said[-1]
    before = averaged_detector(path).state_dict()
    train_detector(scenes, path, DetectorSettings(minutes=1e-9, batch=2), said.append)
    assert "resuming at step 2" in said
    after = averaged_detector(path).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with monkeypatch.context() as full, pytest.raises(OutputError):
        full.setattr(detector_module.checkpoint.torch, "save", _full)
        train_detector(scenes, path, DetectorSettings(minutes=1e-9, batch=2), said.append)
    averaged_detector(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_detector_learns(trained):
    _, scenes = trained
    torch.set_num_threads(1)
    run, batch = DetectorRun(DetectorSettings(minutes=1)), scenes.batch(4)
    run.seconds = 2.0  # past the rise of the rate
    losses = [run.step(batch)["loss"] for _ in range(8)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("content", [b"", b"words", None])
def test_a_detector_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "detector.pt"
    if content is None:
        torch.save([torch.zeros(3)], path)
    else:
        path.write_bytes(content)
    for use in (averaged_detector, DetectorRun(TINY).resume):
        with pytest.raises(AssetError, match="no checkpoint of this version"):
            use(path)

"""A student for one's own face is written when it got better, and not otherwise."""

from importlib.resources import as_file, files

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("mediapipe", reason="the teacher needs MediaPipe, which comes with the train extra")

from tracker.distill.export import write_student  # noqa: E402
from tracker.distill.personalize import (  # noqa: E402
    RESERVE_SECONDS,
    SHORTEST_SECONDS,
    Gain,
    PersonalSettings,
    Standing,
    no_better,
    personalize,
)
from tracker.distill.student import Student  # noqa: E402
from tracker.distill.thaw import thaw  # noqa: E402
from tracker.distill.tune import TuneSettings  # noqa: E402
from tracker.errors import AssetError, SettingsError  # noqa: E402
from tracker.regress.network import Network  # noqa: E402


@pytest.fixture
def fresh(tmp_path):
    """A student that has learned nothing, exported."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    crops = (rng.uniform(0, 255, (1, 3, 128, 128)).astype(np.float32) for _ in range(4))
    write_student(Student().eval(), crops, tmp_path / "fresh.onnx", "1.0")
    return tmp_path / "fresh.onnx"


@pytest.fixture
def askew(tmp_path):
    """The shipped student with noise on what its last layer tells, so that there is much to gain."""
    net, _ = thaw()
    torch.manual_seed(0)
    with torch.no_grad():
        net.head.weight.add_(torch.randn_like(net.head.weight) * 0.5 * net.head.weight.std(1, keepdim=True))
    rng = np.random.default_rng(0)
    crops = (rng.uniform(0, 255, (1, 3, 128, 128)).astype(np.float32) for _ in range(4))
    write_student(net, crops, tmp_path / "askew.onnx", "1.0")
    return tmp_path / "askew.onnx"


def _run(fresh, data_dir, out, minutes=8.0, cache=None, **tune):
    with as_file(files("tracker.assets").joinpath("demo.mp4")) as clip:
        return personalize(
            clip, data_dir / "teacher/face_landmarker.task", out,
            PersonalSettings(minutes, 60, TuneSettings(batch=16, drawn=8, **tune)), start=fresh, cache=cache,
            progress=lambda _: None,
        )  # fmt: skip


def test_what_was_learned_is_written_and_runs(askew, data_dir, tmp_path, write_corpus):
    cache = write_corpus(tmp_path / "cache")
    gain = _run(askew, data_dir, tmp_path / "mine", cache=cache, steps=30)
    assert gain.after.landmarks_percent < gain.before.landmarks_percent
    assert gain.after.correlation > gain.before.correlation
    assert gain.held > 5 and gain.trained > 3 * gain.held and gain.others_after is not None
    assert "of it kept" in str(gain) and "other people" in str(gain)
    assert gain.path == tmp_path / "mine/student.onnx"
    network = Network("student.onnx", (1, 3, 128, 128), path=gain.path)
    assert network.version == "1.0+personal"
    network.input[:] = 128
    assert np.isfinite(network()).all()


def test_a_student_that_got_no_better_is_not_written(fresh, data_dir, tmp_path):
    gain = _run(fresh, data_dir, tmp_path / "mine", steps=1, learning_rate=0.0)
    assert gain.path is None and gain.others_before is None
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["labels"]


def test_a_corpus_that_keeps_nobody_aside_tells_nothing_of_others(fresh, data_dir, tmp_path, write_corpus):
    labels = write_corpus(tmp_path / "cache") / "corpus/labels.npz"
    with np.load(labels) as archive:
        columns = {name: archive[name] for name in archive}
    np.savez(labels, **{**columns, "validation": columns["validation"] & False})
    gain = _run(fresh, data_dir, tmp_path / "mine", cache=tmp_path / "cache", steps=1, learning_rate=0.0)
    assert gain.others_before is None and "other people" not in str(gain)


def test_too_little_time_is_said_before_it_is_spent(fresh, data_dir, tmp_path):
    with pytest.raises(SettingsError, match="leave no time to train; give at least") as refused:
        _run(fresh, data_dir, tmp_path / "mine", minutes=0.1)
    needed = float(str(refused.value).rsplit(" ", 1)[1])
    assert needed * 60 >= RESERVE_SECONDS + SHORTEST_SECONDS


def test_shapes_that_never_move_have_no_figure():
    still = Standing(2.0, float("nan"), 1.0)
    assert "shapes r - -> -," in str(Gain(90, 20, 0.5, still, still, None, None, None))


def test_a_student_for_another_face_model_is_refused(fresh, data_dir, tmp_path):
    import onnx

    graph = onnx.load(str(fresh))
    onnx.helper.set_model_props(graph, {"version": "1.0", "face_model": "00" * 8})
    onnx.save(graph, str(fresh))
    with pytest.raises(AssetError, match="another|face model 0000000000000000"):
        _run(fresh, data_dir, tmp_path / "mine")


@pytest.mark.parametrize(
    ("after", "refused"),
    [
        ((2.0, 0.60, 1.0), True), ((1.9, 0.60, 1.0), False), ((1.9, 0.58, 1.0), True), ((1.9, 0.60, 0.9), True),
        ((1.9, float("nan"), 1.0), False), ((1.995, 0.60, 1.0), True), ((2.0, 0.65, 1.0), False),
        ((2.1, 0.65, 1.0), True),
    ],
)  # fmt: skip
def test_a_gain_must_be_seen_and_nothing_lost(after, refused):
    assert no_better(Standing(2.0, 0.6, 1.0), Standing(*after)) is refused

"""What a side says twice: the copy, the arithmetic, the lists, and which clips may decide."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from tracker.bench import accuracy, poor_shapes, repeatability  # noqa: E402
from tracker.bench.agreement import Seen  # noqa: E402
from tracker.bench.repeatability import Row, Twice  # noqa: E402
from tracker.bench.report import emit  # noqa: E402
from tracker.errors import AssetError, SourceError  # noqa: E402
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES  # noqa: E402

JAW, SMILE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthSmileLeft"]


def test_the_copy_shows_what_the_warp_says() -> None:
    rgb = np.zeros((120, 160, 3), np.uint8)
    rgb[30:33, 100:103] = 255
    copy, warp = repeatability.disturbed(rgb, np.random.default_rng(0))
    expected = warp[:, :2] @ [101.5, 31.5] + warp[:, 2]
    rows, columns = np.nonzero(copy[..., 1] > 100)
    np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], expected, atol=0.3)
    assert np.linalg.det(warp[:, :2]) == pytest.approx(0.95**2)
    dark = copy[90:].astype(float)  # noise is cut at 0 there
    assert 1.0 < dark.std() < 3.0


def _follows(shift: float) -> repeatability.Sees:
    """Sees a mesh on the picture's middle, turned and shrunk with it at every second look, and `shift` px off then."""
    looks = 0
    mesh = np.zeros((478, 3))
    mesh[:, 0], mesh[:, 1] = np.linspace(40, 120, 478), 60
    mesh[33, 0], mesh[263, 0] = 60, 100

    def sees(rgb: np.ndarray) -> list[Seen]:
        nonlocal looks
        looks += 1
        scores = np.zeros(52)
        scores[JAW] = (looks - 1) // 2 / 20
        if looks % 2:
            return [Seen(mesh, scores)]
        warp = repeatability.disturbed(rgb, np.random.default_rng(0))[1]
        return [Seen(mesh[:, :2] @ warp[:, :2].T + warp[:, 2] + [0, shift], scores)]

    return sees


def test_the_turn_is_undone() -> None:
    frames = [np.zeros((120, 160, 3), np.uint8)] * 12
    twice = repeatability.look_twice(frames, _follows(0.38))
    np.testing.assert_allclose(twice.distance, 0.01, rtol=1e-6)  # 0.38 px of 40 * 0.95
    row = repeatability.summarise("peer", "clips", [twice], [np.arange(52) == JAW])
    assert (row.clips, row.frames, row.clips_by_shape) == (1, 12, {"jawOpen": 1})
    assert row.nme == pytest.approx(0.01) and row.correlation == pytest.approx(1)
    assert repeatability.look_twice(frames, lambda rgb: []).distance.shape == (0,)


def _twice(first: list[float], again: list[float]) -> Twice:
    scores, second = np.zeros((len(first), 52)), np.zeros((len(first), 52))
    scores[:, JAW], second[:, JAW] = first, again
    scores[:, SMILE] = first
    return Twice(scores, second, np.full(len(first), 0.02))


def test_a_shape_held_still_repeats_nothing_and_few_frames_say_nothing() -> None:
    moves = np.isin(np.arange(52), [JAW, SMILE])
    ramp = np.arange(10) / 10
    r = repeatability.own_r(_twice(ramp.tolist(), ramp.tolist()), moves)
    assert (r[JAW], r[SMILE]) == (pytest.approx(1), 0)
    assert np.isfinite(r).sum() == 2
    assert np.isnan(repeatability.own_r(_twice([0, 1], [0, 1]), moves)).all()


def _row(by_shape: dict[str, float], clips: dict[str, int]) -> Row:
    return Row("peer", "clips", 60, 2400, 0.01, 0.9, by_shape, clips)


def test_the_lists_follow_their_bounds() -> None:
    row = _row({"jawOpen": 0.69, "jawLeft": 0.1, "cheekPuff": 0.7}, {"jawOpen": 5, "jawLeft": 4, "cheekPuff": 9})
    assert repeatability.unsteady(row) == ("jawOpen",)
    assert repeatability.dead_below(400) == pytest.approx(0.1)
    truth = {"jawOpen": 0.11, "cheekPuff": 0.1, "noseSneerLeft": -0.5, "noseSneerRight": 0.6, "jawLeft": 0.09}
    assert repeatability.dead(truth, 400) == ("cheekPuff", "noseSneerLeft", "noseSneerRight", "jawLeft")
    assert repeatability.dead({**truth, "noseSneerLeft": -0.3}, 400) == ("cheekPuff", "jawLeft")
    nothing = repeatability.conclude([row], {}, 0)
    assert nothing.dead == () and np.isnan(nothing.dead_below)


def test_the_teacher_against_rendered_truth() -> None:
    def says(rgb: np.ndarray) -> list[Seen]:
        scores = np.zeros(52)
        scores[JAW] = rgb[0, 0, 0] / 10
        return [Seen(np.zeros((478, 3)), scores)] if rgb[0, 0, 0] else []

    pictures = []
    for number in range(4):
        weights = np.zeros(52)
        weights[[JAW, SMILE]] = number / 5, (number % 2) / 2
        pictures.append((np.full((1, 1, 3), number, np.uint8), weights))
    by_truth, faces = repeatability.of_rendered(pictures, says)
    assert faces == 3, "the first is not found"
    assert by_truth["jawOpen"] == pytest.approx(1)
    assert by_truth["mouthSmileLeft"] == 0, "it never moves"


def test_what_was_computed_is_read_again(tmp_path: Path) -> None:
    row = _row({"jawOpen": 0.5, "jawLeft": 0.1}, {"jawOpen": 5, "jawLeft": 1})
    told = repeatability.conclude([row], {"cheekPuff": 0.0, "jawOpen": 0.9}, 400)
    result = accuracy.Result((), {}, repeatability=told)
    text = accuracy.report(result)
    emit("accuracy", text, result, tmp_path / "repeatability.json")
    poor = poor_shapes.read(tmp_path / "repeatability.json")
    assert poor is not None
    assert (poor.unsteady, poor.dead, poor.unsteady_below) == (("jawOpen",), ("cheekPuff",), 0.7)
    assert poor.own_r == {"jawOpen": 0.5}
    assert poor.lists()["unsteady and dead"] == ("jawOpen", "cheekPuff")
    assert (poor.why("jawOpen"), poor.why("jawLeft")) == ("unsteady", "")
    assert "jawOpen" in text and "cheekPuff" in text


def test_what_is_no_result_is_named(tmp_path: Path) -> None:
    assert poor_shapes.read(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text(json.dumps({"result": {"repeatability": None}}))
    with pytest.raises(AssetError, match=r"bad\.json is no result"):
        poor_shapes.read(tmp_path / "bad.json")


def test_the_lists_beside_the_benches_name_shapes() -> None:
    poor = poor_shapes.read()
    if poor is None:
        pytest.skip("the repeatability suite's result is not beside the benches")
    assert {*poor.unsteady, *poor.dead, *poor.own_r} <= set(ARKIT_NAMES)
    assert poor.unsteady_below == repeatability.UNSTEADY_BELOW


def test_only_training_clips_decide(tmp_path: Path) -> None:
    for split in ("train", "eval"):
        (tmp_path / split / "clips").mkdir(parents=True)
        for name in "abc":
            (tmp_path / split / "clips" / f"{name}.mp4").touch()
    rows = [f"{split}/clips/{name}.mp4,{split},{who},"
            for split in ("train", "eval") for name, who in zip("abc", "xxy", strict=True)]  # fmt: skip
    (tmp_path / "manifest.csv").write_text("\n".join(["file,split,identity,notes", *rows]))
    people = repeatability.training_files(tmp_path / "train/clips", {".mp4"})
    assert {person: [path.stem for path in paths] for person, paths in people.items()} == {"x": ["a", "b"], "y": ["c"]}
    assert len(repeatability.sample(people, 1)[0]) == 1
    with pytest.raises(SourceError, match="training split"):
        repeatability.training_files(tmp_path / "eval/clips", {".mp4"})
    settings = accuracy.Settings(tmp_path / "eval" / "clips", tmp_path / "none.task", "repeatability")
    with pytest.raises(SourceError, match="no train/clips"):
        accuracy.measure(settings)


def test_frames_lie_evenly_over_a_clip(faceless_clip: Path) -> None:
    frames = repeatability.frames_of(faceless_clip, 4)
    assert len(frames) == 4 and frames[0].shape == (120, 160, 3)
    assert len(repeatability.frames_of(faceless_clip, 99)) == 30


def test_the_teacher_and_we_say_a_real_clip_twice(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mediapipe")
    clips = sorted((data_dir / "train/clips").glob("*.mp4"), key=lambda path: path.stat().st_size)
    clip = clips[len(clips) // 5]  # the smallest have a handful of frames
    (tmp_path / "train/clips").mkdir(parents=True)
    (tmp_path / "train/clips" / clip.name).symlink_to(clip)
    monkeypatch.setattr(repeatability, "is_validation", lambda person: True)
    frames = repeatability.frames_of(clip, 12)
    monkeypatch.setattr(repeatability, "frames_of", lambda path: frames)
    teacher = data_dir / "teacher/face_landmarker.task"
    result = accuracy.measure(accuracy.Settings(tmp_path, teacher, "repeatability")).repeatability
    assert result is not None
    whole, theirs, ours = result.rows
    assert (whole.people, theirs.people, ours.who) == ("clips", "clips, kept aside", "ours")
    assert whole.nme == theirs.nme and 0.001 < theirs.nme < 0.03
    assert 0.0005 < ours.nme < 0.03 and ours.frames >= repeatability.FEWEST_FRAMES
    assert ours.clips_by_shape == theirs.clips_by_shape, "the shapes that the teacher moves"

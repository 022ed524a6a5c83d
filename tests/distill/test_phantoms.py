"""Phantoms: faces are covered wholly, patches show what was looked at, nobody kept for validation is mined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.distill import phantoms  # noqa: E402
from tracker.distill.corpus import is_validation  # noqa: E402
from tracker.distill.lookout import Lookout, _starts, _turned_back, agreed, besides  # noqa: E402
from tracker.distill.phantoms import Bare, cover, load_phantoms, mine  # noqa: E402
from tracker.distill.shelf import Shelf  # noqa: E402
from tracker.errors import AssetError, SettingsError, SourceError  # noqa: E402


def test_a_face_is_covered_wholly_whatever_covers_it():
    rng = np.random.default_rng(0)
    rgb = np.full((120, 160, 3), 90, np.uint8)
    rgb[40:80, 60:90] = rng.integers(0, 256, (40, 30, 3))
    bare = Bare(rgb, np.array([[60.0, 40, 90, 80]]))
    before = rgb.copy()
    for _ in range(60):
        covered = cover(bare, rng, np.zeros((224, 224, 3), np.uint8))
        kept = np.abs(covered[44:76, 63:87].astype(int) - before[44:76, 63:87]).max(2) < 3
        assert kept.mean() < 0.1, "the middle of the face is gone"
        assert (covered[:20] == 90).all() and (covered[:, :40] == 90).all(), "what lies apart is kept"
    assert (rgb == before).all(), "the picture itself is kept"


def test_a_box_over_the_edge_is_covered_as_far_as_the_picture_goes():
    rgb = np.full((60, 60, 3), 200, np.uint8)
    faces = np.array([[-30.0, -30, 20, 20], [70, 70, 90, 90]])
    covered = cover(Bare(rgb, faces), np.random.default_rng(1), np.zeros((224, 224, 3), np.uint8))
    assert covered.shape == rgb.shape and (covered[40:, 40:] == 200).all()


def test_the_patch_shows_the_square_in_its_middle():
    picture = np.zeros((400, 500, 3), np.uint8)
    cv2.circle(picture, (260, 180), 6, (255, 255, 255), -1)
    for roll in (0.0, 0.6):
        patch = phantoms._patch(picture, Roi(260.5, 180.5, 120.0, roll))
        ys, xs = np.nonzero(patch[:, :, 0] > 128)
        assert np.hypot(xs.mean() + 0.5 - 112, ys.mean() + 0.5 - 112) < 0.7
        radius = np.sqrt(len(xs) / np.pi)
        assert radius == pytest.approx(6.3 * phantoms.SQUARE_PX / 120, rel=0.1)


def test_a_place_is_where_looks_agree_and_one_sloppy_look_does_not_widen_it():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 15, 15], [50, 50, 60, 60]], np.float32)
    assert agreed(boxes).tolist() == [[0, 0, 11, 11]]
    assert sorted(box[0] for box in agreed(boxes, 1).tolist()) == [0, 50]
    assert agreed(np.zeros((0, 4))).shape == (0, 4)


def test_places_within_a_known_face_add_nothing():
    known = np.array([[0.0, 0, 40, 40]])
    seen = np.array([[5.0, 5, 20, 20], [30, 30, 60, 60]])
    assert besides(known, seen).tolist() == [[0, 0, 40, 40], [30, 30, 60, 60]]
    assert besides(np.zeros((0, 4)), seen).tolist() == seen.tolist()
    assert besides(known, np.zeros((0, 4))).tolist() == known.tolist()


@pytest.mark.parametrize("turns", range(4))
def test_a_box_seen_in_a_turned_picture_is_turned_back(turns: int):
    height, width = 30, 50
    picture = np.zeros((height, width), np.uint8)
    picture[5:9, 20:40] = 1
    ys, xs = np.nonzero(np.rot90(picture, turns))
    box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    assert _turned_back(box, turns, height, width).tolist() == [[20, 5, 40, 9]]


@pytest.mark.parametrize("length", [30, 100, 101, 640])
def test_tiles_cover_the_whole_length(length: int):
    starts = _starts(length, 60)
    assert starts[0] == 0 and starts[-1] == max(0, length - 60)
    assert all(b - a <= 30 for a, b in zip(starts, starts[1:], strict=False))


def test_a_saved_file_reads_back_hardest_first(tmp_path: Path):
    patches = [np.full((224, 224, 3), value, np.uint8) for value in (1, 2, 3)]
    phantoms._save(tmp_path / phantoms.FILE, list(zip(patches, (0.1, 0.9, 0.5), strict=True)))
    read = load_phantoms(tmp_path)
    assert read is not None and read[:, 0, 0, 0].tolist() == [2, 3, 1]
    assert not list(tmp_path.glob("*.part"))
    assert load_phantoms(tmp_path / "nowhere") is None
    (tmp_path / phantoms.FILE).write_bytes(b"words")
    with pytest.raises(AssetError, match="distill phantoms"):
        load_phantoms(tmp_path)


def test_nobody_kept_for_validation_is_mined(tmp_path: Path):
    names = [f"{k:04d}" for k in range(200)]
    (tmp_path / "train/images").mkdir(parents=True)
    for name in names:
        (tmp_path / f"train/images/{name}.jpg").touch()
    lines = [f"train/images/{name}.jpg,person {name}" for name in names]
    (tmp_path / "manifest.csv").write_text("file,identity\n" + "\n".join(lines) + "\n")
    shelves = [Shelf.of(tmp_path, tmp_path, kind) for kind in phantoms.KINDS]
    chosen = {path.stem for path, _ in phantoms._pictures(tmp_path, shelves, np.random.default_rng(0))}
    assert chosen == {name for name in names if not is_validation(f"person {name}")}
    assert 0 < len(chosen) < len(names)


def test_wrong_asks_are_named(tmp_path: Path):
    with pytest.raises(SettingsError, match="count 0"):
        mine(tmp_path, tmp_path / "none.task", tmp_path, count=0)
    with pytest.raises(SourceError, match="no training pictures"):
        mine(tmp_path, tmp_path / "none.task", tmp_path)
    with pytest.raises(AssetError, match=r"none\.task"):
        Lookout(tmp_path / "none.task")
    wrong = tmp_path / "wrong.task"
    wrong.write_bytes(b"no archive")
    pytest.importorskip("mediapipe")
    with pytest.raises(AssetError, match="not a Face Landmarker bundle"):
        Lookout(wrong)


def test_mining_finds_squares_and_no_covered_face(data_dir: Path, tmp_path: Path):
    pytest.importorskip("mediapipe")
    steps: list[int] = []
    found = mine(
        data_dir, data_dir / "teacher/face_landmarker.task", tmp_path, count=3, minutes=0.4,
        progress=lambda done, total, text: steps.append(done),
    )  # fmt: skip
    patches = load_phantoms(tmp_path)
    assert patches is not None and patches.shape == (found, 224, 224, 3) and 0 < found <= 3
    assert steps == list(range(1, len(steps) + 1))

"""Synthetic faces: truth that fits its picture, and a shard that goes on where it was cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from tracker.distill import lamps, synthesize, wear  # noqa: E402
from tracker.distill.correspond import Points  # noqa: E402
from tracker.distill.ict import Ict  # noqa: E402
from tracker.distill.portrait import Studio  # noqa: E402
from tracker.distill.raster import nearest_under, wound_normals  # noqa: E402
from tracker.distill.synthesize import MOMENTS, Stage  # noqa: E402
from tracker.errors import AssetError, SettingsError  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="count 7"):
        synthesize.synthesize(tmp_path, tmp_path, tmp_path / "x.task", 7)
    with pytest.raises(AssetError, match="no file at"):
        synthesize.synthesize(tmp_path, tmp_path, tmp_path / "x.task", MOMENTS)


def test_the_teacher_that_is_given_is_the_one_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "Ict", type("Ict", (), {"load": lambda _: None}))
    monkeypatch.setattr(synthesize, "Studio", lambda _: None)
    with pytest.raises(AssetError, match=r"given\.task"):
        synthesize.synthesize(tmp_path, tmp_path, tmp_path / "given.task", MOMENTS)
    (tmp_path / "ict_points.npz").write_bytes(b"")
    with pytest.raises(AssetError, match=r"ict_points\.npz is damaged.*delete it"):
        synthesize.synthesize(tmp_path, tmp_path, tmp_path / "given.task", MOMENTS)


def test_a_ray_meets_the_nearest_side_that_faces_it() -> None:
    # Two squares, the nearer one seen from behind.
    square = np.array([[0, 0], [0, 4], [4, 4], [4, 0]], float)
    xy, z = np.concatenate([square, square]), np.array([5.0] * 4 + [2.0] * 4)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]])
    hit = nearest_under(xy, z, triangles, np.array([[1.0, 3.0], [9.0, 9.0]]))
    assert hit[0, 0] == 0 and hit[0, 1:].sum() == pytest.approx(1)
    assert hit[1, 0] == -1


def test_light_falls_on_what_faces_it_and_is_not_behind_something() -> None:
    floor = np.array([[-50, -50, 100], [50, -50, 100], [50, 50, 100], [-50, 50, 100]], np.float32)
    lid = floor * [0.5, 0.5, 0.5]
    both = np.concatenate([floor, lid, [[0, 0, 100]]]).astype(np.float32)
    triangles = np.array([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]], np.int32)
    reached = lamps.lit_share(both, triangles, np.array([0.0, 0.0, -1.0]))
    assert reached[8] == 0, "the middle of the floor lies under the lid"
    assert reached[4:8].min() > 0.5
    normals = wound_normals(floor, triangles[:2])
    assert np.allclose(np.abs(normals[:, 2]), 1)


def test_worn_things_keep_their_triangles() -> None:
    rng = np.random.default_rng(0)
    parts = [wear.shirt(rng), *wear.hand(np.full(3, 120.0), rng)]
    whole = wear.joined(parts)
    assert len(whole.triangles) == sum(len(part.triangles) for part in parts)
    assert whole.triangles.max() == len(whole.vertices_mm) - 1


@pytest.fixture(scope="module")
def stage() -> Stage:
    data = Path(__file__).resolve().parents[3] / "shared/data"
    if not (data / "ict").is_dir():
        pytest.skip("no ICT-FaceKit model in the data folder beside the repository")
    studio = Studio(Ict.load(data / "ict"))
    # The face model laid over the head stands in for the teacher, who would take a minute.
    model, ict = FaceModel.load(), studio.ict
    near = np.array([((ict.neutral_mm[:9000] - p) ** 2).sum(1).argmin() for p in model.mean_mm * 1.05])
    shares = np.tile(np.array([1, 0, 0], np.float32), (478, 1))
    return Stage(studio, Points(np.repeat(near[:, None], 3, 1), shares), np.zeros((0, 8, 8, 3), np.uint8))


def test_a_patch_is_framed_as_the_corpus_frames(stage: Stage) -> None:
    faces = synthesize.moments(stage, 3, 0)
    again = synthesize.moments(stage, 3, 0)
    assert len(faces) == MOMENTS
    for face, same in zip(faces, again, strict=True):
        assert (face.picture == same.picture).all(), "a person depends on seed and number alone"
        low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
        assert (high - low).max() == pytest.approx(112, abs=0.1)
        assert np.allclose((low + high) / 2, 112, atol=0.1)
        assert np.allclose(face.rotation @ face.rotation.T, np.eye(3), atol=1e-5)
        assert np.allclose(np.linalg.norm(face.gaze, axis=1), 1, atol=1e-5)
        assert face.picture.std() > 5 and not face.photographed
        # The rotation and the scale say where the points are, but for perspective.
        nose, chin = face.landmarks[4], face.landmarks[152]
        along = face.rotation @ (stage.studio.ict.neutral_mm[stage.points.vertices[[4, 152], 0]][1] - [0, 30, -50])
        assert np.sign(along[1]) == np.sign(chin[1] - nose[1]) or abs(chin[1] - nose[1]) < 15

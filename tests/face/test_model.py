"""The shipped face model, its laws, and files that are not one."""

import numpy as np
import pytest

from tracker.errors import AssetError
from tracker.face.expression import ARKIT_INDEX, MIRROR
from tracker.face.model import FaceModel, save
from tracker.face.topology import INNER_LIPS_RING, LEFT_EYE_RING, LEFT_IRIS, OUTER_EYE_CORNERS, POINTS_68


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


def test_shapes_units_and_frame(model):
    assert model.mean_mm.shape == (478, 3) and model.expression_mm.shape == (52, 478, 3)
    apart = np.linalg.norm(np.subtract(*model.mean_mm[list(OUTER_EYE_CORNERS)]))
    assert 75 < apart < 105, "outer eye corners of an adult are 80 to 100 mm apart"
    left, right = model.eyeballs_mm
    assert left[0] > 0 > right[0] and np.allclose(left + right, 0)
    nose, chin = model.mean_mm[4], model.mean_mm[152]
    assert nose[2] < -20, "the nose points at the camera, which is at -z"
    assert chin[1] > 60, "y is down"
    assert model.mean_mm[LEFT_EYE_RING[0], 0] > 0, "the subject's left is at +x"


def test_iris_is_as_wide_as_an_iris(model):
    ring = model.mean_mm[list(LEFT_IRIS[1:])]
    widest = max(np.linalg.norm(a - b) for a in ring for b in ring)
    assert abs(widest - 11.7) < 0.3


def test_symmetric(model):
    mirror = model.mirror_index
    assert (mirror[mirror] == np.arange(478)).all()
    flip = np.array([-1, 1, 1])
    assert np.abs(model.mean_mm[mirror] * flip - model.mean_mm).max() < 0.1
    swapped = model.expression_mm[list(MIRROR)][:, mirror] * flip
    assert np.abs(swapped - model.expression_mm).max() < 0.15


def test_shapes_do_what_they_are_called(model):
    def moved(name, vertex):
        return model.expression_mm[ARKIT_INDEX[name], vertex]

    assert moved("jawOpen", 17)[1] > 8, "jawOpen lowers the lower lip"
    assert moved("eyeBlinkLeft", 386)[1] > 3, "eyeBlinkLeft lowers the left upper lid"
    assert abs(moved("eyeBlinkLeft", 159)[1]) < 0.5, "and leaves the right one"
    assert moved("mouthSmileLeft", 291)[1] < -1, "mouthSmileLeft lifts the left mouth corner"
    assert moved("browInnerUp", 107)[1] < -2, "browInnerUp lifts the inner brow"
    assert moved("eyeLookOutLeft", LEFT_IRIS[0])[0] > 2, "eyeLookOutLeft moves the left iris to the subject's left"
    assert not model.expression_mm[ARKIT_INDEX["tongueOut"]].any(), "the teacher has no tongue; the card says so"


def test_triangles_face_the_camera_and_leave_the_openings(model):
    a, b, c = (model.mean_mm[model.triangles[:, k]] for k in range(3))
    outward = np.cross(b - a, c - a)[:, 2] < 0
    assert outward.mean() > 0.97
    for ring in (INNER_LIPS_RING, LEFT_EYE_RING):
        inside = [set(t) <= set(ring) for t in model.triangles.tolist()]
        assert not any(inside)
    edges = {}
    for t in model.triangles.tolist():
        for k in range(3):
            edge = (t[k], t[(k + 1) % 3])
            assert edge not in edges, "each directed edge belongs to one triangle"
            edges[edge] = True
    assert model.uv.min() >= 0 and model.uv.max() <= 1
    assert len(POINTS_68) == len(set(POINTS_68)) == 68


def test_arrays_cannot_be_written(model):
    with pytest.raises(ValueError):
        model.mean_mm[0] = 0


def _arrays(model):
    names = ("mean_mm", "identity_mm", "expression_mm", "triangles", "uv", "albedo", "mirror_index")
    return {name: getattr(model, name) for name in names}


def test_saved_model_has_the_same_hash(model, tmp_path):
    digest = save(tmp_path / "again.npz", model.version, _arrays(model))
    assert digest == model.hash == FaceModel.load(tmp_path / "again.npz").hash


def test_wrong_files_are_named(model, tmp_path):
    with pytest.raises(AssetError, match="no face model"):
        FaceModel.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not a model")
    with pytest.raises(AssetError, match="not a face model"):
        FaceModel.load(tmp_path / "text.npz")
    path = tmp_path / "tampered.npz"
    save(path, model.version, _arrays(model))
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive}
    content["mean_mm"] = content["mean_mm"] + np.float16(1)
    np.savez(path, **content)
    with pytest.raises(AssetError, match="hash"):
        FaceModel.load(path)
    content["mean_mm"] = content["mean_mm"][:10]
    np.savez(path, **content)
    with pytest.raises(AssetError, match="mean_mm has shape"):
        FaceModel.load(path)

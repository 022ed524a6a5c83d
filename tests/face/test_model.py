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
    basis = {"albedo_basis": model.albedo_basis} if len(model.albedo_basis) else {}
    digest = save(tmp_path / "again.npz", model.version, {**_arrays(model), **basis})
    assert digest == model.hash == FaceModel.load(tmp_path / "again.npz").hash


def test_files_without_an_albedo_basis_are_read(model, tmp_path):
    save(tmp_path / "one.npz", "1.0", _arrays(model))
    one = FaceModel.load(tmp_path / "one.npz")
    assert one.albedo_basis.shape == (0, 478, 3) and not one.albedo_basis.flags.writeable
    basis = np.random.default_rng(0).normal(0, 9, (3, 478, 3)).astype(np.float32)
    digest = save(tmp_path / "two.npz", "1.0", {**_arrays(model), "albedo_basis": basis})
    two = FaceModel.load(tmp_path / "two.npz")
    assert np.allclose(two.albedo_basis, basis, atol=0.02)
    assert digest == two.hash != one.hash, "the colours are part of what the hash stands for"


def test_a_basis_that_was_changed_or_cut_is_noticed(model, tmp_path):
    path = tmp_path / "two.npz"
    basis = np.ones((3, 478, 3), np.float32)
    save(path, "2.0", {**_arrays(model), "albedo_basis": basis})
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive}
    for wrong, match in ((basis.astype(np.float16) * 2, "hash"), (basis[:, :10], "albedo_basis has shape")):
        np.savez(path, **{**content, "albedo_basis": wrong})
        with pytest.raises(AssetError, match=match):
            FaceModel.load(path)
    np.savez(path, **{**content, "format": np.array(3)})
    with pytest.raises(AssetError, match="reads 1 to 2"):
        FaceModel.load(path)


def test_shapes_move_only_what_they_should(model):
    moved = np.linalg.norm(model.expression_mm, axis=2)
    far = model.mean_mm[:, 1] > 40  # chin and jaw
    for name in ("eyeBlinkLeft", "browOuterUpRight", "eyeWideLeft", "eyeLookUpRight"):
        row = moved[ARKIT_INDEX[name]]
        assert row[far].max() < 0.25 * row.max(), name
    above = model.mean_mm[:, 1] < -25  # brows and forehead
    for name in ("jawOpen", "mouthSmileLeft", "mouthPucker", "mouthRollLower"):
        row = moved[ARKIT_INDEX[name]]
        assert row[above].max() < 0.25 * row.max(), name
    for left, right in (("eyeBlinkLeft", 133), ("eyeWideLeft", 33)):
        assert moved[ARKIT_INDEX[left], right] < 0.2 * moved[ARKIT_INDEX[left]].max(), left


def test_people_differ_alike_on_either_side(model):
    flipped = model.identity_mm[:, model.mirror_index] * [-1, 1, 1]
    size = np.linalg.norm(model.identity_mm.reshape(64, -1), axis=1)
    alike = (model.identity_mm * flipped).sum((1, 2)) / size**2
    assert (np.abs(alike) > 0.97).all(), "each component is its own mirror image, or the opposite of it"
    assert (np.diff(size) < 0.01 * size[0]).all(), "the largest differences come first"
    albedo = model.albedo_basis[:8]
    for component in albedo:
        mirrored = component[model.mirror_index]
        assert abs((component * mirrored).sum()) / (component**2).sum() > 0.97


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

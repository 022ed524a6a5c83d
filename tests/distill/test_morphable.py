"""Learning a face model from faces whose making is known."""

import numpy as np
import pytest

from tracker.distill.mesh import triangulate, unwrap
from tracker.distill.morphable import align, learn, mirror_pairs, residual_share, similarity
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3


@pytest.fixture(scope="module")
def faces():
    """600 faces of 30 people made with the shipped model: landmarks in some image's pixels, scores, person."""
    rng, model = np.random.default_rng(0), FaceModel.load()
    person = np.repeat(np.arange(30), 20)
    identity = rng.normal(size=(30, 64))[person]
    scores = (rng.random((600, 52)) < 0.15) * rng.random((600, 52))
    scores[:, ARKIT_INDEX["tongueOut"]] = 0
    shape = model.mean_mm + np.einsum("ni,ivx->nvx", identity, model.identity_mm)
    shape = shape + np.einsum("nk,kvx->nvx", scores, model.expression_mm)
    placed = [
        1.3 * v @ exp_so3(rng.normal(0, 0.2, 3)).T + [*rng.uniform(50, 90, 2), 0] for v in shape.astype(np.float64)
    ]
    return np.array(placed), scores, person


def test_similarity_is_found_exactly():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(20, 3))
    rotation, scale, shift = exp_so3(np.array([0.3, -0.5, 1.0])), 2.5, np.array([4.0, 5, 6])
    source = ((target - shift) / scale) @ rotation
    found_scale, found_rotation, found_shift = similarity(source[None], target)
    assert np.isclose(found_scale[0], scale) and np.allclose(found_rotation[0], rotation)
    assert np.allclose(found_shift[0], shift) and np.allclose(align(source[None], target)[0], target)


def test_mirror_pairs_of_the_shipped_mean():
    model = FaceModel.load()
    assert (mirror_pairs(model.mean_mm.astype(np.float64)) == model.mirror_index).all()


def test_a_known_model_is_learned_again(faces):
    landmarks, scores, person = faces
    learned = learn(landmarks, scores, person, 24)
    shipped = FaceModel.load()
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp"):
        ours, theirs = learned.expression_mm[ARKIT_INDEX[name]], shipped.expression_mm[ARKIT_INDEX[name]]
        angle = (ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert angle > 0.9, name
    assert np.allclose(learned.mean_mm, learned.mean_mm[learned.mirror_index] * [-1, 1, 1], atol=1e-6)
    assert not learned.expression_mm[ARKIT_NAMES.index("tongueOut")].any()
    assert (np.diff(learned.explained) >= 0).all() and learned.explained[-1] > 0.9
    share = residual_share(learned, landmarks, scores, person)
    assert share["shapes"] < share["static"] < share["mean"]
    assert share["shapes"] < 0.6, "percent of the inter-ocular distance; what similarity alignment takes up remains"


def test_triangles_are_symmetric_and_whole(faces):
    landmarks, scores, person = faces
    learned = learn(landmarks, scores, person, 8)
    triangles = triangulate(unwrap(learned), learned.mirror_index)
    kept = {tuple(sorted(t)) for t in triangles.tolist()}
    mirrored = {tuple(sorted(learned.mirror_index[list(t)].tolist())) for t in kept if max(t) < 468}
    skin = {t for t in kept if max(t) < 468}
    assert len(skin - mirrored) < 0.02 * len(skin)
    assert set(triangles.ravel().tolist()) == set(range(478)), "no vertex is left out"

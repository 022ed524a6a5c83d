"""Learning colours from faces whose colours and light are known, and what that leaves alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tracker.cli import main
from tracker.distill.albedo import choose_rows, explained_by_albedo, learn_albedo
from tracker.distill.corpus import Corpus
from tracker.distill.current import GEOMETRY
from tracker.distill.explained import COUNTS, card_table, explain
from tracker.distill.shape import build_model
from tracker.distill.texture import texel_triangles
from tracker.errors import SourceError
from tracker.face.model import FaceModel
from tracker.kernels.normals.reference import normals_of
from tracker.kernels.shade.reference import harmonics

PEOPLE, HELD = 40, 6
PX = 224


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


@pytest.fixture(scope="module")
def patterns(model):
    """Two ways in which these people differ [2, 478, 3], one standard deviation: all of the skin, and the chin."""
    chin = 1 / (1 + np.exp(-(model.mean_mm[:, 1] - 60) / 6))
    return np.stack([np.full((478, 3), 14.0) * [1.2, 1.0, 0.8], chin[:, None] * [-26.0, -20.0, -14.0]])


@pytest.fixture(scope="module")
def corpus(model, patterns):
    """Everybody once, straight ahead, under a light of his own; the last few are kept aside."""
    rng, count = np.random.default_rng(0), PEOPLE + HELD
    points = model.mean_mm * 1.3 + [PX / 2, PX / 2 - 40, 0]
    triangle, weights = texel_triangles(replace(model, uv=(points[:, :2] / PX).astype(np.float32)), PX)
    corners = model.triangles[np.maximum(triangle, 0)]
    functions = harmonics(normals_of(points, model.triangles))
    patches = np.full((count, PX, PX, 3), 80, np.uint8)
    for patch, code in zip(patches, rng.normal(size=(count, 2)), strict=True):
        light = np.r_[0.6 / 0.282, rng.normal(0, 0.22, 3), rng.normal(0, 0.05, 5)]
        colour = (model.albedo + np.tensordot(code, patterns, 1)) * (functions @ light)[:, None]
        painted = (colour[corners] * weights[..., None]).sum(2)
        patch[triangle >= 0] = np.clip(painted, 0, 250).astype(np.uint8)[triangle >= 0]
    everyone = np.arange(count, dtype=np.int32)
    return Corpus(
        patches, np.repeat(points[None], count, 0).astype(np.float32), np.zeros((count, 52), np.float32), everyone,
        everyone, np.ones(count, np.int8), everyone >= PEOPLE, np.ones(count, bool),
    )  # fmt: skip


@pytest.fixture(scope="module")
def learned(corpus, model):
    return learn_albedo(corpus, model, components=4)


def test_people_are_told_from_the_light_on_them(learned, patterns):
    assert learned.people == PEOPLE and learned.explained[1] > 0.8
    basis = learned.basis[:2, :468].reshape(2, -1)
    for pattern in patterns:
        flat = pattern[:468].reshape(-1)
        shown = basis.T @ np.linalg.lstsq(basis.T, flat, rcond=None)[0]
        assert 1 - ((flat - shown) ** 2).sum() / (flat**2).sum() > 0.8
    sideways = np.abs(learned.basis[:2, 330].mean(1) - learned.basis[:2, 101].mean(1))  # cheek against cheek
    assert (sideways < 1.5).all(), "light from a side is nobody's colour"


def test_mean_and_components_are_symmetric(learned, model):
    mirror = model.mirror_index
    assert np.allclose(learned.mean, learned.mean[mirror], atol=1e-6)
    for component in learned.basis:
        sign = np.sign((component * component[mirror]).sum())
        assert np.allclose(component, sign * component[mirror], atol=0.01)
    skin = normals_of(model.mean_mm.astype(np.float64), model.triangles)[:468, 2] < -0.4
    painted, found = (colour[:468][skin].ravel() for colour in (model.albedo, learned.mean))
    assert np.corrcoef(painted, found)[0, 1] > 0.95, "of 40 lights the mean is nearly plain"


def test_colours_are_added_to_a_geometry_that_stays_as_it_is(corpus, model, tmp_path):
    residuals = build_model(corpus, tmp_path / "two.npz", _shipped(model, tmp_path))
    made = FaceModel.load(tmp_path / "two.npz")
    assert made.version == "2.0" and made.albedo_basis.shape == (24, 478, 3) and made.hash != model.hash
    for name in GEOMETRY:
        assert getattr(made, name).tobytes() == getattr(model, name).tobytes(), name
    assert set(residuals) == {"mean", "static", "shapes", "model"}
    shares = explained_by_albedo(corpus, made, (0, 2, 24))
    assert abs(shares[0]) < 1e-6 and shares[2] > 0.6 and shares[24] >= shares[2]
    assert (tmp_path / "two.npz").stat().st_size < 5e6


def test_what_people_kept_aside_need(corpus, model):
    rng = np.random.default_rng(3)
    scale = 1.3 * np.tensordot(rng.normal(size=(len(corpus), 64)), model.identity_mm, 1)
    report = explain(replace(corpus, landmarks=(corpus.landmarks + scale).astype(np.float32)), model)
    shares = [row.people_share for row in report.identity]
    assert [row.coefficients for row in report.identity] == list(COUNTS) and report.people == HELD
    assert shares[0] == pytest.approx(0) and shares == sorted(shares) and shares[-1] > 0.97
    left = [row.residual_percent for row in report.identity]
    assert left == sorted(left, reverse=True)
    assert card_table(report).count("\n") == len(COUNTS) + 1


@pytest.mark.parametrize("aside", [False, True])
def test_the_command_says_what_people_kept_aside_need_or_does_without(
    corpus, model, tmp_path, monkeypatch, capsys, aside
):
    known = replace(corpus, validation=corpus.validation & aside)
    monkeypatch.setattr("tracker.distill.corpus.load", lambda *_, **__: known)
    shapes = str(_shipped(model, tmp_path))
    with pytest.raises(SystemExit, match="0"):
        main(["distill", "model", "--geometry", shapes, "--out", str(tmp_path / "new.npz")])
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"wrote {tmp_path / 'new.npz'}" and (len(said) == 1) != aside
    if aside:
        assert json.loads(said[-2])["result"]["people"] == HELD


def test_too_few_people_are_named(corpus, model):
    with pytest.raises(SourceError, match="40 people"):
        learn_albedo(corpus, model, components=60)
    assert len(choose_rows(corpus, held_out=True)) == HELD


def _shipped(model, folder):
    from tracker.face.model import save

    save(folder / "one.npz", "1.0", {name: getattr(model, name) for name in (*GEOMETRY, "albedo")})
    return folder / "one.npz"

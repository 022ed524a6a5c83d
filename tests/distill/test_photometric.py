"""The photometric term on faces painted from our own model: it is least where the face is, and pulls there."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")

from tracker.distill.losses import Objective, Terms, Truth, region_of_vertices  # noqa: E402
from tracker.distill.photometric import Photometric, halved, harmonics, sample  # noqa: E402
from tracker.distill.student import Decoder  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.face.pose import exp_so3  # noqa: E402
from tracker.kernels.normals.reference import normals_of  # noqa: E402
from tracker.kernels.shade.reference import harmonics as published  # noqa: E402
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH  # noqa: E402

LIGHT = np.zeros((9, 3))
LIGHT[0] = 0.7 / 0.282095
LIGHT[1], LIGHT[2], LIGHT[3] = -0.15, -0.3, 0.25


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


@pytest.fixture(scope="module")
def term(model):
    return Photometric(model, region_of_vertices(torch.tensor(model.mean_mm))).double()


def place(model, turn=(0.1, -0.35, 0.05), zoom=1.0, shift=(0.0, 0.0)):
    """Vertices [1, 478, 3] in crop pixels, float64."""
    scale = CROP_PX / ROI_SIDE_MM * 1.15 * zoom
    at = (model.mean_mm - np.array(ROI_CENTRE_MM)) @ exp_so3(np.array(turn)).T * scale
    return torch.tensor(at + [CROP_PX / 2 + shift[0], CROP_PX / 2 + shift[1], 0])[None]


def paint(model, vertices, coefficients=LIGHT):
    """The face with light on it, on a grey wall: float64 [1, 3, 128, 128]."""
    v = vertices[0].numpy()
    shade = published(normals_of(v, model.triangles)) @ coefficients
    colour = np.clip(model.albedo * shade, 0, 255)
    picture, depth = np.full((CROP_PX, CROP_PX, 3), 90.0), np.full((CROP_PX, CROP_PX), np.inf)
    y, x = np.mgrid[0:CROP_PX, 0:CROP_PX] + 0.5
    for corners in model.triangles:
        a, b, c = v[corners]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        low, high = np.floor(v[corners, :2].min(0)).astype(int), np.ceil(v[corners, :2].max(0)).astype(int) + 1
        window = np.s_[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
        wb = ((x[window] - a[0]) * (c[1] - a[1]) - (y[window] - a[1]) * (c[0] - a[0])) / area
        wc = ((b[0] - a[0]) * (y[window] - a[1]) - (b[1] - a[1]) * (x[window] - a[0])) / area
        weights = np.stack([1 - wb - wc, wb, wc], -1)
        z = weights @ v[corners, 2]
        nearer = (weights.min(-1) >= -1e-9) & (z < depth[window])
        depth[window][nearer] = z[nearer]
        picture[window][nearer] = (weights @ colour[corners])[nearer]
    return torch.tensor(picture.transpose(2, 0, 1))[None]


def test_samples_are_where_the_pixels_are():
    picture = torch.arange(12.0).view(1, 1, 3, 4)
    found = sample(picture, torch.tensor([[[0.5, 0.5], [2.0, 1.5], [3.5, 2.5]]]))
    assert torch.allclose(found[0, :, 0], torch.tensor([0.0, 5.5, 11.0]), atol=1e-5)


def test_blur_keeps_what_is_even():
    even = torch.full((1, 3, 16, 16), 70.0)
    assert torch.allclose(halved(even), even[..., ::2, ::2])


def test_harmonics_are_those_of_the_published_light():
    normals = np.random.default_rng(0).normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.allclose(harmonics(torch.tensor(normals)).numpy(), published(normals))


@pytest.mark.parametrize("wrong", [
    {"shift": (4.0, 0.0)}, {"shift": (0.0, -4.0)}, {"zoom": 1.1}, {"zoom": 0.9}, {"turn": (0.1, -0.15, 0.05)},
    {"turn": (0.25, -0.35, 0.05)}, {"turn": (0.1, -0.35, 0.2)},
])  # fmt: skip
def test_a_wrong_place_costs_and_its_gradient_points_back(model, term, wrong):
    right = place(model)
    picture = paint(model, right)
    start = place(model, **wrong).requires_grad_(True)
    there, here = term(picture, right), term(picture, start)
    here.backward()
    assert here > 1.5 * there
    back = (right - start).detach()[..., :2]
    cosine = -(start.grad[..., :2] * back).sum() / start.grad[..., :2].norm() / back.norm()
    assert cosine > 0.05, "over 956 directions, of which most see an even cheek"


def test_gradients_are_finite_differences(model, term):
    picture = paint(model, place(model))
    vertices = place(model, shift=(1.3, -0.7), zoom=1.03).requires_grad_(True)
    solved = term.solve(picture, vertices)

    def total(v):
        compared = term.compare(picture, v, solved)
        return (compared.residual * compared.seen).sum()

    total(vertices).backward()
    rng, step = np.random.default_rng(1), 1e-5
    for vertex in rng.choice(468, 12, replace=False):
        axis = int(rng.integers(3))
        moved = torch.zeros_like(vertices)
        moved[0, vertex, axis] = step
        with torch.no_grad():
            expected = (total(vertices + moved) - total(vertices - moved)) / (2 * step)
        assert torch.allclose(vertices.grad[0, vertex, axis], expected, rtol=2e-4, atol=1e-6)


def test_the_light_is_found_again(model, term):
    right = place(model)
    solved = term.solve(paint(model, right), right)
    normals = normals_of(right[0].numpy(), model.triangles)
    facing = normals[:468, 2] < -0.5
    functions = published(normals)[:468][facing]
    # A brightness may be the skin's or the light's: their product is what counts, and the light's pattern.
    shown = solved.colour[0, :468].numpy()[facing] * (functions @ solved.light[0].numpy())
    meant = model.albedo[:468][facing] * (functions @ LIGHT)
    assert np.abs(shown - meant).mean() < 4.0, "grey levels, of which the blur takes most"
    pattern, true = functions @ solved.light[0].numpy(), functions @ LIGHT
    assert np.corrcoef(pattern[:, 1], true[:, 1])[0, 1] > 0.95


def test_the_colour_of_a_person_is_found_again(model):
    basis = np.random.default_rng(2).normal(0, 1, (3, 1, 3)) * [12.0, 10.0, 8.0] * np.ones((3, 478, 1))
    basis[1, :, :] *= np.sin(model.mean_mm[:, 1] / 12)[:, None]
    basis[2, :, :] *= np.sin(model.mean_mm[:, 0] / 8)[:, None]
    tinted = replace(model, albedo=np.clip(model.albedo + np.einsum("a,avc->vc", [0.0, 1.5, -1.0], basis), 0, 255))
    term = Photometric(replace(model, albedo_basis=basis.astype(np.float32)), torch.zeros(0, 478)).double()
    right = place(model, turn=(0.0, 0.1, 0.0))
    codes = term.solve(paint(tinted, right), right).albedo[0]
    # The first one tints all of the face, as light does: only the patterns can be told from it.
    assert abs(codes[1] - 1.5) < 0.4 and abs(codes[2] + 1.0) < 0.4


def test_an_occluder_is_left_out_and_does_not_bend_the_light(model, term):
    right = place(model, turn=(0.0, 0.1, 0.0))
    clean = paint(model, right)
    covered = clean.clone()
    covered[:, :, 78:, 40:90] = torch.tensor([20.0, 90.0, 200.0])[:, None, None]
    whole, partly = term.solve(clean, right), term.solve(covered, right)
    samples = torch.cat([right[0, :468], right[0, term.corners].mean(1)])
    under = (samples[:, 1] > 81) & (samples[:, 0] > 43) & (samples[:, 0] < 87) & (whole.weight[0] > 0.5)
    above = (samples[:, 1] < 74) & (whole.weight[0] > 0.5)
    assert partly.weight[0, under].mean() < 0.15 < 0.6 < partly.weight[0, above].mean()
    _, functions, _ = term._look(clean, right)
    before, after = (s.colour * (functions @ s.light) for s in (whole, partly))
    assert (before - after)[0, above].abs().mean() < 6.0, "grey levels where nothing changed"
    assert term(covered, right) < 2.5 * term(clean, right)


def test_what_is_turned_away_or_covered_is_not_seen(model, term):
    turned = place(model, turn=(0.0, 1.0, 0.0))
    solved = term.solve(paint(model, turned), turned)
    left, right = 454, 234  # the outermost vertices before the ears
    nearer, farther = (left, right) if turned[0, left, 2] < turned[0, right, 2] else (right, left)
    assert solved.weight[0, farther] == 0 and term._visible(*_seen(term, turned))[0, nearer] > 0


def _seen(term, vertices):
    places, functions, _ = term._look(torch.zeros(1, 3, CROP_PX, CROP_PX).double(), vertices)
    return places, functions, torch.Size([CROP_PX, CROP_PX])


def test_nothing_seen_is_nothing_lost(model, term):
    away = place(model, shift=(400.0, 0.0)).requires_grad_(True)
    loss = term(torch.full((1, 3, CROP_PX, CROP_PX), 90.0).double(), away)
    loss.backward()
    assert loss == 0 and torch.isfinite(away.grad).all()


def test_the_objective_asks_for_it_where_a_face_is(model):
    decoder = Decoder(model)
    regions = region_of_vertices(decoder.mean)
    objective = Objective(decoder, torch.full((52,), 0.1), Terms(photometric=True), Photometric(model, regions))
    vector = torch.zeros(4, WIDTH)
    vector[:, SLICES["rotation"]] = torch.tensor([1.0, 0, 0, 0, 1, 0])
    points, rotation = decoder(vector)
    crops = paint(model, points[:1].double()).float().repeat(4, 1, 1, 1)
    present = torch.tensor([1.0, 1, 0, 0])
    truth = Truth(
        points, points[..., :2], torch.ones(4, 478), torch.zeros(4, 52), torch.zeros(4), rotation, present, present,
        torch.full((4,), -1),
    )  # fmt: skip
    moved = vector.clone()
    moved[:, SLICES["centre"]] += 0.06
    moved.requires_grad_(True)
    right, wrong = objective(vector, truth, crops)[1], objective(moved, truth, crops)[1]
    assert wrong["photometric"] > 2 * right["photometric"]
    wrong["photometric"].backward()
    pull = moved.grad[:, SLICES["centre"]]
    assert (pull[:2] > 0).all() and not pull[2:].any(), "back to where it was painted, and nothing without a face"
    assert "photometric" not in objective(vector, truth)[1]


def test_every_sample_is_in_one_region(model, term):
    assert torch.allclose(term.regions.sum(0), torch.ones(1).double()) and len(term.regions) == 6
    assert term.basis.shape == (len(model.albedo_basis), len(term.mean), 3)

"""The network and its losses: the training side and the run time mean the same by the same vector."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.distill.losses import Objective, Terms, Truth  # noqa: E402
from tracker.distill.muon import Muon, orthogonalised  # noqa: E402
from tracker.distill.student import Decoder, Student  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.face.topology import GUIDES  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.refine.fit import Refiner  # noqa: E402
from tracker.regress.guides import guides_at_rest  # noqa: E402
from tracker.regress.outputs import CROP_PX, SLICES, WIDTH  # noqa: E402
from tracker.regress.regressor import Guess  # noqa: E402
from tracker.smooth.estimate import Estimator  # noqa: E402


def _vector(seed=0):
    rng = np.random.default_rng(seed)
    out = np.zeros(WIDTH, np.float32)
    out[SLICES["expression"]] = rng.random(52)
    out[SLICES["identity"]] = rng.normal(size=64)
    out[SLICES["rotation"]] = np.array([1, 0, 0, 0, 1, 0]) + rng.normal(0, 0.2, 6)
    out[SLICES["centre"]] = [0.03, -0.05]
    out[SLICES["log_scale"]] = 0.1
    return out


def _with_guides(out, model):
    """The vector with its guides where its own pose and coefficients put them."""
    points = Decoder(model)(torch.tensor(out)[None])[0][0].numpy()
    out[SLICES["guides"]] = (points[list(GUIDES)] / CROP_PX - guides_at_rest(model)).reshape(-1)
    return out


def _live(out, model):
    kernels = choose()
    roi = Roi(CROP_PX / 2, CROP_PX / 2, float(CROP_PX), 0.0)
    fit = Refiner(1, model)(Guess(roi, np.zeros((3, CROP_PX, CROP_PX), np.float32), out, 1.0), 0)
    return Estimator(model, kernels.morph, kernels.project).landmarks(
        fit.identity, fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm
    )


def test_decoder_and_run_time_put_landmarks_in_the_same_place():
    model = FaceModel.load()
    out = _with_guides(_vector(), model)
    points, _ = Decoder(model)(torch.tensor(out)[None])
    assert np.allclose(points[0, :, :2].numpy(), _live(out, model)[:, :2], atol=0.02)


def test_the_pose_follows_the_guides_not_the_regressed_one():
    model = FaceModel.load()
    out = _with_guides(_vector(), model)
    seen = _live(out, model).copy()
    out[SLICES["rotation"]] += 0.3
    out[SLICES["centre"]] += 0.1
    assert np.allclose(_live(out, model)[:, :2], seen[:, :2], atol=0.02)


def _truth(out, decoder, person=-1):
    points, rotation = decoder(out)
    ones, count = torch.ones(len(out)), len(out)
    return Truth(
        landmarks=points, tolerant=points[..., :2], point_weight=torch.ones(count, 478),
        scores=out[:, SLICES["expression"]], score_scale=torch.zeros(count), rotation=rotation, taught=ones,
        presence=ones, person=torch.full((count,), person),
    )  # fmt: skip


def test_the_objective_is_least_at_the_truth_and_has_gradients():
    model = FaceModel.load()
    decoder = Decoder(model)
    objective = Objective(decoder, torch.full((52,), 0.1))
    right = torch.tensor(np.stack([_with_guides(_vector(seed), model) for seed in (0, 1)]))
    truth = _truth(right, decoder)
    wrong = (right + 0.05).requires_grad_(True)
    loss, parts = objective(wrong, truth)
    loss.backward()
    best = objective(right, truth)[1]
    for name in ("landmarks", "depth", "scores", "rotation", "guides"):
        assert best[name] < 1e-3 < parts[name], name
    assert torch.isfinite(wrong.grad).all() and wrong.grad.abs().sum() > 0


def test_each_idea_can_be_switched_off():
    model = FaceModel.load()
    decoder, spread = Decoder(model), torch.full((52,), 0.1)
    right = torch.tensor(np.stack([_with_guides(_vector(seed), model) for seed in (0, 1)]))
    truth = _truth(right, decoder, person=7)
    assert "guides" not in Objective(decoder, spread, Terms(guides=False))(right, truth)[1]
    elsewhere = replace(truth, tolerant=truth.tolerant + 3)
    assert Objective(decoder, spread, Terms(tolerant=False, exchange=False))(right, elsewhere)[1]["landmarks"] < 1e-4
    assert Objective(decoder, spread, Terms(exchange=False))(right, elsewhere)[1]["landmarks"] > 0.5
    strangers = [Objective(decoder, spread, Terms(exchange=True))(right, truth)[1]["landmarks"] for _ in range(20)]
    assert max(strangers) > 0.05  # two identities were exchanged, and do not fit
    assert Objective(decoder, spread, Terms(exchange=False))(right, truth)[1]["landmarks"] < 1e-4


def test_between_two_teachers_nothing_pulls():
    model = FaceModel.load()
    decoder = Decoder(model)
    objective = Objective(decoder, torch.full((52,), 0.1), Terms(exchange=False))
    right = torch.tensor(np.stack([_with_guides(_vector(0), model)] * 2)).requires_grad_(True)
    points = decoder(right)[0].detach()
    apart = torch.tensor([4.0, 0.0])
    truth = replace(_truth(right.detach(), decoder), tolerant=points[..., :2] + apart)
    strict = truth.landmarks.clone()
    strict[..., :2] -= apart
    objective(right, replace(truth, landmarks=strict))[1]["landmarks"].backward()
    assert right.grad[:, SLICES["centre"]].abs().max() < 1e-3


def test_muon_moves_every_direction_alike():
    torch.manual_seed(0)
    gradient = torch.randn(24, 40) @ torch.diag(torch.logspace(0, -3, 40))
    singular = torch.linalg.svdvals(orthogonalised(gradient).float())
    assert singular[:12].min() > 0.5 and singular.max() < 1.3
    weight = torch.nn.Parameter(torch.zeros(8, 3, 3, 3))
    weight.grad = torch.randn_like(weight)
    Muon([weight], lr=0.1).step()
    assert (weight * weight.grad).sum() < 0
    assert 0.005 < weight.detach().pow(2).mean().sqrt() < 0.05  # about a fifth of the rate, as Adam's would be


def test_folding_the_scaling_into_the_stem_changes_nothing():
    net = Student().eval()
    net.body[0][1].running_mean.normal_()
    crops = torch.rand(2, 3, CROP_PX, CROP_PX) * 255
    assert torch.allclose(net(crops), net.folded()(crops), atol=1e-4)


def test_a_fresh_student_starts_at_the_mean_face():
    out = Student().eval()(torch.full((2, 3, CROP_PX, CROP_PX), 127.0))
    assert out.shape == (2, WIDTH)
    points, rotation = Decoder(FaceModel.load())(out)
    assert torch.isfinite(points).all() and (rotation.det() - 1).abs().max() < 1e-4
    assert points[..., 0].min() > -64 and points[..., 0].max() < 192

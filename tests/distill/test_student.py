"""The network and its losses: the training side and the run time mean the same by the same vector."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.distill.losses import Objective, Truth  # noqa: E402
from tracker.distill.student import Decoder, Student  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.refine.fit import Refiner  # noqa: E402
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


def test_decoder_and_run_time_put_landmarks_in_the_same_place():
    out, model, kernels = _vector(), FaceModel.load(), choose()
    points, _ = Decoder(model)(torch.tensor(out)[None])
    roi = Roi(CROP_PX / 2, CROP_PX / 2, float(CROP_PX), 0.0)
    fit = Refiner(1, 64)(Guess(roi, np.zeros((3, CROP_PX, CROP_PX), np.float32), out, 1.0), 0)
    live = Estimator(model, kernels.morph, kernels.project).landmarks(
        fit.identity, fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm
    )
    assert np.allclose(points[0, :, :2].numpy(), live[:, :2], atol=0.02)


def test_the_objective_is_least_at_the_truth_and_has_gradients():
    model = FaceModel.load()
    decoder = Decoder(model)
    objective = Objective(decoder, torch.full((52,), 0.1))
    right = torch.tensor(np.stack([_vector(0), _vector(0)]))
    points, rotation = decoder(right)
    ones = torch.ones(2)
    scores = right[:, SLICES["expression"]]
    truth = Truth(points, torch.ones(2, 478), scores, rotation, ones, ones)
    wrong = (right + 0.05).requires_grad_(True)
    loss, parts = objective(wrong, truth)
    loss.backward()
    best = objective(right, truth)[1]
    for name in ("landmarks", "depth", "scores", "rotation"):
        assert best[name] < 1e-3 < parts[name], name
    assert torch.isfinite(wrong.grad).all() and wrong.grad.abs().sum() > 0


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

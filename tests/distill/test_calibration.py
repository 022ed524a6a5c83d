"""Calibration of standard deviations on errors whose law is known, and the factors inside the network."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")

from tracker.distill import calibration  # noqa: E402
from tracker.distill.calibration import BLOCKS, LEVELS, Errors, coverage, fit, fold, judge  # noqa: E402
from tracker.distill.corpus import Corpus  # noqa: E402
from tracker.distill.lessons import Poses, fit_poses  # noqa: E402
from tracker.distill.reliability import draw  # noqa: E402
from tracker.distill.student import Student  # noqa: E402
from tracker.errors import SettingsError  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.regress.outputs import CROP_PX, SLICES, WIDTH  # noqa: E402


def drawn(law, promised=1.0, people=40, seed=0):
    """Errors of that law with their own spread each, and predictions `promised` times as large."""
    rng = np.random.default_rng(seed)
    log_std = rng.uniform(-5, -2, (people * 20, 1))
    size = {
        "laplace": lambda: np.abs(rng.laplace(0, 1 / np.sqrt(2), (people * 20, 5))),
        "normal": lambda: np.abs(rng.normal(0, 1, (people * 20, 5))),
        "rayleigh": lambda: rng.rayleigh(1 / np.sqrt(2), (people * 20, 5)),
    }[law]() * np.exp(log_std)
    return Errors(size, log_std + np.log(promised), np.repeat(np.arange(people), 20))


@pytest.mark.parametrize("law", calibration.LAWS)
def test_right_predictions_lie_on_the_diagonal(law):
    assert np.abs(coverage(drawn(law), law) - LEVELS).max() < 0.03
    others = [calibration.calibration_error(coverage(drawn(law), other)) for other in calibration.LAWS if other != law]
    assert min(others) > 0.03, "another law does not fit"


@pytest.mark.parametrize(("law", "promised"), [("laplace", 3.0), ("normal", 0.4), ("rayleigh", 1.7)])
def test_the_factor_undoes_what_is_wrong(law, promised):
    assert fit(drawn(law, promised), law) == pytest.approx(1 / promised, rel=0.06)
    row = judge({"scale": drawn(law, promised)})[0]
    assert row.law == law and row.after < 0.03 < 0.1 < row.before
    assert row.people == 20 and row.faces == 400, "judged on the half that was not fitted on"


def test_half_of_the_people_are_judged_not_half_of_the_faces():
    errors = drawn("normal")
    bold = errors.person >= 20  # these people's errors are five times as large
    size = np.where(bold[:, None], errors.size * 5, errors.size)
    both = [judge({"scale": replace(errors, size=size)}, seed)[0].after for seed in range(5)]
    assert max(both) > 0.03, "what was fitted on some people need not hold for others"


def test_folded_factors_multiply_the_deviations_and_nothing_else():
    net, factors = Student().eval(), {"expression": 0.5, "centre": 3.0, "guides": 1.2}
    crops = torch.rand(2, 3, CROP_PX, CROP_PX) * 255
    with torch.inference_mode():
        before, after = net(crops), fold(net, factors)(crops)
    expected = before.clone()
    for name, factor in factors.items():
        expected[:, BLOCKS[name]] += np.log(factor)
    assert torch.allclose(after, expected, atol=1e-5)
    assert not torch.equal(before[:, BLOCKS["centre"]], after[:, BLOCKS["centre"]])


def test_blocks_cover_every_deviation_once():
    covered = np.zeros(WIDTH, int)
    for where in BLOCKS.values():
        covered[where] += 1
    meant = np.zeros(WIDTH, int)
    for name, where in SLICES.items():
        meant[where] += name.endswith("log_std")
    assert (covered == meant).all()


@pytest.fixture(scope="module")
def faces():
    """Twelve held-out faces of four people, wherever the model puts them; the patches show nothing."""
    model, rng = FaceModel.load(), np.random.default_rng(1)
    count = 12
    points = np.repeat(model.mean_mm[None] * 1.1 + [112, 90, 0], count, 0) + rng.normal(0, 6, (count, 1, 3))
    person = np.repeat(np.arange(4, dtype=np.int32), 3)
    scores = rng.random((count, 52)).astype(np.float32)
    return Corpus(
        np.full((count, 224, 224, 3), 127, np.uint8), points.astype(np.float32), scores, person, person,
        np.zeros(count, np.int8), np.ones(count, bool), np.ones(count, bool),
    )  # fmt: skip


def test_a_network_that_knows_the_pose_has_no_error_there(faces, monkeypatch):
    model = FaceModel.load()
    still = replace(faces, scores=np.zeros_like(faces.scores))
    poses: Poses = fit_poses(still, model)
    out = np.zeros(WIDTH)
    out[SLICES["rotation"]] = [1, 0, 0, 0, 1, 0]
    warps = np.array([[[c := CROP_PX / (s * 224), 0, 64 - c * x], [0, c, 64 - c * y]]
                      for s, (x, y) in zip(poses.scale, poses.centre, strict=True)])  # fmt: skip
    monkeypatch.setattr(calibration, "predict", lambda *_: (np.tile(out, (len(still), 1)), warps))
    errors = calibration.measure(Student().eval(), still, poses, model)
    for name, most in {"rotation": 1e-3, "centre": 1e-4, "scale": 1e-4, "regions": 2e-3, "guides": 2e-3}.items():
        assert errors[name].size.max() < most, name
    assert errors["identity"].size.shape == (4, 64), "one pair for each person"


def test_a_fresh_network_is_measured_and_drawn(faces, tmp_path):
    model = FaceModel.load()
    poses = fit_poses(faces, model)
    fresh = Student().eval()
    net, rows = calibration.calibrated(fresh, faces, poses, model)
    assert [row.block for row in rows] == list(BLOCKS)
    assert all(0.099 < row.factor < 10.1 and 0 <= row.after <= 1 for row in rows)
    before, after = (calibration.measure(one, faces, poses, model) for one in (fresh, net))
    for row in rows:
        apart = after[row.block].log_std - before[row.block].log_std
        assert np.allclose(apart, np.log(row.factor), atol=1e-4), row.block
    draw(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(SettingsError, match="cannot write"):
        draw(rows, tmp_path / "none" / "curves.png")

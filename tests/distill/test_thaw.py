"""The weights of an exported student come back as a network that says the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch, which comes with the train extra")
pytest.importorskip("onnx", reason="training needs onnx, which comes with the train extra")

from tracker.distill.export import to_onnx, write_student  # noqa: E402
from tracker.distill.student import Student  # noqa: E402
from tracker.distill.thaw import thaw  # noqa: E402
from tracker.errors import AssetError  # noqa: E402
from tracker.regress.network import Network  # noqa: E402
from tracker.regress.outputs import CROP_PX  # noqa: E402


def lively() -> Student:
    """A student whose norms and blocks all do something."""
    torch.manual_seed(0)
    net = Student()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.3, 0.8)
            module.bias.data.normal_(0, 0.1)
    return net.eval()


def _crops(count):
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0, 255, (count, 3, 8, 8)).repeat(16, 2).repeat(16, 3)
    return np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.float32)


def test_float_weights_come_back_exactly(tmp_path):
    net, crops = lively(), torch.from_numpy(_crops(3))
    to_onnx(net.folded(), crops[:1], tmp_path / "float.onnx", {"version": "7"})
    thawed, stamps = thaw(tmp_path / "float.onnx")
    assert stamps["version"] == "7"
    assert torch.allclose(thawed(crops), net(crops), atol=1e-3)


def test_an_int8_student_thaws_to_what_it_stands_for(tmp_path):
    net, crops = lively(), _crops(24)
    write_student(net, (crop[None] for crop in crops), tmp_path / "student.onnx", "1.0")
    thawed, stamps = thaw(tmp_path / "student.onnx")
    model_hash = bytes.fromhex(stamps["face_model"])
    live = Network("student.onnx", (1, 3, CROP_PX, CROP_PX), model_hash, tmp_path / "student.onnx")
    said = []
    for crop in crops:
        live.input[0] = crop
        said.append(live()[0].copy())
    with torch.no_grad():
        ours, exact = thawed(torch.from_numpy(crops)).numpy(), net(torch.from_numpy(crops)).numpy()
    spread = exact.std()
    assert np.abs(ours - np.array(said)).mean() < 0.03 * spread
    assert np.abs(ours - exact).mean() < 0.03 * spread


def test_a_thawed_student_exports_again_unchanged(tmp_path):
    crops = _crops(12)
    write_student(lively(), (crop[None] for crop in crops), tmp_path / "a.onnx", "1.0")
    first, _ = thaw(tmp_path / "a.onnx")
    write_student(first, (crop[None] for crop in crops), tmp_path / "b.onnx", "1.0")
    second, _ = thaw(tmp_path / "b.onnx")
    with torch.no_grad():
        a, b = (net(torch.from_numpy(crops)) for net in (first, second))
    assert (a - b).abs().mean() < 0.01 * a.std()


@pytest.mark.parametrize("content", [b"", b"hello, I am no network"])
def test_what_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(AssetError, match=r"x\.onnx"):
        thaw(tmp_path / "x.onnx")


def test_a_network_of_another_layout_is_refused(tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 126 * 126, 5))
    to_onnx(net, torch.zeros(1, 3, CROP_PX, CROP_PX), tmp_path / "other.onnx", {})
    with pytest.raises(AssetError, match="layers"):
        thaw(tmp_path / "other.onnx")

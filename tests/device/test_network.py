"""The torch student says what ONNX Runtime's says: with its rounding all but the same, without as near as rounding."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device.network import Student  # noqa: E402
from tracker.errors import AssetError  # noqa: E402
from tracker.regress.outputs import CROP_PX, SLICES, WIDTH  # noqa: E402


def apart(looks, **options):
    crops = torch.from_numpy(np.stack([look.crop for look in looks]))
    with torch.no_grad():
        found = Student(**options).eval()(crops).numpy()
    assert found.shape == (len(looks), WIDTH) and found.dtype == np.float32
    return {name: float(np.sqrt(((found - np.stack([look.vector for look in looks]))[:, part] ** 2).mean()))
            for name, part in SLICES.items()}  # fmt: skip


def test_with_its_rounding_it_is_the_shipped_network(looks):
    """What is left are sums that fall on the other side of a byte, now and then."""
    rms = apart(looks, rounded=True)
    assert rms["guides"] * CROP_PX < 0.06 and rms["expression"] < 0.003 and rms["rotation"] < 0.003, rms


def test_without_it_it_is_as_near_as_rounding_allows(looks):
    rms = apart(looks)
    assert rms["guides"] * CROP_PX < 0.2 and rms["expression"] < 0.01 and rms["rotation"] < 0.01, rms
    assert rms["presence"] < 0.2 and rms["guides_log_std"] < 0.05, rms


def test_half_precision_costs_a_tenth_of_what_rounding_does(looks):
    crops = torch.from_numpy(np.stack([look.crop for look in looks[:4]]))
    with torch.no_grad():
        small = Student().eval().half().to(memory_format=torch.channels_last)
        exact, half = Student().eval()(crops), small(crops)
    guides = SLICES["guides"]
    assert half.dtype == torch.float32
    assert float((half - exact)[:, guides].square().mean().sqrt()) * CROP_PX < 0.02


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "noise.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(AssetError, match="is no ONNX network"):
        Student(tmp_path / "noise.onnx")
    with pytest.raises(AssetError, match="no network at"):
        Student(tmp_path / "nothing.onnx")

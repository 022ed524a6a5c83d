"""Two runtimes on one tiny network, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import runtimes
from tracker.bench.runtimes import Settings
from tracker.errors import AssetError, SettingsError

pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """relu(x @ w) of a [batch, 6] input."""
    onnx = pytest.importorskip("onnx")
    weights = np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4)
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node("MatMul", ["x", "w"], ["h"]), make.make_node("Relu", ["h"], ["y"])],
        "tiny",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 6])],
        [make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 4])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    onnx.save(model, str(path))
    return path


def test_both_runtimes_say_the_same(network: Path) -> None:
    result = runtimes.measure(Settings(network, runs=5))
    assert {name: one.count for name, one in result.by_runtime.items()} == {"OpenVINO": 5, "ONNX Runtime": 5}
    assert result.largest_difference < 1e-5
    assert result.model == "tiny.onnx" and "tiny.onnx" in runtimes.report(result)


def test_each_runtime_computes_the_network(network: Path) -> None:
    x = np.arange(6, dtype=np.float32)[None]
    wanted = np.maximum(x @ np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), 0)
    for infer in (runtimes.openvino_f32(network), runtimes.onnxruntime_f32(network)):
        (found,) = infer([x])
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="none.onnx"):
        runtimes.measure(Settings(tmp_path / "none.onnx"))
    with pytest.raises(SettingsError, match="runs 0"):
        Settings(runs=0)


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    path.write_text("no network")
    with pytest.raises(AssetError, match=r"notes\.onnx is no network .*give an ONNX file"):
        runtimes.measure(Settings(path))


def test_numbers_that_are_none_do_not_agree(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "openvino_f32", lambda model: lambda inputs: [np.full((1, 4), np.nan)])
    assert np.isnan(runtimes.measure(Settings(network, runs=1)).largest_difference)

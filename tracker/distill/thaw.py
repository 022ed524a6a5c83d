"""A shipped student back as a network that can be trained (torch).

Given an exported `.onnx` it reads the weights that the run time uses, int8 ones times their scales, into a `Student`
whose norms do nothing: the float network that the int8 one stands for. It does not train.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from tracker.distill.student import MIDDLE, SPREAD, Student
from tracker.errors import AssetError
from tracker.regress.network import asset_bytes


@torch.no_grad()
def thaw(path: Path | None = None) -> tuple[Student, dict[str, str]]:
    """The network of a student.onnx, the shipped one by default, in evaluation mode, and its stamps.

    Raises AssetError for a file that is no student of the present layout.
    """
    shown = str(path or "the shipped student.onnx")
    try:
        graph = onnx.load_model_from_string(asset_bytes("student.onnx", path))
    except AssetError:
        raise
    except Exception as error:  # protobuf's own type is not public
        raise AssetError(f"{shown} is not an ONNX file; give a student.onnx") from error
    net = Student().eval()
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    found = _weights(graph)
    shapes = [tuple(layer.weight.shape) for layer in layers]
    if [weight.shape for weight, _ in found] != shapes:
        raise AssetError(
            f"{shown} has layers {_brief([w.shape for w, _ in found])}, not {_brief(shapes)} of this version; "
            "give a student that it exported"
        )
    for layer, (weight, bias) in zip(layers, found, strict=True):
        layer.weight.copy_(torch.from_numpy(weight))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(bias))
    convs = [(bias, norm) for (_, bias), norm in zip(found, _norms(net), strict=False)]
    for bias, norm in convs:
        _make_identity(norm, torch.from_numpy(bias))
    _scale_input(net)
    return net, {entry.key: entry.value for entry in graph.metadata_props}


def _norms(net: Student) -> list[nn.BatchNorm2d]:
    """In the order of the convolutions before them, which is the order they run in."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    # A block declares first, first_norm, second, second_norm: what is declared is what runs.
    order = [type(m) for m in net.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert all(a is not b for a, b in pairwise(order))
    return norms


def _make_identity(norm: nn.BatchNorm2d, bias: torch.Tensor) -> None:
    """A norm that only adds `bias`."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(bias)


def _scale_input(net: Student) -> None:
    """Undo `Student.folded`: the stem took raw crops, and takes scaled ones again."""
    first = net.body[0]
    assert isinstance(first, nn.Sequential)
    stem, norm = first[0], first[1]
    assert isinstance(stem, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    norm.bias.add_(stem.weight.sum((1, 2, 3)) * MIDDLE)
    stem.weight.mul_(SPREAD)


def _weights(graph: onnx.ModelProto) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of every convolution and matrix product, in the order they run in."""
    stored = {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            values, scale, zero = (stored[name] for name in node.input)
            stored[node.output[0]] = _dequantised(values, scale, zero, axis)
    layers = [node for node in graph.graph.node if node.op_type in ("Conv", "Gemm")]
    known = [node for node in layers if len(node.input) == 3 and all(name in stored for name in node.input[1:])]
    if len(known) != len(layers):
        return []
    pairs = (tuple(stored[name].astype(np.float32) for name in node.input[1:]) for node in known)
    return [(weight, bias) for weight, bias in pairs]


def _dequantised(values: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int) -> np.ndarray:
    """(values - zero) * scale, with a scale for all or one for each entry of `axis`."""
    if scale.ndim:
        shape = [-1 if k == axis else 1 for k in range(values.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    result: np.ndarray = (values.astype(np.float32) - zero.astype(np.float32)) * scale
    return result


def _brief(shapes: list[tuple[int, ...]]) -> str:
    return f"{len(shapes)} ({'x'.join(map(str, shapes[-1]))} last)" if shapes else "none it knows"

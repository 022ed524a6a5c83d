"""The student as a torch module, its weights read from the shipped ONNX file.

The file holds int8 weights and, between its layers, the points where activations are rounded to bytes. `rounded` keeps
these points, which is what ONNX Runtime computes and shows that weights and layers are the same; without, activations
keep their precision, as on a device, where rounding would cost a kernel per layer and buys nothing. A point whose bytes
begin at zero is also where negative values end, so it stays as a ReLU. It does not know what the outputs mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tracker.errors import AssetError, BackendUnavailable
from tracker.regress.network import asset_bytes

Values = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class _Step:
    """One layer: what it reads, what it makes, and how."""

    inputs: tuple[str, ...]
    output: str
    run: Callable[..., Tensor]


class Student(nn.Module):
    """Crops [N, 3, 128, 128] in 0..255 to the student's vectors float32 [N, WIDTH]."""

    def __init__(self, path: str | Path | None = None, rounded: bool = False) -> None:
        """Raises AssetError for a file that is no such network, BackendUnavailable without the package onnx."""
        super().__init__()
        graph = _graph(asset_bytes("student.onnx", path), path or "student.onnx")
        self._weights = _weights(graph)
        self.width = int(graph.output[0].type.tensor_type.shape.dim[-1].dim_value)
        """Numbers per crop."""
        self._rounded = rounded
        self._steps = [step for node in graph.node if (step := self._step(node)) is not None]
        self._weights = {}

    def forward(self, crops: Tensor) -> Tensor:
        """See the class; runs in the precision that the module was brought to."""
        values: Values = {"x": crops.to(next(self.buffers()).dtype)}
        for step in self._steps:
            values[step.output] = step.run(*(values[name] for name in step.inputs))
        return values["y"].float()

    def _weight(self, name: str) -> Callable[[], Tensor]:
        """Looked up at each run, since a module's tensors are replaced when it is moved."""
        buffer = f"weight_{len(list(self.buffers()))}"
        self.register_buffer(buffer, self._weights[name])
        return lambda: self.get_buffer(buffer)

    def _step(self, node: Any) -> _Step | None:
        """A node as a step; None where it only prepares weights."""
        kind, given, output = node.op_type, tuple(node.input), node.output[0]
        if output in self._weights:
            return None
        if kind in ("Conv", "Gemm"):
            weight, bias = self._weight(given[1]), self._weight(given[2])
            stride, padding = _stride_and_padding(node)
            run = (
                (lambda x: nn.functional.conv2d(x, weight(), bias(), stride, padding))
                if kind == "Conv"
                else (lambda x: nn.functional.linear(x, weight(), bias()))
            )
            return _Step(given[:1], output, run)
        if kind == "QuantizeLinear":
            return _Step(given[:1], output, self._point(given[0], given[1], given[2]))
        plain: dict[str, Callable[..., Tensor]] = {
            "Add": torch.add, "Flatten": lambda x: x.flatten(1), "Relu": torch.relu, "DequantizeLinear": lambda x: x,
        }  # fmt: skip
        if kind not in plain:
            raise AssetError(f"the student has a layer {kind!r}; known are Conv, Gemm, Add, Flatten, Relu, int8 points")
        return _Step(given if kind == "Add" else given[:1], output, plain[kind])

    def _point(self, name: str, scale_name: str, zero_name: str) -> Callable[[Tensor], Tensor]:
        """What happens where activations are rounded to bytes."""
        scale, zero = float(self._weights[scale_name]), float(self._weights[zero_name])
        if self._rounded:
            return lambda x: ((x / scale).round() + zero).clamp(0, 255).sub(zero).mul(scale)
        # The crop is never negative.
        return torch.relu if zero == 0 and name != "x" else lambda x: x


def _graph(content: bytes, shown: str | Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise BackendUnavailable(f"reading {shown}: looked for onnx ({error}); pip install 'facewire[gpu]'") from error
    try:
        return onnx.load_model_from_string(content).graph
    except Exception as error:  # protobuf's own types are not public
        raise AssetError(f"{shown} is no ONNX network: {str(error).splitlines()[0]}; reinstall facewire") from error


def _weights(graph: Any) -> Values:
    """Constants by name, and the int8 ones by the name of what they stand for."""
    from onnx import numpy_helper

    found = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()).float() for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in found:
            whole, scale, zero = (found[name] for name in node.input)
            shape = (-1, *[1] * (whole.dim() - 1)) if scale.dim() else ()
            found[node.output[0]] = (whole - zero.reshape(shape)) * scale.reshape(shape)
    return found


def _stride_and_padding(node: Any) -> tuple[int, int]:
    attributes = {one.name: one for one in node.attribute}
    if node.op_type == "Gemm":
        return 1, 0
    strides, pads = list(attributes["strides"].ints), list(attributes["pads"].ints)
    if len({*strides}) != 1 or len({*pads}) != 1 or attributes["group"].i != 1:
        raise AssetError(f"the student's layer {node.name} has strides {strides}, pads {pads}; each must be one number")
    return strides[0], pads[0]

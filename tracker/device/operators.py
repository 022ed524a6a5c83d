"""Which implementation each step of the device's frame takes: a kernel's column where it has one, else plain torch.

Given where the arrays lie it returns one callable per operator, all of which take tensors. On a CUDA device those are
Triton's and CuPy's columns of the one table of backends; on the processor numba's, on the same memory, for what torch
does not do well. It does not know in what order they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from math import inf
from typing import Any

import torch
from torch import Tensor

from tracker.device import plain
from tracker.device.mesh import Mesh
from tracker.kernels.backend import device_columns, operator
from tracker.kernels.cuda import on_stream
from tracker.kernels.gauss_newton import Problem, Solution

Operator = Callable[..., Any]
ROWS = ("morph", "project", "normals", "halve", "rasterize", "relight", "shade", "linearize", "gauss_newton")
FUSED = ("heads", "follow")
"""Whole stretches of the frame that are one kernel on a CUDA device."""


@dataclass(frozen=True, slots=True)
class Operators:
    """One callable per row, under the contracts of `tracker.kernels` with faces in front."""

    morph: Operator
    project: Operator
    normals: Operator
    halve: Operator
    rasterize: Operator
    relight: Operator
    shade: Operator
    linearize: Operator
    gauss_newton: Operator
    heads: Operator | None
    """None where torch does it: see `pose.Lift`."""
    follow: Operator | None
    """None where torch does it: see `smooth.Smooth`."""
    backends: dict[str, str]
    """What each row uses: triton, cupy, numba or torch."""


def operators_for(mesh: Mesh, interpreted: bool = False) -> Operators:
    """The operators where `mesh` lies; with `interpreted`, Triton's on the processor, where its interpreter runs them.
    Raises BackendUnavailable."""
    cuda = mesh.device.type == "cuda"
    column, from_table = ("cupy", _on_stream) if cuda else ("numba", _on_numpy)
    solve = from_table(operator("gauss_newton", column)[0])
    if cuda or interpreted:
        found = {row: operator(row, "triton")[0] for row in ROWS if "triton" in device_columns(row)}
        if interpreted:  # its rows lie where numba's Gauss-Newton reads them, as numpy's arrays
            del found["linearize"]
        backends = dict.fromkeys(found, "triton") | {"gauss_newton": column}
    else:
        found = {"rasterize": _on_numpy(_forgiving(operator("rasterize", "numba")[0])),
                 "shade": _on_numpy(operator("shade", "numba")[0])}  # fmt: skip
        backends = dict.fromkeys((*found, "gauss_newton"), "numba")
    torched: dict[str, Operator] = {
        "morph": plain.morph, "project": plain.project, "halve": plain.halve,
        "normals": plain.Normals(mesh.triangles, len(mesh.mean_mm)), "relight": plain.Relight(least_squares(solve)),
        "linearize": plain.Linearize(mesh.guides),
    }  # fmt: skip
    heads, follow = (_on_stream(operator(row, "cupy")[0]) if cuda else None for row in FUSED)
    taken = torched | found | {"gauss_newton": solve}
    backends = dict.fromkeys(FUSED, "cupy" if cuda else "torch") | backends
    return Operators(**taken, heads=heads, follow=follow, backends=dict.fromkeys(torched, "torch") | backends)


def least_squares(solve: Operator) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Plain weighted least squares with a ridge, by a Gauss-Newton operator from zero."""

    def solved(residual: Tensor, jacobian: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
        step = torch.empty_like(ridge)
        one = ridge.new_zeros(len(ridge))
        flags = torch.zeros(len(ridge), dtype=torch.uint8, device=ridge.device)
        given = (residual, jacobian, weight, ridge, torch.zeros_like(ridge), one)
        solution = Solution(*map(plain.lent, (step, one.clone(), one.clone(), flags)))
        solve(Problem(*(plain.lent(array.contiguous()) for array in given)), inf, solution)
        return step

    return solved


def _on_stream(call: Operator) -> Operator:
    """CuPy's kernels join the stream that torch works on, which in a capture is the graph's."""

    def joined(*arguments: Any) -> Any:
        with on_stream(torch.cuda.current_stream().cuda_stream):
            return call(*arguments)

    return joined


def _on_numpy(call: Operator) -> Operator:
    """A processor's kernel on tensors, without a copy."""
    return lambda *arguments: call(*map(_as_numpy, arguments))


def _forgiving(rasterize: Any) -> Operator:
    """What cannot be drawn is left out without a word, as on a device: a batch holds faces that are none."""
    return lambda vertices, triangles, ids, depth: rasterize.implementation(
        vertices, triangles, ids, depth, None, False
    )


def _as_numpy(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: _as_numpy(getattr(value, one.name)) for one in fields(value) if one.init}
        return replace(value, **changed)
    return plain.lent(value)

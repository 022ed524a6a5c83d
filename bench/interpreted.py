"""Triton's kernels in its interpreter, in a process of their own: the correctness gates of a machine without a GPU.

Triton reads how it is to run when it is loaded, so a fresh process says so first and loads it then. There it compares
`rasterize` with numba's to the bit, the other kernels with numba's on a small one of their cases, and a whole
frame on the interpreted kernels with the same frame without them. Some ten thousand times slower than a GPU: so small.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tracker.bench.gates import Gate

BATCHES = (1, 3)
ROWS = {
    "morph": "faces_from_their_own", "project": "faces_before_a_plane", "normals": "lonely", "halve": "grey_faces",
    "relight": "batch", "shade": "ball", "shade_gradient": "larger_than_the_picture",
}  # fmt: skip
"""Triton's other columns, each with the case that is compared; but for `linearize`, whose rows the solver wants on a
CUDA device."""
WIDER = 16
FRAME_TOLERANCE = 2e-3
"""Of every number that a frame answers, in its own unit, on one crop of the bundled clip."""


def interpreted_gates() -> list[Gate]:
    """Run them in a fresh process. Raises whatever stands in their way there."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_gates).result()


def _gates() -> list[Gate]:
    os.environ["TRITON_INTERPRET"] = "1"
    import torch

    from tracker.bench.cases import cases_of
    from tracker.bench.gates import operator_gate, pictures_gate
    from tracker.bench.places import on_torch
    from tracker.kernels.rasterize import Rasterize
    from tracker.kernels.rasterize._triton import Raster

    torch.set_num_threads(1)
    _widen()
    wide = Rasterize(Raster(triangles=128))
    here = torch.device("cpu")
    gates = [*pictures_gate(wide, here, BATCHES, side_px=24)]
    gates += [operator_gate(row, on_torch(here), which=cases_of(row).named(name)) for row, name in ROWS.items()]
    return [*gates, _frame_gate(wide)]


def _widen() -> None:
    """Much in a program, because the interpreter pays for programs; results do not depend on it."""
    for row in ROWS:
        module = import_module(f"tracker.kernels.{row}._triton")
        for name in ("NUMBERS", "VERTICES", "PIXELS", "BYTES"):
            if hasattr(module, name):
                setattr(module, name, WIDER * getattr(module, name))


def _frame_gate(rasterize: Any) -> Gate:
    """Two faces through a frame on interpreted kernels, and through one on numba's and torch's."""
    import torch

    from tracker.bench.gates import Gate
    from tracker.device.face_frame import FaceFrame, shared_on
    from tracker.device.network import Student
    from tracker.device.operators import operators_for
    from tracker.face.model import FaceModel
    from tracker.refine.sharpen import RefineSettings
    from tracker.smooth.settings import SmoothSettings

    answers, backends = [], {}
    for interpreted in (False, True):
        shared = shared_on(torch.device("cpu"), 2, FaceModel.load(), Student(), RefineSettings(), SmoothSettings())
        operators = operators_for(shared.mesh, interpreted)
        if interpreted:
            operators = replace(operators, rasterize=rasterize)
        frame = FaceFrame(2, shared, operators)
        _look(frame)
        frame.run()
        answers.append(frame.answered.numpy().copy())
        backends = operators.backends
    apart = float(np.abs(answers[1] - answers[0]).max())
    names = ", ".join(row for row, backend in backends.items() if backend == "triton")
    found = f"largest difference {apart:.1e} of {FRAME_TOLERANCE:g}"
    return Gate(f"frame on interpreted {names}", apart <= FRAME_TOLERANCE, found)


def _look(frame: Any) -> None:
    """The bundled clip's first face, its crop and its square."""
    import torch

    from tracker.bench.looks import look
    from tracker.device.row import ask

    at = look()
    frame.crops.copy_(torch.from_numpy(at.pipeline.regressor.network.input[:1]))
    for place in range(2):
        ask(frame.asked.numpy()[place], at.roi, at.camera, place, (0.0, 1.0, 1.0, 0.0), 0.5)

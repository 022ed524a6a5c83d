"""`gauss_newton` for CUDA devices: `gauss_newton.cu`, one block per face. Given checked arrays on the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.kernels.cuda import kernel, pointer
from tracker.kernels.gauss_newton import Problem, Solution

SOURCE = Path(__file__).with_name("gauss_newton.cu")
THREADS = 256


class Solve:
    """The compiled kernel. Takes no memory, so a CUDA graph may hold its launches."""

    on_device = True

    def __init__(self) -> None:
        """Raises BackendUnavailable where there is no device."""
        self._kernel = kernel(SOURCE, "gauss_newton")

    def __call__(self, problem: Problem, inverse_square: float, solution: Solution) -> None:
        """Fill `solution` on the current stream, without waiting for it."""
        batch, residuals, parameters = problem.jacobian.shape
        given = (problem.residual, problem.jacobian, problem.weight, problem.prior, problem.deviation, problem.damping)
        filled = (solution.step, solution.energy, solution.decrease, solution.solved)
        numbers = (np.float32(inverse_square), np.int32(residuals), np.int32(parameters))
        self._kernel((batch,), (THREADS,), (*map(pointer, given), *numbers, *map(pointer, filled)))

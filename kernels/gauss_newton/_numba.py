"""`gauss_newton` for the CPU, compiled by numba: one thread, face after face. Given checked arrays.

Products are summed in single precision over some hundred rows, which vectorises, and those sums in double; the system
is solved in double. The residual is carried as one more column beside the Jacobian's, so that one sweep gives the
matrix, the gradient (its last row) and, by the same elimination, the forward solution.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.gauss_newton import LARGEST, LEAST_PIVOT, MOST_PARAMETERS, Problem, Solution

_ROWS = 256
"""How many rows are summed in single precision; a multiple of four."""
_ONE, _ZERO = np.float32(1.0), np.float32(0.0)


@part
def _weigh(residual, jacobian, weight, first, inverse_square, rows):
    """Fill `rows` [256, P + 1] with weighed rows from `first` on, zeros behind their end; returns their energy."""
    parameters, energy = jacobian.shape[1], 0.0
    for n in range(_ROWS):
        if first + n >= len(residual):
            rows[n] = _ZERO
            continue
        r, w = residual[first + n], weight[first + n]
        share = _ONE / (_ONE + inverse_square * r * r)
        root = np.sqrt(w) * share
        energy += np.float64(w * share * r * r)
        for p in range(parameters):
            rows[n, p] = root * jacobian[first + n, p]
        rows[n, parameters] = root * r
    return energy


@part
def _add_products(rows, count, sums, matrix):
    """Add the lower triangle of rows^T rows to `matrix`; four rows at once, so that sums are read less often."""
    size = len(matrix)
    sums[:] = _ZERO
    for n in range(0, count, 4):
        a, b, c, d = rows[n], rows[n + 1], rows[n + 2], rows[n + 3]
        for i in range(size):
            e, f, g, h, line = a[i], b[i], c[i], d[i], sums[i]
            for j in range(i + 1):
                line[j] += (e * a[j] + f * b[j]) + (g * c[j] + h * d[j])
    for i in range(size):
        for j in range(i + 1):
            matrix[i, j] += np.float64(sums[i, j])


@part
def _eliminate(matrix, diagonal):
    """Take out of every column what those before it explain; False where nothing is left of one."""
    good, size = True, len(matrix) - 1
    for j in range(size):
        pivot = matrix[j, j]
        good = good and pivot > LEAST_PIVOT * diagonal[j] and pivot < LARGEST
        for i in range(j + 1, size + 1):
            factor = matrix[i, j] / pivot
            for k in range(j + 1, min(i, size - 1) + 1):
                matrix[i, k] -= factor * matrix[k, j]
    return good


@part
def _back(matrix, solution):
    """Solve backwards for `solution` (negative); returns what the forward one says about the decrease."""
    gain, size = 0.0, len(matrix) - 1
    for j in range(size - 1, -1, -1):
        forward = matrix[size, j]
        gain += forward * forward / matrix[j, j]
        total = forward
        for i in range(j + 1, size):
            total -= matrix[i, j] * solution[i]
        solution[j] = total / matrix[j, j]
    return gain


_F1, _F2, _F3 = (types.Array(float32, rank, "C", readonly=True) for rank in (1, 2, 3))


@compiled(
    types.void(
        _F2, _F3, _F2, _F2, _F2, _F1, float64, float32[:, ::1], float32[::1], float32[::1], uint8[::1],
        float32[:, ::1], float32[:, ::1], float64[:, ::1], float64[:, ::1],
    )
)  # fmt: skip
def solve(
    residual, jacobian, weight, prior, deviation, damping, inverse_square, step, energy, decrease, solved, rows, sums,
    matrix, lines,
):  # fmt: skip
    """Fill step [B, P], energy, decrease and solved [B]; the rest is working space."""
    residuals, parameters = jacobian.shape[1:]
    diagonal, solution = lines[0], lines[1]
    soft = np.float32(inverse_square)
    for face in range(len(residual)):
        matrix[:] = 0.0
        before, length = 0.0, 0.0
        for first in range(0, residuals, _ROWS):
            before += _weigh(residual[face], jacobian[face], weight[face], first, soft, rows)
            _add_products(rows, (min(residuals - first, _ROWS) + 3) // 4 * 4, sums, matrix)
        for p in range(parameters):
            d, m = np.float64(prior[face, p]), np.float64(deviation[face, p])
            before += d * m * m
            matrix[parameters, p] += d * m
            matrix[p, p] += d + np.float64(damping[face])
            diagonal[p] = matrix[p, p]
        good = _eliminate(matrix, diagonal)
        gain = _back(matrix, solution)
        for p in range(parameters):
            length += solution[p] * solution[p]
        less = (gain + np.float64(damping[face]) * length) / 2
        good = good and before / 2 < LARGEST and less < LARGEST
        for p in range(parameters):
            step[face, p] = np.float32(-solution[p]) if good else _ZERO
        energy[face] = np.float32(before / 2)
        decrease[face] = np.float32(less) if good else _ZERO
        solved[face] = good


class Solve:
    """The implementation with its scratch memory, 0.1 MB."""

    def __init__(self) -> None:
        self._size = 0
        self._rows = np.empty(_ROWS * (MOST_PARAMETERS + 1), np.float32)
        self._scratch: tuple[np.ndarray, ...] = ()

    def __call__(self, problem: Problem, inverse_square: float, solution: Solution) -> None:
        """Fill `solution`; takes scratch when the number of parameters changes."""
        size = problem.jacobian.shape[2] + 1
        if size != self._size:
            self._size, rows = size, self._rows[: _ROWS * size].reshape(_ROWS, size)
            self._scratch = rows, np.empty((size, size), np.float32), np.empty((size, size)), np.empty((2, size))
        solve(
            problem.residual, problem.jacobian, problem.weight, problem.prior, problem.deviation, problem.damping,
            inverse_square, solution.step, solution.energy, solution.decrease, solution.solved, *self._scratch,
        )  # fmt: skip

"""`gauss_newton` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.gauss_newton import LARGEST, LEAST_PIVOT, Problem, Solution


def solve(problem: Problem, inverse_square: float, solution: Solution) -> None:
    """Fill `solution`, face by face."""
    with np.errstate(all="ignore"):
        for face in range(len(problem.residual)):
            r, j, w, d, m = (
                np.asarray(array[face], np.float64)
                for array in (problem.residual, problem.jacobian, problem.weight, problem.prior, problem.deviation)
            )
            share = 1 / (1 + inverse_square * r**2)
            root = np.sqrt(w) * share
            weighted = root[:, None] * j
            matrix = weighted.T @ weighted + np.diag(d) + np.eye(len(d)) * problem.damping[face]
            gradient = weighted.T @ (root * r) + d * m
            energy = (w * share * r**2).sum() / 2 + (d * m**2).sum() / 2
            step, decrease = step_of(matrix, gradient, float(problem.damping[face]))
            solved = step is not None and energy < LARGEST and decrease < LARGEST
            solution.step[face] = step if solved else 0
            solution.energy[face] = energy
            solution.decrease[face] = decrease if solved else 0
            solution.solved[face] = solved


def step_of(matrix: np.ndarray, gradient: np.ndarray, damping: float) -> tuple[np.ndarray | None, float]:
    """The step [P] and the predicted decrease; None where the matrix [P, P] does not hold every direction."""
    try:
        pivots = np.diag(np.linalg.cholesky(matrix)) ** 2
    except np.linalg.LinAlgError:
        return None, 0.0
    if not ((pivots > LEAST_PIVOT * np.diag(matrix)) & (pivots < LARGEST)).all():
        return None, 0.0
    step = -np.linalg.solve(matrix, gradient)
    return step, float(damping * step @ step - gradient @ step) / 2

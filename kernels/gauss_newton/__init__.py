"""One damped Gauss-Newton step for each of many small problems: normal equations from residuals and their Jacobian,
robustly weighed, with a prior, and their solution.

Per face b, with residuals r [R], their Jacobian J [R, P] by P parameters, weights w [R], a stiffness d [P] and the
parameters' deviation m [P] from where the prior wants them, every implementation minimises

    E = 1/2 sum_r w_r rho(r_r) + 1/2 sum_p d_p m_p^2,     rho(r) = r^2 / (1 + (r / softness)^2)

which is Geman and McClure's robust function: about r^2 where |r| is below the softness, never above softness^2, so that
what the model cannot explain (a hand, hair) pulls at nothing. As iteratively reweighted least squares, with
u_r = w_r / (1 + (r_r / softness)^2)^2 and the damping l,

    (J^T U J + diag(d) + l I) step = -(J^T U r + d m)

is solved by Cholesky's factorization without square roots. Parameters should be scaled so that one of any of them
means about as much, since the damping treats them alike. The predicted decrease is what the quadratic model without
damping promises, and never negative: with x the step and g the gradient, (l x^T x - g^T x) / 2.

A face is solved when every pivot exceeds `LEAST_PIVOT` of its diagonal entry, which is what the other parameters leave
unexplained of a parameter (below that single precision cannot tell it from none), and everything is finite. One that
is not (a direction that nothing holds, a negative weight, a NaN) gets a step and a decrease of zero; its energy is what
was summed up. Sums are in another order on every backend, so results agree to a tolerance; on one they are the same on
every run. It does not know what is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.cuda import on_device, require
from tracker.kernels.interop import require_kind, require_numbers

MOST_PARAMETERS = 64
LARGEST_BATCH = 4096
LEAST_PIVOT = 1e-5
LARGEST = 3e38
"""Pivots, energies and decreases beyond this count as not finite."""

_FLOAT32, _UINT8 = np.dtype(np.float32), np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is solved: arrays that lie side by side, checked once. Their values may change, not their shapes."""

    residual: Any
    """float32 [B, R]."""
    jacobian: Any
    """float32 [B, R, P]: the residuals' derivatives."""
    weight: Any
    """float32 [B, R], at least 0."""
    prior: Any
    """float32 [B, P], at least 0: the stiffness that holds each parameter."""
    deviation: Any
    """float32 [B, P]: each parameter less what the prior wants it to be."""
    damping: Any
    """float32 [B], at least 0."""

    def __post_init__(self) -> None:
        shape = tuple(getattr(self.jacobian, "shape", ()))
        if len(shape) != 3 or not (1 <= shape[0] <= LARGEST_BATCH and 1 <= shape[2] <= MOST_PARAMETERS and shape[1]):
            raise SettingsError(
                f"a Jacobian of shape {list(shape)}; it must be [B, R, P] with 1 to {LARGEST_BATCH} faces, a residual "
                f"or more, and 1 to {MOST_PARAMETERS} parameters"
            )
        batch, residuals, parameters = shape
        for name, array, wanted in (
            ("residual", self.residual, (batch, residuals)), ("jacobian", self.jacobian, shape),
            ("weight", self.weight, (batch, residuals)), ("prior", self.prior, (batch, parameters)),
            ("deviation", self.deviation, (batch, parameters)), ("damping", self.damping, (batch,)),
        ):  # fmt: skip
            require(name, array, _FLOAT32, wanted, self.on_device)

    @property
    def on_device(self) -> bool:
        """Whether the arrays lie on a CUDA device."""
        return on_device(self.jacobian)

    def __repr__(self) -> str:
        batch, residuals, parameters = self.jacobian.shape
        return f"Problem(batch={batch}, residuals={residuals}, parameters={parameters})"


@dataclass(frozen=True, slots=True)
class Solution:
    """What is filled in, checked once."""

    step: Any
    """float32 [B, P]: what to add to the parameters."""
    energy: Any
    """float32 [B]: before the step."""
    decrease: Any
    """float32 [B]: of the energy, as predicted, at least 0."""
    solved: Any
    """uint8 [B]: 0 where there is no step."""

    def __post_init__(self) -> None:
        shape = tuple(getattr(self.step, "shape", ()))
        if len(shape) != 2:
            raise SettingsError(f"a step of shape {list(shape)}; it must be [B, P]")
        device = on_device(self.step)
        require("step", self.step, _FLOAT32, shape, device, filled=True)
        require("energy", self.energy, _FLOAT32, shape[:1], device, filled=True)
        require("decrease", self.decrease, _FLOAT32, shape[:1], device, filled=True)
        require("solved", self.solved, _UINT8, shape[:1], device, filled=True)

    def __repr__(self) -> str:
        return f"Solution(batch={self.step.shape[0]}, parameters={self.step.shape[1]})"


Implementation = Callable[[Problem, float, Solution], None]
"""Takes the problem, 1 / softness^2 and the solution, checked. One that takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class GaussNewton:
    """`gauss_newton` on one implementation."""

    implementation: Implementation

    def __call__(self, problem: Problem, softness: float, solution: Solution) -> None:
        """Fill `solution`.

        `softness` is the residual at which a weight falls to a quarter; infinite for plain least squares. Raises
        SettingsError for a softness that is not above 0, shapes that differ, and arrays that lie elsewhere.
        """
        require_kind("problem", problem, Problem)
        require_kind("solution", solution, Solution)
        require_numbers(softness=softness)
        if isnan(softness) or softness < 1e-15:
            raise SettingsError(f"softness {softness}; give a residual above 0, or inf for plain least squares")
        batch, _, parameters = problem.jacobian.shape
        if tuple(solution.step.shape) != (batch, parameters):
            raise SettingsError(f"{solution!r} for {problem!r}; they must be of one batch and as many parameters")
        device = getattr(self.implementation, "on_device", False)
        if not problem.on_device == on_device(solution.step) == device:
            raise SettingsError(
                f"arrays elsewhere than the backend works: it takes {'CUDA' if device else 'numpy'} arrays, all of them"
            )
        self.implementation(problem, 1.0 / softness**2, solution)

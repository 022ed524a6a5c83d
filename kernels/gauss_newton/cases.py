"""Named inputs for `gauss_newton`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from tracker.kernels.gauss_newton import Problem, Solution

TOLERANCE = 2e-5
"""Of a face's largest step, of its energy and of its decrease: single precision's 6e-8 times the condition of the
worst case's system, some hundred."""


@dataclass(frozen=True, slots=True)
class Case:
    """Faces with random smooth derivatives, of which some residuals are far off."""

    name: str
    batch: int = 3
    residuals: int = 300
    parameters: int = 24
    softness: float = 0.1
    prior: float = 1.0
    damping: float = 0.1
    noise: float = 0.05
    """Of the residuals; one in ten is as far off as 1."""
    spoil: str = ""
    """What is wrong with face 0: `nan`, `infinite`, `negative` (a weight), `loose` (a parameter nothing holds) or
    `twins` (two that do the same); "" for nothing."""

    def problem(self) -> Problem:
        """The arrays, the same everywhere."""
        rng = np.random.default_rng(crc32(self.name.encode()))
        batch, residuals, parameters = self.batch, self.residuals, self.parameters
        jacobian = rng.normal(0, 1, (batch, residuals, parameters)) / np.sqrt(residuals / 20 + 1)
        # Neighbours share a good part of what they do.
        jacobian[..., 1:] += 0.5 * jacobian[..., :-1]
        residual = rng.normal(0, self.noise, (batch, residuals))
        residual[rng.uniform(size=residual.shape) < 0.1] += 1
        weight = rng.uniform(0, 2, (batch, residuals)) * (rng.uniform(size=residual.shape) > 0.2)
        prior = self.prior * rng.uniform(0.5, 1.5, (batch, parameters))
        deviation = rng.normal(0, 0.1, (batch, parameters))
        damping = np.full(batch, self.damping)
        if self.spoil == "nan":
            residual[0, -1], weight[0, -1] = np.nan, 1
        elif self.spoil == "infinite":
            jacobian[0, 0, 0], weight[0, 0] = np.inf, 1
        elif self.spoil == "negative":
            weight[0, residuals // 2] = -1
        elif self.spoil == "loose":
            jacobian[0, :, 0] = 0
            prior[0, 0] = damping[0] = 0
        elif self.spoil == "twins":
            jacobian[0, :, 1] = jacobian[0, :, 0]
            prior[0, :2] = damping[0] = 0
        arrays = (residual, jacobian, weight, prior, deviation, damping)
        return Problem(*(array.astype(np.float32) for array in arrays))

    def arguments(self) -> tuple[Any, ...]:
        """Problem, softness, and a solution full of NaN and of 255."""
        step, energy, decrease = (
            np.full(shape, np.nan, np.float32) for shape in ((self.batch, self.parameters), self.batch, self.batch)
        )
        return self.problem(), self.softness, Solution(step, energy, decrease, np.full(self.batch, 255, np.uint8))


def difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest, in the terms of `TOLERANCE`; infinite where faces are solved that should not be, or the reverse."""
    a, b = found[-1], wanted[-1]
    if not np.array_equal(a.solved, b.solved) or not np.array_equal(np.isfinite(a.energy), np.isfinite(b.energy)):
        return float("inf")
    kept = np.isfinite(b.energy)
    step = np.abs(a.step - b.step).max(1) / np.maximum(np.abs(b.step).max(1), 1e-30)
    energy = np.abs(a.energy - b.energy)[kept] / np.maximum(b.energy[kept], 1e-30)
    decrease = np.abs(a.decrease - b.decrease) / np.maximum(b.decrease, 1e-30)
    return float(max(part.max(initial=0.0) for part in (step, energy, decrease)))


CASES = (
    Case("typical"),
    Case("plain_least_squares", softness=float("inf")),
    Case("most_parameters", parameters=64, residuals=500),
    Case("one_parameter", parameters=1),
    Case("three_parameters", parameters=3, batch=7),
    Case("thirty_one_parameters", parameters=31, residuals=97),
    Case("thirty_three_parameters", parameters=33, residuals=64),
    Case("one_residual", residuals=1),
    Case("fewer_residuals_than_parameters", residuals=9, parameters=40),
    Case("a_row_more_than_a_tile", residuals=33, parameters=12),
    Case("many_residuals", batch=1, residuals=3000, parameters=26),
    Case("no_prior_no_damping", prior=0, damping=0),
    Case("much_damping", damping=1e4),
    Case("nan", spoil="nan"),
    Case("infinite", spoil="infinite"),
    Case("negative_weight", spoil="negative"),
    Case("loose_parameter", spoil="loose"),
    Case("twin_parameters", spoil="twins"),
)

BENCH_CASES = (
    Case("1_face_24_by_1024", batch=1, residuals=1024),
    Case("1_face_24_by_4096", batch=1, residuals=4096),
    Case("64_faces_24_by_1024", batch=64, residuals=1024),
    Case("64_faces_64_by_1024", batch=64, residuals=1024, parameters=64),
)

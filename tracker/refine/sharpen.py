"""Sharpen: a damped Gauss-Newton step or two on pose and expression, from pixels, guides and the network's own doubt.

Given a fit that has been compared it evaluates the terms around it, by `linearize`, solves by `gauss_newton` and
returns the moved fit. What that was measured to bring, and what else was tried, is in docs/decisions/0008-refine.md. It
draws nothing itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3
from tracker.face.topology import GUIDES, VERTICES
from tracker.kernels.backend import Kernels
from tracker.kernels.gauss_newton import Problem, Solution
from tracker.kernels.linearize import POSE, Balance
from tracker.refine.compare import SIDE_PX, Comparer
from tracker.refine.fit import Fit
from tracker.refine.terms import PARAMETERS, SHAPES, LandmarkTerm, PhotometricTerm, PriorTerm
from tracker.regress.guides import guides_at_rest
from tracker.regress.regressor import Guess

DAMPING = 1.0
ROBUST = 3.0
"""A residual of so many of its spreads counts a quarter."""
MOST_STEPS = 2
_SHAPES = np.array(SHAPES)


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """What is done with the pixels after the network."""

    steps: int = 1
    """Gauss-Newton steps per frame on pose and expression, 0 to 2: 0.15 ms each, landmarks 3 to 5% nearer with one."""

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= MOST_STEPS:
            raise SettingsError(f"refine steps {self.steps}; give 0 to {MOST_STEPS}")


class Sharpener:
    """Steps for one face at a time, with its buffers."""

    def __init__(
        self, steps: int, model: FaceModel, kernels: Kernels, photometric: PhotometricTerm = PhotometricTerm(),
        landmarks: LandmarkTerm = LandmarkTerm(), prior: PriorTerm = PriorTerm(),
    ) -> None:  # fmt: skip
        self._steps, self._kernels, self._prior = steps, kernels, prior
        self._balance = Balance(photometric.weight, photometric.spread, landmarks.weight, landmarks.least_std_px)
        self._shapes_mm = np.ascontiguousarray(model.expression_mm[_SHAPES])
        self._rest = guides_at_rest(model)[:, :2]
        self._at = np.array(GUIDES, np.int32)
        rows = VERTICES + 2 * len(GUIDES)
        self._problem = Problem(
            np.zeros((1, rows), np.float32), np.zeros((1, rows, PARAMETERS), np.float32),
            np.zeros((1, rows), np.float32), np.zeros((1, PARAMETERS), np.float32),
            np.zeros((1, PARAMETERS), np.float32), np.full(1, DAMPING, np.float32),
        )  # fmt: skip
        self._solution = Solution(
            np.zeros((1, PARAMETERS), np.float32), np.zeros(1, np.float32), np.zeros(1, np.float32),
            np.zeros(1, np.uint8),
        )  # fmt: skip

    def __call__(self, guess: Guess, fit: Fit, comparer: Comparer, slot: int) -> Fit:
        """The fit after the steps; as it was where nothing holds a direction, or where none are asked for."""
        if not self._steps or not fit.plausible:
            return fit
        problem, step = self._problem, self._solution.step[0]
        self._prior.stiffness(fit.expression_std, problem.prior[0])
        problem.deviation[:] = 0
        for number in range(self._steps):
            if number:
                comparer.place(guess, fit, slot)
            self._evaluate(guess, comparer)
            self._kernels.gauss_newton(problem, ROBUST, self._solution)
            if not self._solution.solved[0]:
                break
            fit = moved(guess, fit, comparer.pose, step)
            problem.deviation[0] += step
        return fit

    def _evaluate(self, guess: Guess, comparer: Comparer) -> None:
        """Fill the problem's rows around the fit that the comparer has placed."""
        rotation, center_px, scale = comparer.pose
        about_px = np.array([center_px[0], center_px[1], comparer.before_px], np.float32)
        guides = guess.part("guides").reshape(-1, 3)[:, :2] + self._rest
        guides *= SIDE_PX
        std_px = np.exp(guess.part("guides_log_std"))
        std_px *= SIDE_PX
        self._kernels.linearize(
            comparer.vertices_px, about_px, (scale * rotation[:2]).astype(np.float32), self._shapes_mm,
            comparer.shaded.colours[0], comparer.counts, comparer.target, self._at, guides, std_px, self._balance,
            self._problem,
        )  # fmt: skip


def moved(guess: Guess, fit: Fit, pose: tuple[np.ndarray, np.ndarray, float], step: np.ndarray) -> Fit:
    """The fit a step [P] further from its pose in the crop; coefficients stay within 0..1."""
    rotation, center_px, scale = pose
    expression = fit.expression.copy()
    changed = expression[_SHAPES]
    changed += step[POSE:]
    np.maximum(changed, 0, out=changed)
    expression[_SHAPES] = np.minimum(changed, 1, out=changed)
    turned, further = exp_so3(step[:3]) @ rotation, center_px + step[3:5]
    return fit.placed(guess.roi, SIDE_PX, turned, further, scale * math.exp(step[5]), expression=expression)

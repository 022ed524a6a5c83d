"""Sharpen: a damped Gauss-Newton step or two on pose and expression, from pixels, guides and the network's own doubt.

Given a fit that has been compared it linearises the terms around it, solves by `gauss_newton` and returns the moved fit.
What it was measured to bring, and what was tried besides, is in docs/decisions/0008-refine.md. It draws nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3
from tracker.face.topology import GUIDES, VERTICES
from tracker.kernels.backend import operator
from tracker.kernels.gauss_newton import Problem, Solution
from tracker.refine.compare import SIDE_PX, Comparer
from tracker.refine.fit import Fit
from tracker.refine.terms import PARAMETERS, POSE, SHAPES, LandmarkTerm, Look, PhotometricTerm, PriorTerm
from tracker.regress.guides import guides_at_rest
from tracker.regress.regressor import Guess

DAMPING = 1.0
ROBUST = 3.0
"""A residual of so many of its spreads counts a quarter."""
MOST_STEPS = 2


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """What is done with the pixels after the network."""

    steps: int = 1
    """Gauss-Newton steps per frame on pose and expression, 0 to 2: about 0.25 ms each, landmarks 5% nearer with one."""

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= MOST_STEPS:
            raise SettingsError(f"steps {self.steps}; give 0 to {MOST_STEPS}")


class Sharpener:
    """Steps for one face at a time, with its buffers."""

    def __init__(self, model: FaceModel, steps: int) -> None:
        """Raises BackendUnavailable where no solver works."""
        self._steps, self._solve = steps, operator("gauss_newton")[0] if steps else None
        self._shapes_mm = np.ascontiguousarray(model.expression_mm[list(SHAPES)])
        self._rest = guides_at_rest(model)[:, :2]
        self._photometric, self._landmarks, self._prior = PhotometricTerm(), LandmarkTerm(np.array(GUIDES)), PriorTerm()
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
        self._motion = np.zeros((VERTICES, 2, PARAMETERS), np.float32)

    def __call__(self, guess: Guess, fit: Fit, comparer: Comparer, slot: int) -> Fit:
        """The fit after the steps; as it was where nothing holds a direction, or where none are asked for."""
        if not self._steps or self._solve is None or not fit.plausible:
            return fit
        start, gone = fit, np.zeros(PARAMETERS, np.float32)
        for step in range(self._steps):
            if step:
                comparer.place(guess, fit, slot)
            self._linearise(guess, fit, comparer, slot)
            problem = self._problem
            problem.prior[0], problem.deviation[0] = self._prior.stiffness(start.expression_std), gone
            self._solve(problem, ROBUST, self._solution)
            if not self._solution.solved[0]:
                break
            fit = self._moved(guess, fit, self._solution.step[0])
            gone += self._solution.step[0]
        return fit

    def _linearise(self, guess: Guess, fit: Fit, comparer: Comparer, slot: int) -> None:
        """Fill the problem's rows around a fit."""
        rotation, center_px, scale = fit.within(guess.roi, SIDE_PX)
        vertices, motion = comparer.vertices_px, self._motion
        x, y = (vertices[:, :2] - center_px.astype(np.float32)).T
        z = vertices[:, 2] - comparer.before_px
        motion[:, 0, 1], motion[:, 0, 2], motion[:, 1, 0], motion[:, 1, 2] = z, -y, -z, x
        motion[:, 0, 3] = motion[:, 1, 4] = 1
        motion[:, 0, 5], motion[:, 1, 5] = x, y
        turned = self._shapes_mm @ (scale * rotation[:2]).T.astype(np.float32)
        motion[:, :, POSE:] = turned.transpose(1, 2, 0)
        guides = self._rest + guess.part("guides").reshape(-1, 3)[:, :2]
        look = Look(
            vertices, motion, comparer.shaded.colours[0], comparer.counts, comparer.target, guides * SIDE_PX,
            np.exp(guess.part("guides_log_std")) * SIDE_PX,
        )  # fmt: skip
        problem, begin = self._problem, 0
        for term in (self._photometric, self._landmarks):
            rows = term(look)
            end = begin + len(rows.residual)
            problem.residual[0, begin:end], problem.jacobian[0, begin:end] = rows.residual, rows.jacobian
            problem.weight[0, begin:end] = rows.weight
            begin = end

    @staticmethod
    def _moved(guess: Guess, fit: Fit, step: np.ndarray) -> Fit:
        """The fit a step further; coefficients stay within 0..1."""
        rotation, center_px, scale = fit.within(guess.roi, SIDE_PX)
        turn = exp_so3(step[:3].astype(np.float64))
        fit = fit.placed(guess.roi, SIDE_PX, turn @ rotation, center_px + step[3:5], scale * float(np.exp(step[5])))
        expression = fit.expression.copy()
        expression[list(SHAPES)] = np.clip(expression[list(SHAPES)] + step[POSE:], 0, 1)
        return replace(fit, expression=expression)

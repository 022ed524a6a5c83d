"""A damped Gauss-Newton step or two on pose and expression, for a batch: `refine.sharpen` on a device.

Given fits that have just been compared it fills the rows of their problems around what was drawn, solves all at once
and returns the moved fits; where nothing holds a direction a fit stays as it was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tracker.device import plain
from tracker.device.compare import Compare
from tracker.device.mesh import Mesh
from tracker.device.operators import Operators
from tracker.device.pose import Pose
from tracker.device.rotation import Rotations
from tracker.kernels.gauss_newton import Problem, Solution
from tracker.kernels.linearize import POSE, Balance
from tracker.refine.compare import BEFORE_PX, SIDE_PX
from tracker.refine.sharpen import DAMPING, ROBUST
from tracker.refine.terms import PARAMETERS, LandmarkTerm, PhotometricTerm, PriorTerm
from tracker.regress.outputs import SLICES


class Sharpen:
    """Steps for so many faces at a time, with their buffers."""

    def __init__(self, batch: int, steps: int, mesh: Mesh, rotations: Rotations, operators: Operators) -> None:
        self._steps, self._mesh, self._rotations, self._operators = steps, mesh, rotations, operators
        photometric, landmarks, self._prior = PhotometricTerm(), LandmarkTerm(), PriorTerm()
        self._balance = Balance(photometric.weight, photometric.spread, landmarks.weight, landmarks.least_std_px)
        self._rest = mesh.guides_rest[:, :2].float()
        prior = self._prior
        stiff = [prior.rotation_rad] * 3 + [prior.place_px] * 2 + [prior.log_scale]
        self._stiff = torch.tensor(stiff, dtype=torch.float32, device=mesh.device) ** -2
        rows = len(mesh.mean_mm) + 2 * len(mesh.guides)

        def room(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros((batch, *shape), dtype=dtype, device=mesh.device)

        self._stiffness, self._deviation = room(PARAMETERS), room(PARAMETERS)
        self._step, self._solved = room(PARAMETERS), room(dtype=torch.uint8)
        given = (room(rows), room(rows, PARAMETERS), room(rows), self._stiffness, self._deviation, room() + DAMPING)
        self._problem = Problem(*map(plain.lent, given))
        self._solution = Solution(*map(plain.lent, (self._step, room(), room(), self._solved)))

    def __call__(
        self, vector: Tensor, expression: Tensor, std: Tensor, pose: Pose, rest_mm: Tensor, compare: Compare
    ) -> tuple[Tensor, Pose]:  # fmt: skip
        """Expression [B, 52] and pose in the crop after the steps. `std` [B, 52] is the network's own doubt of it."""
        prior, shapes = self._prior, self._mesh.shapes
        self._stiffness[:, :POSE] = self._stiff
        self._stiffness[:, POSE:] = (prior.share * std[:, shapes].clamp_min(prior.least_std)) ** -2
        self._deviation.zero_()
        for number in range(self._steps):
            if number:
                compare.place(rest_mm, expression, pose)
            self._evaluate(vector, pose, compare)
            self._operators.gauss_newton(self._problem, ROBUST, self._solution)
            solved = self._solved[:, None] > 0
            step = torch.where(solved, self._step, 0.0)
            moved = (expression[:, shapes] + step[:, POSE:]).clamp(0, 1)
            expression = torch.where(solved, expression.index_copy(1, shapes, moved), expression)
            pose = self._moved(pose, step.double()).where(solved, pose)
            self._deviation += step
        return expression, pose

    def _evaluate(self, vector: Tensor, pose: Pose, compare: Compare) -> None:
        """Fill the problems' rows."""
        about_px = torch.nn.functional.pad(pose.center_px, (0, 1), value=BEFORE_PX).float()
        offsets = vector[:, SLICES["guides"]].view(len(vector), -1, 3)[:, :, :2]
        std_px = vector[:, SLICES["guides_log_std"]].exp() * SIDE_PX
        view = (pose.scale[..., None] * pose.rotation[:, :2]).float().contiguous()
        self._operators.linearize(
            compare.surface.vertices_px, about_px, view, self._mesh.shapes_mm, compare.shaded.colours,
            compare.light.weight, compare.picture, self._mesh.guides, (offsets + self._rest) * SIDE_PX, std_px,
            self._balance, self._problem,
        )  # fmt: skip

    def _moved(self, pose: Pose, step: Tensor) -> Pose:
        """The pose a step further."""
        turned = self._rotations.exp(step[:, :3]) @ pose.rotation
        return Pose(turned, pose.center_px + step[:, 3:5], pose.scale * step[:, 5:6].exp())

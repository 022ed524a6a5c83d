"""From the student's vectors to heads in their squares, by the batch: `kernels.lift` and `kernels.align` in torch.

Given vectors it returns coefficients, standard deviations and a pose for each, in the square that the vector speaks of;
the pose comes from the guides in closed form and a fixed number of steps, and stays the regressed one where none
follows. Poses are in double precision, as on the processor. Nothing branches on a value. On a CUDA device the kernel
`heads` does the same in one launch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tracker.device.mesh import Mesh
from tracker.device.rotation import Rotations, inverse, orthonormal
from tracker.kernels.align import LEAST_SPREAD, LEAST_STD, STEPS
from tracker.kernels.lift import LOG_SCALE_LIMIT, LOG_STD_LIMITS
from tracker.refine.fit import DEPTH_SHARE, FURTHEST, HALF_TRUST, PLAUSIBLE_LOG_SCALE
from tracker.regress.outputs import ROI_CENTRE_MM, ROI_SIDE_MM, SLICES

POLAR_ROUNDS = 8
LOG_STD = slice(SLICES["expression_log_std"].start, SLICES["region_log_std"].stop)


@dataclass(frozen=True, slots=True)
class Square:
    """Where each face was looked at, float64."""

    middle_px: Tensor
    """[B, 2]."""
    side_px: Tensor
    """[B, 1]."""
    turn: Tensor
    """[B, 3, 3]: by the roll, from the square's axes to the picture's."""


def square_of(numbers: Tensor) -> Square:
    """From x, y of the middle, side and roll, float64 [B, 4]."""
    roll = numbers[:, 3]
    c, s = roll.cos(), roll.sin()
    nought, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, -s, nought, s, c, nought, nought, nought, one], 1).view(-1, 3, 3)
    return Square(numbers[:, :2], numbers[:, 2:3], turn)


@dataclass(frozen=True, slots=True)
class Pose:
    """Rotation float64 [B, 3, 3] to the picture, centre [B, 2] in px and scale [B, 1] in px per mm."""

    rotation: Tensor
    center_px: Tensor
    scale: Tensor

    def enlarged(self, factor: float) -> Pose:
        """In a picture so many times as large."""
        return Pose(self.rotation, self.center_px * factor, self.scale * factor)

    def placed(self, square: Square, side_px: float) -> Pose:
        """From the pose in a crop of that square, the crop `side_px` wide, to the one in the picture."""
        zoom = square.side_px / side_px
        middle = zoom * _apply(square.turn[:, :2, :2], self.center_px - side_px / 2)
        return Pose(square.turn @ self.rotation, middle + square.middle_px, self.scale * zoom)

    def where(self, good: Tensor, other: Pose) -> Pose:
        """This where `good` [B, 1], else the other."""
        return Pose(
            torch.where(good[..., None], self.rotation, other.rotation),
            torch.where(good, self.center_px, other.center_px), torch.where(good, self.scale, other.scale),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lifted:
    """A fit by the batch, before it is compared with pixels. Coefficients and deviations are float32."""

    expression: Tensor
    """[B, 52] in 0..1."""
    identity: Tensor
    """[B, I]."""
    std: Tensor
    """[B, 61]: expression, identity, rotation, centre, log scale, regions."""
    presence: Tensor
    """[B, 1]."""
    trust: Tensor
    """[B, 5]: of the regions."""
    pose: Pose
    """In the square, in its sides from its corner."""
    plausible: Tensor
    """bool [B, 1]: size and place do not contradict the square, and every number of the vector is finite."""


class Lift:
    """The constants of the step, beside the face model's."""

    def __init__(self, mesh: Mesh, rotations: Rotations) -> None:
        self._mesh, self._rotations = mesh, rotations
        self._anchor = torch.tensor(ROI_CENTRE_MM, dtype=torch.float64, device=mesh.device)
        self._depth = torch.tensor([1.0, 1.0, DEPTH_SHARE], dtype=torch.float64, device=mesh.device)
        self._normal, self._right = (part.to(mesh.device) for part in _moments_to_equations(DEPTH_SHARE))

    def __call__(self, vector: Tensor) -> Lifted:
        """Fits of vectors float32 [B, WIDTH]."""
        expression = vector[:, SLICES["expression"]].nan_to_num(0.0).clamp(0, 1)
        identity = vector[:, SLICES["identity"]]
        std = vector[:, LOG_STD].double().clamp(*LOG_STD_LIMITS).exp().float()
        presence = vector[:, SLICES["presence"]].double().clamp(-30, 30).sigmoid()
        trust = (presence / (1 + (std[:, -5:].double() / HALF_TRUST) ** 2)).float()
        aligned, found = self._aligned(vector.double(), torch.cat([expression, identity], 1).double())
        pose = aligned.where(found, self._regressed(vector.double()))
        plausible = self._plausible(pose) & vector.isfinite().all(1, keepdim=True)
        return Lifted(expression, identity, std, presence, trust, pose, plausible)

    def _regressed(self, vector: Tensor) -> Pose:
        """The pose that the network says outright."""
        rotation = orthonormal(vector[:, SLICES["rotation"]])
        scale = vector[:, SLICES["log_scale"]].clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT).exp() / ROI_SIDE_MM
        middle = vector[:, SLICES["centre"]] + 0.5
        return Pose(rotation, middle - scale * (rotation @ self._anchor)[:, :2], scale)

    def _aligned(self, vector: Tensor, coefficients: Tensor) -> tuple[Pose, Tensor]:
        """The pose in the square, in its sides, that puts the model's points where the network points; and whether."""
        mesh = self._mesh
        points = (mesh.guides_mean + coefficients @ mesh.guides_basis).view(-1, *mesh.guides_rest.shape)
        seen = mesh.guides_rest + vector[:, SLICES["guides"]].view_as(points)
        weight = 1 / vector[:, SLICES["guides_log_std"]].exp().clamp_min(LEAST_STD)
        share = (weight / weight.sum(1, keepdim=True))[:, None]
        middle, target = share @ points, share @ seen
        x, p = points - middle, seen - target
        weighed = share.transpose(1, 2) * x
        spread, cross = x.transpose(1, 2) @ weighed, p.transpose(1, 2) @ weighed
        back, determinant = inverse(spread)
        size = spread.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        found = determinant > 1e-4 * size**3 / 4
        affine = cross @ back
        _, determinant = inverse(affine)
        found &= determinant > 1e-12 * affine.abs().amax((1, 2), keepdim=True) ** 3
        rotation = _polar(torch.where(found, affine, self._rotations.unit))
        scale = (rotation * affine).sum((1, 2), keepdim=True) / 3
        found &= scale * size.sqrt() > LEAST_SPREAD
        rotation, scale = self._steps(rotation, torch.where(found, scale, 1.0), spread, cross)
        shift = target.transpose(1, 2) - scale * (rotation @ middle.transpose(1, 2))
        found &= (scale > 0) & scale.isfinite() & rotation.isfinite().all(2, keepdim=True).all(1, keepdim=True)
        return Pose(rotation, shift[:, :2, 0], scale[:, :, 0]), found[:, :, 0]

    def _steps(self, rotation: Tensor, scale: Tensor, spread: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
        """Gauss-Newton steps on the turn and the logarithm of the scale, from second moments alone."""
        for _ in range(STEPS):
            half = scale * rotation.transpose(1, 2)
            moments = half.transpose(1, 2) @ spread @ half
            left = moments - cross @ half
            normal = (moments.flatten(1) @ self._normal).view(-1, 4, 4)
            step = _solve(normal, left.flatten(1) @ self._right)
            rotation = self._rotations.exp(step[:, :3]) @ rotation
            scale = scale * step[:, 3:, None].exp()
        return rotation, scale

    def _plausible(self, pose: Pose) -> Tensor:
        """Is that about the size and the place of the square in which it was seen?"""
        middle = pose.center_px + pose.scale * (pose.rotation @ self._anchor)[:, :2]
        away = (middle - 0.5).norm(dim=1, keepdim=True)
        ratio = (pose.scale * ROI_SIDE_MM).clamp_min(1e-9)
        return (away < FURTHEST) & (ratio.log().abs() < PLAUSIBLE_LOG_SCALE)


def _apply(turn: Tensor, points: Tensor) -> Tensor:
    """[B, 2, 2] by [B, 2]."""
    return (turn @ points[..., None])[..., 0]


def _polar(m: Tensor) -> Tensor:
    """The nearest rotations to [B, 3, 3] (Newton's iteration, scaled; Higham 1986)."""
    for _ in range(POLAR_ROUNDS):
        back, determinant = inverse(m)
        gamma = determinant.abs() ** (-1 / 3)
        m = 0.5 * gamma * m + 0.5 / gamma * back.transpose(1, 2)
    return m


def _solve(a: Tensor, b: Tensor) -> Tensor:
    """[B, 4, 4] x = [B, 4], a symmetric and positive, by the inverse of its first three rows and columns."""
    back, _ = inverse(a[:, :3, :3])
    edge = a[:, :3, 3:]
    both = back @ torch.cat([edge, b[:, :3, None]], 2)
    last = (b[:, 3:, None] - edge.transpose(1, 2) @ both[:, :, 1:]) / (
        a[:, 3:, 3:] - edge.transpose(1, 2) @ both[:, :, :1]
    )
    return torch.cat([both[:, :, 1:] - both[:, :, :1] * last, last], 1)[:, :, 0]


def _moments_to_equations(d: float) -> tuple[Tensor, Tensor]:
    """How the normal equations [16] and their right side [4] follow from nine moments each (see `align._numba`)."""
    upper: dict[tuple[int, int], dict[int, float]] = {
        (0, 0): {8: 1, 4: d}, (1, 1): {8: 1, 0: d}, (2, 2): {0: 1, 4: 1}, (3, 3): {0: 1, 4: 1, 8: d},
        (0, 1): {1: -d}, (0, 2): {2: -1}, (1, 2): {5: -1}, (0, 3): {5: d - 1}, (1, 3): {2: 1 - d},
    }  # fmt: skip
    columns: tuple[dict[int, float], ...] = ({5: 1, 7: -d}, {6: d, 2: -1}, {1: 1, 3: -1}, {0: -1, 4: -1, 8: -d})
    normal, right = torch.zeros((9, 4, 4), dtype=torch.float64), torch.zeros((9, 4), dtype=torch.float64)
    for (row, column), factors in upper.items():
        for moment, factor in factors.items():
            normal[moment, row, column] = normal[moment, column, row] = factor
    for column, factors in enumerate(columns):
        for moment, factor in factors.items():
            right[moment, column] = factor
    return normal.view(9, 16), right

"""Operators of the frame in plain torch, under the contracts of their kernels: what runs where a kernel has no column.

Given tensors they fill tensors, for all faces at once, by operations of fixed shape that wait for nothing, so a CUDA
graph may hold them; each is some dozen launches where a kernel of its own is one. Sums go in a fixed order. The text
that says what they compute is each kernel's own (`tracker.kernels.NAME`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tracker.kernels.gauss_newton import Problem
from tracker.kernels.linearize import LUMA, POSE, Balance
from tracker.kernels.relight import DARKEST, LEAST_FACING, RIDGE, Relit
from tracker.kernels.shade import HARMONICS, Surface

_FARTHEST_INDEX = float(1 << 20)


def morph(mean: Tensor, basis: Tensor, weights: Tensor, out: Tensor) -> None:
    """Fill `out` [B, V, 3] from `mean` [V, 3] or [B, V, 3], `basis` [K, V, 3] and `weights` [B, K]."""
    torch.add(mean, (weights @ basis.flatten(1)).view_as(out), out=out)


def project(vertices: Tensor, rotation: Tensor, scale: Tensor, center: Tensor, out: Tensor) -> None:
    """Fill `out` [B, V, 3] by `rotation` [B, 3, 3], `scale` [B] and `center` [B, 3], in double and rounded once."""
    turned = vertices.double() @ (scale[:, None, None].double() * rotation).transpose(1, 2)
    out.copy_(turned + center[:, None])


def halve(picture: Tensor, out: Tensor) -> None:
    """Fill `out` uint8 [B, H, W, C] from `picture` float32 [B, C, 2 H, 2 W]."""
    left, right = picture[..., 0::2], picture[..., 1::2]
    four = (left[:, :, 0::2] + right[:, :, 0::2]) + (left[:, :, 1::2] + right[:, :, 1::2])
    out.copy_((four * 0.25 + 0.5).clamp(0, 255).permute(0, 2, 3, 1))


class Normals:
    """`normals` of one mesh, by the list of the triangles at each vertex."""

    def __init__(self, triangles: Tensor, vertices: int) -> None:
        rows: list[list[int]] = [[] for _ in range(vertices)]
        for number, corners in enumerate(triangles.tolist()):
            for vertex in corners:
                rows[vertex].append(number)
        most = max(map(len, rows))
        padded = [row + [len(triangles)] * (most - len(row)) for row in rows]
        self._around = torch.tensor(padded, device=triangles.device)
        self._corners = triangles.long()

    def __call__(self, vertices: Tensor, triangles: Tensor, out: Tensor) -> None:
        """Fill `out` [B, V, 3] from `vertices` [B, V, 3]."""
        at = vertices[:, self._corners]
        across = torch.linalg.cross(at[:, :, 1] - at[:, :, 0], at[:, :, 2] - at[:, :, 0])
        total = torch.nn.functional.pad(across, (0, 0, 0, 1))[:, self._around].sum(2)
        length = total.norm(dim=2, keepdim=True)
        out.copy_(torch.where(length > 0, total / length, 0.0))


class Relight:
    """`relight`, whose nine by nine systems are least squares that a Gauss-Newton kernel solves."""

    def __init__(self, solve: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
        """`solve` takes residual [N, R], Jacobian [N, R, P], weight [N, R] and stiffness [N, P]; gives the step."""
        self._solve = solve
        self._ridge: Tensor | None = None

    def __call__(
        self, surface: Surface, depth: Tensor, target: Tensor, slack: float, softness: float, out: Relit
    ) -> None:  # fmt: skip
        """Fill `out` from `depth` [B, H, W] and `target` uint8 [B, H, W, 3]."""
        batch, high, wide = depth.shape
        vertices, normals, albedo = surface.vertices_px, surface.normals, surface.albedo
        x, y = vertices[:, :, 0].floor(), vertices[:, :, 1].floor()
        inside = (x >= 0) & (x < wide) & (y >= 0) & (y < high)
        pixel = torch.where(inside, y * wide + x, 0.0).long()
        seen = target.view(batch, -1, 3).gather(1, pixel[..., None].expand(-1, -1, 3)).float() * (1 / 255)
        seen = torch.where(inside[..., None], seen, 0.0)
        basis = harmonics(normals)
        shown = inside & (vertices[:, :, 2] <= depth.view(batch, -1).gather(1, pixel) + slack)
        shown &= albedo.amin(2) >= DARKEST
        apart = ((seen - albedo * (basis @ surface.lighting)) ** 2).sum(2)
        facing = (-normals[:, :, 2] - LEAST_FACING).clamp_min(0)
        weight = torch.where(shown, facing / (1 + softness**-2 * apart) ** 2, 0.0)
        out.seen.copy_(seen)
        out.weight.copy_(weight)
        share = weight * albedo.mean(2) ** 2
        wanted = torch.where(share[..., None] > 0, seen / albedo, 0.0)
        if self._ridge is None or len(self._ridge) != 3 * batch:
            self._ridge = torch.tensor(RIDGE, dtype=torch.float32, device=depth.device).repeat(3 * batch, 1)
        light = self._solve(
            -wanted.transpose(1, 2).reshape(3 * batch, -1), basis.repeat_interleave(3, 0).contiguous(),
            share.repeat_interleave(3, 0).contiguous(), self._ridge,
        )  # fmt: skip
        out.lighting.copy_(light.view(batch, 3, 9).transpose(1, 2))


def harmonics(normals: Tensor) -> Tensor:
    """The nine functions [B, V, 9] at unit normals [B, V, 3]."""
    x, y, z = normals.unbind(2)
    values = (torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)
    return torch.stack([value * factor for value, factor in zip(values, HARMONICS, strict=True)], 2)


class Linearize:
    """`linearize`, with its constants."""

    def __init__(self, at: Tensor) -> None:
        """`at` int32 [L]: the landmarks' vertices."""
        self._at = at.long()
        self._luma = torch.tensor(LUMA, dtype=torch.float32, device=at.device)

    def __call__(
        self, vertices_px: Tensor, about_px: Tensor, view: Tensor, shapes: Tensor, colours: Tensor, counts: Tensor,
        target: Tensor, at: Tensor, landmarks_px: Tensor, std_px: Tensor, balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Fill the rows of `problem` for B faces: each argument has them in front, but `shapes` and `at`."""
        count = vertices_px.shape[1]
        motion = self._motion(vertices_px - about_px[:, None], view, shapes)
        seen, slope = self._read(target, vertices_px[:, :, :2])
        residual, jacobian, weight = (
            torch.as_tensor(one) for one in (problem.residual, problem.jacobian, problem.weight)
        )
        residual[:, :count] = (seen - colours @ self._luma) / balance.spread
        jacobian[:, :count] = (slope[..., None] * motion).sum(2) / balance.spread
        weight[:, :count] = balance.photometric * counts
        std = std_px.clamp_min(balance.least_std_px)[..., None]
        residual[:, count:] = ((vertices_px[:, self._at, :2] - landmarks_px) / std).flatten(1)
        jacobian[:, count:] = (motion[:, self._at] / std[..., None]).flatten(1, 2)
        weight[:, count:] = balance.landmark

    def _motion(self, away: Tensor, view: Tensor, shapes: Tensor) -> Tensor:
        """[B, V, 2, P]: how each vertex moves to the right and down with each parameter."""
        x, y, z = away.unbind(2)
        nought, one = torch.zeros_like(x), torch.ones_like(x)
        pose = torch.stack([nought, z, -y, one, nought, x, -z, nought, x, nought, one, y], 2)
        moved = torch.einsum("bij,svj->bvis", view, shapes)
        return torch.cat([pose.view(*x.shape, 2, POSE), moved], 3)

    def _read(self, target: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Luma [B, V] at places [B, V, 2], and its slope [B, V, 2]; none beyond the outermost centres."""
        batch, high, wide, _ = target.shape
        luma = ((target.float() @ self._luma) * (1 / 255)).view(batch, -1)
        most = torch.stack([at.new_full((), wide - 1.0), at.new_full((), high - 1.0)])
        place = (at - 0.5).nan_to_num(0.0, _FARTHEST_INDEX, -_FARTHEST_INDEX)
        inside = (place >= 0) & (place <= most)
        held = place.clamp_min(0).minimum(most)
        corner = held.floor().minimum(most - 1)
        u, v = (held - corner).unbind(2)
        first = (corner[..., 1] * wide + corner[..., 0]).long()
        a, b, c, d = (luma.gather(1, first + step) for step in (0, 1, wide, wide + 1))
        above, below = a + u * (b - a), c + u * (d - c)
        across = (b - a) + v * ((d - c) - (b - a))
        return above + v * (below - above), torch.stack([across, below - above], 2) * inside


def lent(value: Any) -> Any:
    """A tensor of this machine as numpy sees it; anything else as it is."""
    return value.numpy() if isinstance(value, Tensor) and value.device.type == "cpu" else value

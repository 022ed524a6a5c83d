"""The two long stretches of small arithmetic, each as one kernel of CUDA C: `heads` and `follow` with their buffers.

Given a CUDA device's tensors they do what `pose.Lift` and `smooth.Smooth` do in some eight hundred launches of torch,
which a graph would still have to walk through one by one. It computes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tracker.device import plain
from tracker.device.mesh import Mesh
from tracker.device.pose import LOG_STD, Lifted, Pose
from tracker.device.smooth import Look, Smooth, Smoothed
from tracker.face.expression import REGIONS
from tracker.kernels.follow import Filter, Followed, Sample
from tracker.kernels.heads import Seen, Shape
from tracker.kernels.imm import state_size
from tracker.kernels.portray import AFTER_MESH
from tracker.refine.fit import LIFT_NUMBERS, PART_STARTS


class FusedLift:
    """`heads` on so many faces."""

    def __init__(self, batch: int, mesh: Mesh, heads: Callable[[Tensor, Shape, Seen], None]) -> None:
        self._heads, device = heads, mesh.device
        moving, points = len(mesh.expression), len(mesh.guides)
        basis = mesh.guides_basis.float().view(-1, points, 3)
        mean, rest = mesh.guides_mean.float().view(points, 3), mesh.guides_rest.float()
        self._shape = Shape(
            plain.lent(mean), plain.lent(basis), plain.lent(rest), moving,
            plain.lent(torch.tensor(PART_STARTS, dtype=torch.int32, device=device)),
            plain.lent(torch.tensor(LIFT_NUMBERS, dtype=torch.float64, device=device)),
        )  # fmt: skip

        def room(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros((batch, *shape), dtype=dtype, device=device)

        self._coefficients, self._std = room(len(basis)), room(LOG_STD.stop - LOG_STD.start)
        self._trust, self._pose = room(len(REGIONS)), room(12, dtype=torch.float64)
        self._presence, self._plausible = room(dtype=torch.float64), room(dtype=torch.uint8)
        filled = (self._coefficients, self._std, self._trust, self._pose, self._presence, self._plausible)
        self._seen = Seen(*map(plain.lent, filled))

    def __call__(self, vector: Tensor) -> Lifted:
        """Fits of vectors float32 [B, WIDTH], in buffers that the next call overwrites."""
        self._heads(plain.lent(vector), self._shape, self._seen)
        moving = self._shape.moving
        return Lifted(
            self._coefficients[:, :moving].contiguous(), self._coefficients[:, moving:], self._std,
            self._presence[:, None], self._trust, as_pose(self._pose), self._plausible[:, None] > 0,
        )  # fmt: skip


class FusedSmooth:
    """`follow` on so many faces."""

    def __init__(
        self, batch: int, mesh: Mesh, smooth: Smooth, follow: Callable[[Filter, Sample, Followed], None]
    ) -> None:  # fmt: skip
        """`smooth` has the constants."""
        self._follow, self._smooth, device, count = follow, smooth, mesh.device, len(mesh.expression)
        tables = (smooth.dynamics, smooth.groups, smooth.traits, smooth.rates, smooth.limits, mesh.irises.float())
        self._filter = Filter(*map(plain.lent, tables))
        size = state_size(count, smooth.traits.shape[1])

        def room(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros((batch, *shape), dtype=dtype, device=device)

        self._numbers, self._pose = room(count), room(12, dtype=torch.float64)
        self._std, self._before, self._state = room(count + 6), room(AFTER_MESH), room(size, dtype=torch.float64)
        self._out = Followed(*map(plain.lent, (self._numbers, self._pose, self._std, self._before, self._state)))

    def __call__(self, look: Look, state: Tensor) -> Smoothed:
        """See `Smooth`; in buffers that the next call overwrites."""
        pose = look.pose
        numbers = torch.cat([pose.rotation.flatten(1), pose.center_px, pose.scale], 1)
        variance, times = self._smooth.variance(look), (look.dt[:, 0], look.ahead[:, 0])
        arrays = (look.expression, numbers, variance, *times, look.camera, look.doubt, state, look.seen[:, 0])
        self._follow(self._filter, Sample(*(plain.lent(array.contiguous()) for array in arrays)), self._out)
        return Smoothed(self._numbers, as_pose(self._pose), self._std, self._before, self._state)


def as_pose(numbers: Tensor) -> Pose:
    """From float64 [B, 12]: a view."""
    return Pose(numbers[:, :9].view(-1, 3, 3), numbers[:, 9:11], numbers[:, 11:])

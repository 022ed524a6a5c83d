"""What a device remembers about each face from frame to frame: one row of every tensor per slot.

Given slots it hands out their rows, as new for a face that is new, and takes back what became of them; a face that was
not accepted leaves its row as it was. The last row belongs to nobody: it is there for the empty places of a batch. It
does not know what the numbers mean.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from tracker.device.mesh import Mesh
from tracker.face.expression import GROUP_OF
from tracker.kernels.imm import state_size
from tracker.refine.compare import PRIOR_LOOKS
from tracker.smooth.dynamics import HEAD


@dataclass(frozen=True, slots=True)
class Memory:
    """Rows [N, ...], of all slots or of a batch's."""

    looks: Tensor
    """float32 [N]: how often the face was compared."""
    identity: Tensor
    """float32 [N, I]: the running mean."""
    identity_weight: Tensor
    """float64 [N, 1]."""
    rest_mm: Tensor
    """float32 [N, V, 3]: the face at rest with that identity."""
    albedo: Tensor
    """float32 [N, V, 3]: shares of white."""
    colour_weight: Tensor
    """float32 [N, V, 1]: looks' worth of each vertex's colour."""
    lighting: Tensor
    """float32 [N, 9, 3]."""
    smoothing: Tensor
    """float64 [N, ...]: the state of the filters; see `kernels.imm`."""

    def at(self, slots: Tensor, fresh: Tensor, new: Memory) -> Memory:
        """Copies of the rows `slots` int64 [B], as in `new` (one row) where `fresh` bool [B]."""
        return Memory(*(
            torch.where(_broad(fresh, ours), theirs, ours.index_select(0, slots)) for ours, theirs in _pairs(self, new)
        ))  # fmt: skip

    def keep(self, slots: Tensor, rows: Memory) -> None:
        """Write `rows` back."""
        for ours, theirs in _pairs(self, rows):
            ours.index_copy_(0, slots, theirs)

    def where(self, good: Tensor, other: Memory) -> Memory:
        """These rows where `good` bool [B], else the other's."""
        return Memory(*(torch.where(_broad(good, ours), ours, theirs) for ours, theirs in _pairs(self, other)))


def new_memory(mesh: Mesh, albedo: Tensor, rows: int) -> Memory:
    """That of `rows` faces nobody has seen, who have the mean face's colours `albedo` float32 [V, 3]."""
    device, vertices = mesh.device, len(mesh.mean_mm)

    def noughts(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros((rows, *shape), dtype=dtype, device=device)

    return Memory(
        noughts(), noughts(len(mesh.identity)), noughts(1, dtype=torch.float64), noughts(vertices, 3),
        albedo.expand(rows, -1, -1).clone(), albedo.new_full((rows, vertices, 1), PRIOR_LOOKS),
        noughts(9, 3), noughts(state_size(len(GROUP_OF), HEAD + 1), dtype=torch.float64),
    )  # fmt: skip


def _pairs(first: Memory, second: Memory) -> list[tuple[Tensor, Tensor]]:
    return [(getattr(first, one.name), getattr(second, one.name)) for one in fields(Memory)]


def _broad(flags: Tensor, like: Tensor) -> Tensor:
    """bool [B] beside [B, ...]."""
    return flags.view(-1, *[1] * (like.dim() - 1))

"""Small rotations by the batch: matrices, vectors and quaternions as torch operations of fixed shape.

Given tensors [B, ...] they return tensors and branch on no value, so that a CUDA graph may hold them: where a case
differs, both are computed and one is taken. Products of quaternions and matrices from vectors are one matrix product
with a constant each, because on a device the number of operations is the cost. It knows no faces.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12


class Rotations:
    """The constants of these operations, on one device in float64."""

    def __init__(self, device: torch.device) -> None:
        def fixed(size: tuple[int, ...], entries: dict[tuple[int, ...], float]) -> Tensor:
            made = torch.zeros(size, dtype=torch.float64)
            for at, value in entries.items():
                made[at] = value
            return made.to(device)

        self.unit = torch.eye(3, dtype=torch.float64, device=device)
        # omega [3] to the matrix of a cross product from the left.
        self._skew = fixed((3, 9), {(0, 5): -1, (0, 7): 1, (1, 2): 1, (1, 6): -1, (2, 1): -1, (2, 3): 1})
        self._times = fixed((16, 4), _products())
        self._conjugate = torch.tensor([-1, -1, -1, 1], dtype=torch.float64, device=device)
        self._one = torch.tensor([0, 0, 0, 1], dtype=torch.float64, device=device)
        linear, constant, largest = _shepperd()
        self._four, self._four_more = fixed((9, 16), linear), fixed((16,), constant)
        self._which = fixed((9, 4), largest)
        self._matrix = fixed((16, 9), _squares())

    def exp(self, omega: Tensor) -> Tensor:
        """Rotations [B, 3, 3] of vectors [B, 3], by Rodrigues' formula."""
        square = (omega * omega).sum(1, keepdim=True)[..., None]
        angle = square.sqrt()
        small = angle < 1e-9
        safe = torch.where(small, 1.0, angle)
        first = torch.where(small, 1.0, safe.sin() / safe)
        second = torch.where(small, 0.5, (1 - safe.cos()) / (safe * safe))
        skew = (omega @ self._skew).view(-1, 3, 3)
        return self.unit + first * skew + second * (skew @ skew)

    def quaternion(self, rotation: Tensor) -> Tensor:
        """Unit `xyzw` [B, 4] of rotations [B, 3, 3], by the largest component (Shepperd 1978)."""
        nine = rotation.flatten(1)
        rows = (nine @ self._four + self._four_more).view(-1, 4, 4)
        largest = (nine @ self._which).argmax(1)
        chosen = rows.gather(1, largest[:, None, None].expand(-1, 1, 4))[:, 0]
        return chosen / chosen.norm(dim=1, keepdim=True)

    def times(self, p: Tensor, q: Tensor) -> Tensor:
        """The product of quaternions [B, 4]."""
        return (p[:, :, None] * q[:, None, :]).flatten(1) @ self._times

    def between(self, start: Tensor, end: Tensor) -> Tensor:
        """The turn from one quaternion [B, 4] to the other, as vectors [B, 3] in the axes of the first, at most pi."""
        turn = self.times(start * self._conjugate, end)
        turn = torch.where(turn[:, 3:] < 0, -turn, turn)
        length = turn[:, :3].norm(dim=1, keepdim=True)
        angle = 2 * torch.atan2(length, turn[:, 3:])
        return turn[:, :3] * torch.where(length > TINY, angle / length.clamp_min(TINY), 2.0)

    def moved(self, value: Tensor, turn: Tensor, share: Tensor) -> Tensor:
        """Quaternions [B, 4] turned by a share [B, 1] of vectors [B, 3], of unit length."""
        angle = turn.norm(dim=1, keepdim=True)
        half = share * angle / 2
        scale = torch.where(angle > TINY, half.sin() / angle.clamp_min(TINY), share / 2)
        made = self.times(value, torch.cat([scale * turn, half.cos()], 1))
        return made / made.norm(dim=1, keepdim=True)

    def matrix(self, quaternion: Tensor) -> Tensor:
        """Rotations [B, 3, 3] of unit quaternions [B, 4]."""
        return ((quaternion[:, :, None] * quaternion[:, None, :]).flatten(1) @ self._matrix).view(-1, 3, 3) + self.unit

    def none_like(self, quaternion: Tensor) -> Tensor:
        """No turn, for as many bodies."""
        return self._one.expand_as(quaternion)


def orthonormal(six: Tensor) -> Tensor:
    """Rotations [B, 3, 3] from their first two columns [B, 6], Gram-Schmidt (Zhou et al. 2019)."""
    x, y = six[:, :3], six[:, 3:]
    x = x / x.norm(dim=1, keepdim=True).clamp_min(1e-9)
    y = y - (x * y).sum(1, keepdim=True) * x
    y = y / y.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return torch.stack([x, y, torch.linalg.cross(x, y)], 2)


def inverse(m: Tensor) -> tuple[Tensor, Tensor]:
    """The inverses of [B, 3, 3] by cofactors, and the determinants [B, 1, 1]: a library would ask the host."""
    cofactors = torch.linalg.cross(m.roll(-1, 1), m.roll(-2, 1))
    determinant = (m[:, 0] * cofactors[:, 0]).sum(1)[:, None, None]
    return cofactors.transpose(1, 2) / determinant, determinant


def _products() -> dict[tuple[int, ...], float]:
    """(4 i + j, k) of the sum over p_i q_j that makes component k of a product."""
    signs = ("30+ 03+ 12+ 21-", "31+ 02- 13+ 20+", "32+ 01+ 10- 23+", "33+ 00- 11- 22-")
    return {
        (4 * int(term[0]) + int(term[1]), k): 1.0 if term[2] == "+" else -1.0
        for k, row in enumerate(signs)
        for term in row.split()
    }


def _shepperd() -> tuple[dict[tuple[int, ...], float], dict[tuple[int, ...], float], dict[tuple[int, ...], float]]:
    """Four candidates from the nine entries of a rotation, what is added to them, and what says which is largest."""
    linear: dict[tuple[int, ...], float] = {}
    pairs = {(0, 1): ((1, 1), (3, 1)), (0, 2): ((2, 1), (6, 1)), (0, 3): ((7, 1), (5, -1)), (1, 2): ((5, 1), (7, 1)),
             (1, 3): ((2, 1), (6, -1)), (2, 3): ((3, 1), (1, -1))}  # fmt: skip
    for (i, j), entries in pairs.items():
        for entry, sign in entries:
            linear[entry, 4 * i + j] = linear[entry, 4 * j + i] = sign
    largest: dict[tuple[int, ...], float] = {}
    for k in range(3):
        largest[4 * k, k] = largest[4 * k, 3] = 1.0
        for diagonal in range(3):
            linear[4 * diagonal, 5 * k] = 1.0 if diagonal == k else -1.0
        linear[4 * k, 15] = 1.0
    return linear, {(5 * k,): 1.0 for k in range(4)}, largest


def _squares() -> dict[tuple[int, ...], float]:
    """(4 i + j, entry) of the sums over q_i q_j that make a rotation less the identity."""
    made: dict[tuple[int, ...], float] = {}
    for row in range(3):
        for other in range(3):
            if other != row:
                made[5 * other, 4 * row] = -2.0
    for (i, j), k in (((0, 1), 2), ((0, 2), 1), ((1, 2), 0)):
        upper, lower = 3 * i + j, 3 * j + i
        sign = 1.0 if (i, j) == (0, 2) else -1.0
        made[4 * i + j, upper] = made[4 * i + j, lower] = 2.0
        made[4 * k + 3, upper], made[4 * k + 3, lower] = 2.0 * sign, -2.0 * sign
    return made

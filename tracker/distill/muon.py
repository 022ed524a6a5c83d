"""The Muon optimiser for the weights of convolutions and hidden layers (torch).

Given gradients it keeps their running mean and steps along the nearest matrix whose singular values are all about
one (Jordan et al. 2024): directions that a few large ones would drown move as far as those. Scaled so that a step is
about as long as Adam's at the same rate (Liu et al. 2025). Biases, norms, the first and the last layer want Adam.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# A quintic x -> ax + bx^3 + cx^5 that brings singular values from (0, 1] near to one within five rounds.
_A, _B, _C = 3.4445, -4.7750, 2.0315
ROUNDS = 5
RMS_OF_ADAM = 0.2


def orthogonalised(matrix: Tensor) -> Tensor:
    """[M, N] with its singular values brought near to one, in bfloat16; never more rows than columns inside."""
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay."""

    def __init__(self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(state["mean"], group["momentum"]).flatten(1)
                step = orthogonalised(ahead).to(weight.dtype).view_as(weight)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(step, alpha=-group["lr"] * RMS_OF_ADAM * max(ahead.shape) ** 0.5)

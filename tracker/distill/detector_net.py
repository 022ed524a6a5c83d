"""The detector network (torch): luma of a whole view in, one proposal per 8-pixel cell out.

Down to a 32nd of the view to see large faces, then back up to an eighth for small ones. What it is trained to do is
here too; its truth is drawn by `scenes`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tracker.distill.student import Block, down

CHANNELS = 6
"""Per cell: logit; x, y of the head's centre from the cell's, in cells; log side in views; sine, cosine of roll."""


class DetectorNet(nn.Module):
    """Luma float [N, 1, 256, 256] in 0..255 to [N, 6, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.eighth = nn.Sequential(down(1, 16, 4), down(16, 32, 2), Block(32))
        self.sixteenth = nn.Sequential(down(32, 64, 2), Block(64))
        self.thirtysecond = nn.Sequential(down(64, 96, 2), Block(96), Block(96))
        self.up = nn.ModuleList([nn.Conv2d(96, 64, 1), nn.Conv2d(64, 32, 1)])
        self.mix = nn.ModuleList([Block(64), Block(32)])
        self.head = nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.Conv2d(48, CHANNELS, 1))
        with torch.no_grad():
            last = self.head[2]
            assert isinstance(last, nn.Conv2d) and last.bias is not None
            last.weight.mul_(0.1)
            last.bias.copy_(torch.tensor([-4.0, 0, 0, -1.2, 0, 1]))

    def forward(self, view: Tensor) -> Tensor:
        """See the class."""
        eighth = self.eighth((view - 127.5) * (1 / 64))
        sixteenth = self.sixteenth(eighth)
        low = self.thirtysecond(sixteenth)
        double = nn.functional.interpolate
        middle = self.mix[0](sixteenth + double(self.up[0](low), scale_factor=2.0, mode="nearest"))
        high = self.mix[1](eighth + double(self.up[1](middle), scale_factor=2.0, mode="nearest"))
        result: Tensor = self.head(high)
        return result


def objective(out: Tensor, truth: Tensor) -> Tensor:
    """`truth` [N, 7, 32, 32]: soft heat, the five regressed values, and where they count."""
    heat, values, weight = truth[:, :1], truth[:, 1:6], truth[:, 6:]
    logit = out[:, :1].float()
    chance = torch.sigmoid(logit)
    # Focal loss of CenterNet (Zhou et al. 2019): easy emptiness counts little, near misses are forgiven.
    sure = (heat >= 0.999).float()
    hit = -nn.functional.logsigmoid(logit) * (1 - chance) ** 2 * sure
    miss = -nn.functional.logsigmoid(-logit) * chance**2 * (1 - heat) ** 4 * (1 - sure) * (heat >= 0).float()
    count = sure.sum().clamp(min=1)
    error = nn.functional.smooth_l1_loss(out[:, 1:6].float(), values, reduction="none", beta=0.1)
    scale = torch.tensor([1.0, 1.0, 4.0, 2.0, 2.0], device=out.device).view(1, 5, 1, 1)
    return (hit.sum() + miss.sum()) / count + (error * scale * weight).sum() / weight.sum().clamp(min=1)

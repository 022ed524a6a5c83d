"""The detector network (torch): luma of a whole view in, one proposal per 8-pixel cell out.

Down to a 32nd of the view to see large faces, then back up to an eighth for small ones. Training it is here too; its
truth is drawn by `scenes`.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tracker.distill.scenes import Scenes
from tracker.distill.student import Block, _down

CHANNELS = 6
"""Per cell: logit; x, y of the head's centre from the cell's, in cells; log side in views; sine, cosine of roll."""


class DetectorNet(nn.Module):
    """Luma float [N, 1, 256, 256] in 0..255 to [N, 6, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.eighth = nn.Sequential(_down(1, 16, 4), _down(16, 32, 2), Block(32))
        self.sixteenth = nn.Sequential(_down(32, 64, 2), Block(64))
        self.thirtysecond = nn.Sequential(_down(64, 96, 2), Block(96), Block(96))
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


def _draw(queue: multiprocessing.Queue, scenes: Scenes, size: int, seed: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    scenes.rng = np.random.default_rng(seed)
    while True:
        queue.put(scenes.batch(size))


def train_detector(
    scenes: Scenes, path: Path, minutes: float, batch: int = 32, progress: Callable[[str], None] = print
) -> DetectorNet:
    """Train for so many minutes, checkpointing the averaged network to `path`."""
    torch.manual_seed(0)
    net, average = DetectorNet(), DetectorNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue = context.Queue(4)
    drawer = context.Process(target=_draw, args=(queue, scenes, batch, 77), daemon=True)
    drawer.start()
    started, saved, steps, mean = time.monotonic(), time.monotonic(), 0, 0.0
    while (spent := time.monotonic() - started) < minutes * 60:
        share = spent / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, 0.05 + share / 0.03) * (0.01 + 0.99 * (1 + np.cos(np.pi * share)) / 2)
        views, truth = queue.get()
        with torch.autocast("cpu", torch.bfloat16):
            out = net(torch.from_numpy(views).float()[:, None].contiguous(memory_format=torch.channels_last))
        loss = objective(out, torch.from_numpy(truth))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        steps += 1
        decay = min(0.998, 1 - 1 / (steps + 1))
        with torch.no_grad():
            for slow, now in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                slow.lerp_(now, 1 - decay) if slow.dtype.is_floating_point else slow.copy_(now)
        mean = mean * 0.98 + float(loss.detach()) * 0.02 if steps > 1 else float(loss.detach())
        if steps % 100 == 0:
            progress(f"step {steps} {spent / 60:.1f} of {minutes:.0f} min  loss {mean:.3f}")
        if time.monotonic() - saved > 120:
            torch.save(average.state_dict(), path)
            saved = time.monotonic()
    drawer.kill()
    torch.save(average.state_dict(), path)
    return average.eval()

"""Train the detector on composed views, as the student is trained: by the clock, cut and resumed at will (torch).

Given scenes it steps the network for a number of minutes, averages its weights and keeps both in a checkpoint. It does
not know what a view is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tracker.distill import checkpoint
from tracker.distill.detector_net import DetectorNet, objective
from tracker.distill.loop import drawing, fold_average, keep_on
from tracker.distill.scenes import Scenes


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """The recipe."""

    minutes: float = 38.0
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_share: float = 0.03
    average_decay: float = 0.998
    checkpoint_minutes: float = 2.0
    seed: int = 77


class DetectorRun:
    """A training run: network, its average, optimiser and how far it is."""

    def __init__(self, settings: DetectorSettings) -> None:
        torch.manual_seed(0)
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net, self.average = DetectorNet().to(self.device), DetectorNet().to(self.device)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.seconds, self.steps = 0.0, 0

    def pace(self) -> float:
        """Share of the learning rate: a linear rise under a cosine to 1% over the given minutes."""
        share = min(self.seconds / (self.settings.minutes * 60), 1.0)
        rise = min(1.0, 0.05 + share / self.settings.warmup_share)
        return rise * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)

    def step(self, batch: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        """One update on views uint8 [N, 256, 256] and their truth float32 [N, 7, 32, 32]; returns the loss."""
        views, truth = (torch.from_numpy(part).to(self.device) for part in batch)
        self.optimiser.param_groups[0]["lr"] = self.settings.learning_rate * self.pace()
        with torch.autocast(self.device.type, torch.bfloat16):
            out = self.net(views.float()[:, None].contiguous(memory_format=torch.channels_last))
        loss = objective(out, truth)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.steps += 1
        fold_average(self.average, self.net, min(self.settings.average_decay, 1 - 1 / (self.steps + 1)))
        return {"loss": float(loss.detach())}

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        checkpoint.save(path, {
            "net": self.net.state_dict(), "average": self.average.state_dict(), "seconds": self.seconds,
            "optimiser": self.optimiser.state_dict(), "steps": self.steps,
        })  # fmt: skip

    def resume(self, path: Path) -> None:
        """Take up a checkpoint. Raises AssetError for one of another layout."""
        with checkpoint.opened(path, self.device) as state:
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seconds, self.steps = state["seconds"], state["steps"]


def train_detector(
    scenes: Scenes, path: Path, settings: DetectorSettings = DetectorSettings(),
    progress: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Train to the end of the settings' minutes; `path` is the checkpoint, resumed if it is there."""
    run = DetectorRun(settings)
    if path.is_file():
        run.resume(path)
        progress(f"resuming at step {run.steps}")
    with drawing(scenes, settings.batch, settings.seed + run.steps) as draw:
        keep_on(run, draw, path, progress)


def averaged_detector(path: Path) -> DetectorNet:
    """The averaged network of a checkpoint, in evaluation mode; early ones hold nothing else. Raises AssetError."""
    net = DetectorNet()
    with checkpoint.opened(path) as state:
        net.load_state_dict(state.get("average", state))
    return net.eval()

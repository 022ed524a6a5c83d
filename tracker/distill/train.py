"""Train the student: lessons in, steps, averaged weights out, kept in a checkpoint.

Given a corpus and the face model it trains for a number of minutes (the learning rate follows the clock, so that a
slow machine still finishes its schedule) and returns the averaged network. It can be cut and resumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tracker.distill import archive, checkpoint
from tracker.distill.corpus import Corpus, digest_of, load
from tracker.distill.current import current_model
from tracker.distill.lessons import Batch, Lessons, Poses, fit_poses, known_poses
from tracker.distill.loop import drawing, fold_average, keep_on
from tracker.distill.losses import Objective, Terms, Truth, region_of_vertices
from tracker.distill.muon import Muon
from tracker.distill.photometric import Photometric
from tracker.distill.student import Decoder, Student
from tracker.distill.whole import whole
from tracker.face.model import FaceModel


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The recipe."""

    minutes: float = 70.0
    batch: int = 128
    learning_rate: float = 2.5e-3
    muon_learning_rate: float = 5e-3
    weight_decay: float = 0.03
    warmup_share: float = 0.03
    average_decay: float = 0.998
    checkpoint_minutes: float = 3.0
    seed: int = 0
    terms: Terms = Terms()


def poses_of(cache: Path, corpus: Corpus, model: FaceModel) -> Poses:
    """Poses of the corpus, once per face model and choice of faces: fitted in closed form, or known where made."""
    path = cache / f"poses_{model.hash.hex()}_{digest_of(corpus)}.npz"
    if path.is_file():
        remedy = "delete it; the next step that needs it makes it anew"
        return Poses(**archive.read(path, remedy, [field.name for field in fields(Poses)]))
    poses = known_poses(cache, corpus, fit_poses(corpus, model))
    with whole(path) as part, part.open("wb") as stream:
        np.savez(stream, **{field.name: getattr(poses, field.name) for field in fields(Poses)})
    return poses


def on_device(batch: Batch, device: torch.device) -> tuple[Tensor, Truth]:
    """Crops float32 [B, 3, 128, 128] and what is known about them."""
    crops = torch.from_numpy(batch.crops).to(device).permute(0, 3, 1, 2).float()
    rest = {f.name: torch.from_numpy(getattr(batch, f.name)).to(device) for f in fields(Truth)}
    return crops.contiguous(memory_format=torch.channels_last), Truth(**rest)


class Run:
    """A training run: network, its average, optimiser and how far it is."""

    def __init__(self, model: FaceModel, score_std: np.ndarray, settings: TrainSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.model = settings, model
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = Student().to(self.device)
        self.average = Student().to(self.device)
        self.average.load_state_dict(self.net.state_dict())
        decoder = Decoder(model)
        paints = Photometric(model, region_of_vertices(decoder.mean)) if settings.terms.photometric else None
        objective = Objective(decoder, torch.tensor(score_std), settings.terms, paints)
        self.objective = objective.to(self.device)
        hidden = [*self.net.body[1:].parameters(), *self.net.neck.parameters()]
        matrices = [p for p in hidden if p.ndim > 1]
        rest = [p for p in self.net.parameters() if not any(p is matrix for matrix in matrices)]
        self.optimisers = [
            Muon(matrices, settings.muon_learning_rate, weight_decay=settings.weight_decay),
            torch.optim.AdamW(rest, settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.rates = [settings.muon_learning_rate, settings.learning_rate]
        self.seconds, self.steps = 0.0, 0

    def pace(self) -> float:
        """Share of the learning rates: a linear rise, then a cosine to 1% over the given minutes."""
        progress = min(self.seconds / (self.settings.minutes * 60), 1.0)
        rise = self.settings.warmup_share
        if progress < rise:
            return 0.05 + 0.95 * progress / rise
        return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2

    def step(self, batch: Batch) -> dict[str, float]:
        """One update; returns the parts of the loss."""
        crops, truth = on_device(batch, self.device)
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * self.pace()
        with torch.autocast(self.device.type, torch.bfloat16):
            out = self.net(crops)
        loss, parts = self.objective(out.float(), truth, crops)
        self.net.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.steps += 1
        fold_average(self.average, self.net, min(self.settings.average_decay, 1 - 1 / (self.steps + 1)))
        return {name: float(part.detach()) for name, part in parts.items()}

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        checkpoint.save(path, {
            "net": self.net.state_dict(), "average": self.average.state_dict(), "seconds": self.seconds,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers], "steps": self.steps,
            **checkpoint.stamps(self.model),
        })  # fmt: skip

    def resume(self, path: Path) -> None:
        """Take up a checkpoint. Raises AssetError for one of another layout or face model."""
        with checkpoint.opened(path, self.device) as state:
            checkpoint.check_model(path, state, self.model)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            self.seconds, self.steps = state["seconds"], state["steps"]


def train(
    cache: Path, data: Path, settings: TrainSettings = TrainSettings(), *, open_only: bool = False,
    progress: Callable[[str], None] = print,
) -> Path:  # fmt: skip
    """Train from the packed corpus in `cache`; returns the checkpoint, see `student_path`, resumed if it is there."""
    model = current_model(cache)
    corpus = load(cache, open_only=open_only, made=True)
    # What is open is the corpus' rows: the stills and points beside it are research material.
    beside = None if open_only else data
    lessons = Lessons(corpus, poses_of(cache, corpus, model), model, beside, cache, settings.seed)
    run = Run(model, score_std(corpus), settings)
    path = student_path(cache, open_only)
    if path.is_file():
        run.resume(path)
        progress(f"resuming at step {run.steps}")
    with drawing(lessons, settings.batch, settings.seed + 1000 + run.steps) as draw:
        keep_on(run, draw, path, progress)
    return path


def student_path(cache: Path, open_only: bool) -> Path:
    """The checkpoint of the student, or of the one that sees openly licensed rows only."""
    return cache / ("student_open.pt" if open_only else "student.pt")


def score_std(corpus: Corpus) -> np.ndarray:
    """float32 [52]: how much each score moves over the clips, or over all there is where there are none."""
    of_clips = corpus.kind == 0
    std: np.ndarray = corpus.scores[of_clips if of_clips.any() else slice(None)].std(0)
    return std


def averaged(path: Path, model: FaceModel | None = None) -> Student:
    """The averaged network of a checkpoint, in evaluation mode; with `model`, only one trained through that."""
    net = Student()
    with checkpoint.opened(path) as state:
        if model is not None:
            checkpoint.check_model(path, state, model)
        net.load_state_dict(state["average"])
    return net.eval()


def steps_of(path: Path) -> int:
    """How many steps a checkpoint has behind it. Raises AssetError for what is none."""
    with checkpoint.opened(path) as state:
        return int(state["steps"])

"""The last two layers of a student, tuned on little footage, as far as that footage shows it to be worth (torch).

Given a network and lessons of one person it trains neck and head alone. The convolutions and their norms stay as they
are: a few hundred frames of one face teach them nothing but those frames (with Muon, whose steps are as long for noise
as for what is meant, a hundred steps cost 0.08 of correlation), and crops that went through them once can be learned
from often. The footage is cut into blocks of time; each judges what the others taught, which says how far to go from
where it started. What is held out from all of this it never sees.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tracker.distill.accuracy import accuracy
from tracker.distill.corpus import Corpus
from tracker.distill.lessons import Lessons, Poses
from tracker.distill.losses import Objective, Truth
from tracker.distill.own import sequences
from tracker.distill.student import Student
from tracker.distill.train import on_device
from tracker.face.model import FaceModel

Page = tuple[Tensor, Truth]
"""What the convolutions make of a batch, and what is known about it."""
BLOCKS = 4
WAYS = (0.0, 0.25, 0.5)
"""From the start to the tuned weights. Beyond half, what is learned of one day's shapes begins to cost others."""
LOSS_COUNTS = 5.0
"""Times as much as a gain: landmarks must not pay for shapes."""
AVERAGE_DECAY = 0.98


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """The recipe, set on people that the student had not met."""

    batch: int = 64
    drawn: int = 40
    """Batches of one's own crops, each with its own framing, light and damage."""
    learning_rate: float = 1e-3
    steps: int = 300
    others_share: float = 0.35
    """Steps on the general corpus, where there is one."""
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """What is learned from, as the network that is tuned sees it."""

    corpus: Corpus
    poses: Poses
    blocks: np.ndarray
    """int8 [N]: the block of time of each row; -1 for what is held out."""
    pages: list[list[Page]]
    """By block."""
    others: list[Page]
    """Of the general corpus."""


def blocks_of(corpus: Corpus) -> np.ndarray:
    """int8 [N]: the images and then each clip by time, in `BLOCKS` equal parts; -1 for what is held out."""
    free = np.concatenate([rows[~corpus.validation[rows]] for rows in sequences(corpus.kind, corpus.clip)])
    blocks = np.full(len(corpus), -1, np.int8)
    blocks[free] = np.arange(len(free)) * BLOCKS // len(free)
    return blocks


def look_at(
    net: Student, mine: tuple[Corpus, Poses], others: tuple[Corpus, Poses] | None, settings: TuneSettings,
    until: float = math.inf,
) -> Footage:  # fmt: skip
    """Draw what is learned from and bring it through the convolutions, once; in half of the time at most."""
    (corpus, poses), model = mine, FaceModel.load()
    blocks, half = blocks_of(corpus), _share_of(until, 2)
    parts = [(replace(corpus, validation=blocks != block), poses) for block in range(BLOCKS)]
    count, few = -(-settings.drawn // BLOCKS), round(settings.drawn * settings.others_share)
    drawn = [
        _pages(net, Lessons(*part, model, None, Path(), settings.seed + number), most, settings.batch, half)
        for number, (part, most) in enumerate(
            [*((part, count) for part in parts), *([(others, few)] if others else [])]
        )
    ]
    return Footage(corpus, poses, blocks, drawn[:BLOCKS], [page for pages in drawn[BLOCKS:] for page in pages])


@torch.no_grad()
def _pages(net: Student, lessons: Lessons, count: int, batch: int, until: float) -> list[Page]:
    """One at least, and no more after `until`."""
    pages: list[Page] = []
    while len(pages) < count and (not pages or time.monotonic() < until):
        crops, truth = on_device(lessons.batch(batch), torch.device("cpu"))
        pages.append((net.seen(crops), truth))
    return pages


def personal(
    net: Student, footage: Footage, objective: Objective, settings: TuneSettings, until: float = math.inf
) -> tuple[Student, float]:
    """The tuned network, and how far it went: a share of the way to what all of `footage` taught.

    By `until` (`time.monotonic`) it is done, with fewer steps if need be.
    """
    model, errors = FaceModel.load(), []
    for block in range(BLOCKS):
        rest = [page for number, pages in enumerate(footage.pages) if number != block for page in pages]
        taught = tuned(net, rest, footage.others, objective, settings, _share_of(until, BLOCKS + 1 - block))
        judge = replace(footage.corpus, validation=footage.blocks == block)
        errors.append([_errors(between(net, taught, way), judge, footage.poses, model) for way in WAYS])
    way = best_way(np.array(errors))
    pages = [page for pages in footage.pages for page in pages]
    return between(net, tuned(net, pages, footage.others, objective, settings, until), way), way


def best_way(errors: np.ndarray) -> float:
    """Of `WAYS` the one whose errors [blocks, ways, kinds] over those of the start add up to least; a kind that got
    worse counts `LOSS_COUNTS` times as much."""
    mean = errors.mean(0)
    shares = mean / np.maximum(mean[WAYS.index(0.0)], 1e-6)
    return WAYS[int((shares + LOSS_COUNTS * np.maximum(shares - 1, 0)).sum(1).argmin())]


def _share_of(until: float, parts: int) -> float:
    now = time.monotonic()
    return now + (until - now) / parts


def _errors(net: Student, judge: Corpus, poses: Poses, model: FaceModel) -> tuple[float, float]:
    """Of landmarks, in percent, and one less the correlation of the shapes that move."""
    rows = accuracy(net, judge, poses, model)
    r = [row.correlation for row in rows if not np.isnan(row.correlation)]
    return float(np.mean([row.landmarks_percent for row in rows])), 1 - float(np.mean(r)) if r else 1.0


def tuned(
    net: Student, mine: Sequence[Page], others: Sequence[Page], objective: Objective, settings: TuneSettings,
    until: float = math.inf,
) -> Student:  # fmt: skip
    """Neck and head trained on `mine`, now and then on `others`, until all steps are done or time is up; the running
    mean of the weights."""
    taught, average = deepcopy(net).eval(), deepcopy(net).eval()
    layers, means = ([*who.neck.parameters(), *who.head.parameters()] for who in (taught, average))
    optimiser = torch.optim.AdamW(layers, settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    rng, began, step = np.random.default_rng(settings.seed), time.monotonic(), 0
    while (done := max(step / settings.steps, _spent(began, until))) < 1:
        pages = others if others and rng.random() < settings.others_share else mine
        features, truth = pages[int(rng.integers(len(pages)))]
        optimiser.param_groups[0]["lr"] = settings.learning_rate * _pace(done)
        loss, _ = objective(taught.told(features), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layers, 2.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for mean, layer in zip(means, layers, strict=True):
                mean.lerp_(layer, max(1 - AVERAGE_DECAY, 1 / (step + 1)))
    return average


def _spent(began: float, until: float) -> float:
    """Share of the time that is gone; 0 where there is no end."""
    now = time.monotonic()
    return 1.0 if now >= until else (now - began) / (until - began)


def _pace(done: float) -> float:
    """Share of the learning rate: a linear rise over the first tenth, then a cosine to nothing."""
    return min(done * 10 + 0.02, 1.0) * (1 + math.cos(math.pi * done)) / 2


def between(start: Student, end: Student, way: float) -> Student:
    """The network whose weights lie `way` (0 to 1) from those of `start` to those of `end`."""
    net, first = deepcopy(end), start.state_dict()
    net.load_state_dict({
        name: torch.lerp(first[name], last, way) if last.is_floating_point() else last
        for name, last in end.state_dict().items()
    })  # fmt: skip
    return net

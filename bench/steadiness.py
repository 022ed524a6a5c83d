"""How much a track trembles from frame to frame, landmarks and shapes, apart from where it is.

Given two sides' answers on the same consecutive frames it takes second differences, which even motion does not have,
for both over the same frames. Less is steadier; a side that smooths pays for it in lag, which is not measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.bench.agreement import Seen
from tracker.bench.metrics import interocular_px, mean


@dataclass(frozen=True, slots=True)
class Steadiness:
    """One side over all clips: mean over clips of the median over their frames."""

    who: str
    clips: int
    landmarks: float
    """Mean over 478 points of the 2D second difference, by the inter-ocular distance."""
    shapes: float
    """Mean over the shapes that move of the absolute second difference of the frame's own score."""


@dataclass(frozen=True, slots=True)
class Tremble:
    """One side in one clip; NaN without three frames in a row."""

    landmarks: float
    shapes: float


def tremble(frame: np.ndarray, sides: Sequence[Sequence[Seen | None]], moves: np.ndarray) -> list[Tremble]:
    """Per side, over the frames (`frame` [F], ascending) before and after which all sides have an answer; `moves`
    bool [52]."""
    seen = [k for k in range(len(frame)) if all(side[k] is not None for side in sides)]
    middles = [
        k for a, k, b in zip(seen, seen[1:], seen[2:], strict=False)
        if frame[k] - frame[a] == 1 and frame[b] - frame[k] == 1
    ]  # fmt: skip
    return [_tremble([_three(side, k) for k in middles], moves) for side in sides]


def _three(side: Sequence[Seen | None], middle: int) -> tuple[Seen, ...]:
    return tuple(one for one in side[middle - 1 : middle + 2] if one is not None)


def _tremble(threes: list[tuple[Seen, ...]], moves: np.ndarray) -> Tremble:
    if not threes:
        return Tremble(float("nan"), float("nan"))
    points, scores = [], []
    for before, now, after in threes:
        bend = before.landmarks_px[:, :2] - 2 * now.landmarks_px[:, :2].astype(np.float64) + after.landmarks_px[:, :2]
        points.append(np.linalg.norm(bend, axis=1).mean() / interocular_px(now.landmarks_px))
        scores.append(np.abs(before.scores - 2 * now.scores + after.scores)[moves].mean() if moves.any() else np.nan)
    return Tremble(float(np.median(points)), float(np.median(scores)))


def summarise(who: str, clips: Sequence[Tremble]) -> Steadiness:
    """Means over clips; one that says nothing is left out."""
    kept = [clip for clip in clips if np.isfinite(clip.landmarks)]
    return Steadiness(who, len(kept), mean(clip.landmarks for clip in kept), mean(clip.shapes for clip in kept))

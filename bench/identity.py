"""How much the published identity varies while one person is seen, against how much people differ.

Given identity coefficients by clip and who is in each, it compares variances, in the coefficients' own units and as
the face moves with them, in mm over the vertices. It does not know how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.bench.metrics import mean

FEWEST_PEOPLE = 3


@dataclass(frozen=True, slots=True)
class IdentitySpread:
    """Variances in one unit: squared coefficients summed, or squared mm averaged over the vertices."""

    unit: str
    within_clip: float
    """Over the frames of a clip, mean over clips."""
    within_person: float
    """Over the means of a person's clips, mean over people with several; NaN without any."""
    between: float
    """Over the means of people; NaN with fewer than three."""


@dataclass(frozen=True, slots=True)
class Identity:
    """All clips."""

    clips: int
    people: int
    people_with_several: int
    spreads: tuple[IdentitySpread, ...]
    """In coefficients, then in mm."""


def spread_of(codes: Sequence[tuple[str, np.ndarray]], identity_mm: np.ndarray) -> Identity:
    """Of (person, [N, I] over the frames of one clip); `identity_mm` [I, V, 3] is the face model's basis."""
    kept = [(person, np.asarray(code, np.float64)) for person, code in codes if len(code) > 1]
    flat = np.asarray(identity_mm, np.float64).reshape(len(identity_mm), -1)
    metrics = {"coefficients": np.eye(len(flat)), "mm": flat @ flat.T / identity_mm.shape[1]}
    means: dict[str, list[np.ndarray]] = {}
    for person, code in kept:
        means.setdefault(person, []).append(code.mean(0))
    several = [np.array(clips) for clips in means.values() if len(clips) > 1]
    people = np.array([np.mean(clips, 0) for clips in means.values()])
    spreads = []
    for unit, metric in metrics.items():
        spreads.append(IdentitySpread(
            unit, mean(_variance(code, metric) for _, code in kept),
            mean(_variance(clips, metric) for clips in several),
            _variance(people, metric) if len(people) >= FEWEST_PEOPLE else float("nan"),
        ))  # fmt: skip
    return Identity(len(kept), len(means), len(several), tuple(spreads))


def _variance(rows: np.ndarray, metric: np.ndarray) -> float:
    apart = rows - rows.mean(0)
    return float(np.einsum("ni,ij,nj->", apart, metric, apart) / (len(rows) - 1))

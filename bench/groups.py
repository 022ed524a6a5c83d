"""Accuracy by group: how far, how large, how bright, how sharp, and what was noted of the picture.

Given for every face what it looks like and every side's error (NaN where missed), it sums up group by group. It knows
neither pictures nor whose errors they are; its bins are the same for all data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.bench.appearance import Appearance
from tracker.bench.metrics import mean

Edges = tuple[float, ...]
YAW_DEG: Edges = (0, 15, 30, 45, 60, 90)
SIZE_PX: Edges = (0, 60, 90, 130, 200, 300, np.inf)
BRIGHTNESS: Edges = (0, 60, 90, 120, 150, np.inf)
SHARPNESS: Edges = (0, 0.15, 0.25, 0.4, np.inf)


@dataclass(frozen=True, slots=True)
class GroupSide:
    """One side in one group."""

    who: str
    missed: int
    nme_found: float
    """Over the faces this side found; NaN if none."""
    nme_both: float
    """Over the faces all sides found."""
    correlation: float = float("nan")
    """On clips: mean over those most of whose frames are in the group."""


@dataclass(frozen=True, slots=True)
class Group:
    """The faces of one group."""

    by: str
    label: str
    faces: int
    both: int
    """Found by all sides."""
    sides: tuple[GroupSide, ...]


def binned(values: np.ndarray, edges: Edges) -> dict[str, np.ndarray]:
    """Label -> bool [N] of the values in each half-open bin; the last bin is closed. NaN is in none."""
    masks = {}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        label = f"{low:g} and more" if np.isinf(high) else f"{low:g}-{high:g}"
        masks[label] = (values >= low) & ((values < high) | ((high == edges[-1]) & (values == high)))
    return masks


def looks(seen: Sequence[Appearance]) -> dict[str, dict[str, np.ndarray]]:
    """Size, brightness and sharpness of all faces -> label -> bool [N]."""
    columns = {name: np.array([getattr(one, name) for one in seen], float) for name in Appearance.__slots__}
    return {
        "face px": binned(columns["size_px"], SIZE_PX),
        "brightness": binned(columns["brightness"], BRIGHTNESS),
        "sharpness": binned(columns["sharpness"], SHARPNESS),
    }


def noted(notes: Sequence[tuple[str, ...]]) -> dict[str, np.ndarray]:
    """Note -> bool [N]; a face with two notes is in both groups, one without any under `nothing`. Empty where nothing
    was noted of any."""
    names = sorted({name for one in notes for name in one})
    if not names:
        return {}
    masks = {name: np.array([name in one for one in notes], bool) for name in names}
    return {**masks, "nothing": np.array([not one for one in notes], bool)}


def split(by: str, members: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray]) -> list[Group]:
    """One group a label with a face in it; `errors` [N] by side, NaN where missed."""
    all_found = np.all([np.isfinite(error) for error in errors.values()], axis=0)
    return [_group(by, label, mask, errors, all_found) for label, mask in members.items() if mask.any()]


def _group(by: str, label: str, mask: np.ndarray, errors: Mapping[str, np.ndarray], all_found: np.ndarray) -> Group:
    both = mask & all_found
    sides = []
    for who, error in errors.items():
        found = mask & np.isfinite(error)
        sides.append(GroupSide(who, int((mask & ~found).sum()), mean(error[found]), mean(error[both])))
    return Group(by, label, int(mask.sum()), int(both.sum()), tuple(sides))

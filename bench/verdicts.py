"""What jitter and lag over many people come to: means, and how one method stands to another.

Given the scores of every method at every setting, person by person, it sums them up with the spread over people. It
does not know how they were measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.bench.filters import METHODS

WHATS = ("landmarks", "pose", "shapes")
VIDEO, IMAGE, OURS, RIVAL, RAW = "MediaPipe VIDEO", "MediaPipe IMAGE", "Facewire", "One-Euro", "raw"
LAGS_MS = (5.0, 10.0, 20.0, 33.0, 50.0, 100.0)
SWEPT = ("rendered", "three faces")
"""Parts in which every method is run at every setting, and the truth is known."""
BOOTSTRAPS = 1000
NOTHING = 1e-6
"""A jitter that is none: shapes that rest at 0 may not tremble at all, by either filter."""
Scores = dict[str, tuple[float, float]]
"""What -> jitter and lag of one person."""
Table = dict[tuple[str, str, float | None], list[Scores]]
"""Part, method and setting -> one entry a person."""


@dataclass(frozen=True, slots=True)
class Point:
    """One method at one setting: mean over people."""

    part: str
    """`rendered`, `irregular`, `three faces`, `photographs` or `clips`."""
    method: str
    setting: float | None
    """None where there is nothing to set."""
    what: str
    """`landmarks`, `pose` or `shapes`."""
    jitter: float
    """px, degrees or coefficients."""
    lag_ms: float
    """Against the truth; of clips, against the raw fits."""
    is_default: bool = False
    """The setting that the method comes with."""


@dataclass(frozen=True, slots=True)
class Advantage:
    """Our least jitter by One-Euro's at any of its settings, both at most so late; over people, with 95% of bootstraps
    between the two."""

    part: str
    """`rendered` or `three faces`."""
    what: str
    lag_ms: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Against:
    """Our default beside MediaPipe's VIDEO mode: medians over people."""

    part: str
    what: str
    jitter_ratio: float
    jitter_low: float
    jitter_high: float
    lag_ms: float
    peer_lag_ms: float


@dataclass(frozen=True, slots=True)
class Result:
    """All of it."""

    people: int
    points: tuple[Point, ...]
    advantages: tuple[Advantage, ...]
    against: tuple[Against, ...]
    blink_kept: dict[str, float]
    """Method at its default -> share of a two-frame blink's depth that is left, of what its own input showed."""
    irregular_jitter: dict[str, float]
    """What -> our default's jitter with irregular and dropped frames by that without, less one."""
    irregular_lag_ms: dict[str, float]
    """What -> the same of the lag, in ms."""


def conclude(people: int, scores: Table, blinks: dict[str, list[float]]) -> Result:
    """Means, and what they say about us and the others."""
    points = tuple(
        _point(part, method, setting, what, _columns(rows, what))
        for (part, method, setting), rows in scores.items() for what in WHATS
    )  # fmt: skip
    parts = ("rendered", "three faces", "photographs")
    both = [_against(part, what, scores) for part in parts for what in WHATS[: 1 if part == "photographs" else 3]]
    change = {what: _irregular(what, scores) for what in WHATS}
    return Result(
        people, points, tuple(one for part in SWEPT for one in _advantages(part, scores)),
        tuple(one for one in both if one is not None),
        {name: float(np.nanmean(left)) for name, left in blinks.items() if np.isfinite(left).any()},
        {what: jitter for what, (jitter, _) in change.items()}, {what: lag for what, (_, lag) in change.items()},
    )  # fmt: skip


def _point(part: str, method: str, setting: float | None, what: str, people: np.ndarray) -> Point:
    jitter, lag = np.nanmean(people, 0).tolist()
    chosen = any(one.name == method and one.default == setting for one in METHODS if "," not in one.name)
    return Point(part, method, setting, what, jitter, lag, chosen)


def _default(method: str) -> float:
    return next(one.default for one in METHODS if one.name == method)


def _columns(rows: Sequence[Scores], what: str) -> np.ndarray:
    """float64 [P, 2]."""
    return np.array([one[what] for one in rows])


def _irregular(what: str, scores: Table) -> tuple[float, float]:
    key = OURS, _default(OURS)
    even, uneven = (_columns(scores.get((part, *key), []), what) for part in ("rendered", "irregular"))
    if not len(even) or not len(uneven):
        return float("nan"), float("nan")
    (jitter, lag), (other, late) = np.nanmedian(even, 0), np.nanmedian(uneven, 0)
    raw = [np.nanmedian(_columns(scores[part, RAW, None], what), 0)[1] for part in ("rendered", "irregular")]
    return float(other / jitter - 1), float((late - raw[1]) - (lag - raw[0]))


def _against(part: str, what: str, scores: Table) -> Against | None:
    mine, peer = scores.get((part, OURS, _default(OURS))), scores.get((part, VIDEO, None))
    if not mine or not peer:
        return None
    own, other = _columns(mine, what), _columns(peer, what)
    rng = np.random.default_rng(0)
    ratios = [
        np.nanmedian(own[rng.integers(len(own), size=len(own)), 0])
        / np.nanmedian(other[rng.integers(len(other), size=len(other)), 0])
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.nanquantile(ratios, (0.025, 0.975))
    (jitter, lag), (peer_jitter, peer_lag) = np.nanmedian(own, 0), np.nanmedian(other, 0)
    return Against(part, what, float(jitter / peer_jitter), float(low), float(high), float(lag), float(peer_lag))


def _advantages(part: str, scores: Table) -> Iterator[Advantage]:
    """At each lag, our least jitter by One-Euro's."""
    raw = scores.get((part, RAW, None), [])
    people = len(raw)
    if not people:
        return
    by_method = {
        name: np.array([
            [one[what] for what in WHATS for one in rows] for (where, method, _), rows in scores.items()
            if where == part and method.startswith(name)
        ])
        for name in (OURS, RIVAL)
    }  # fmt: skip
    rng = np.random.default_rng(0)
    draws = [np.arange(people), *(rng.integers(people, size=people) for _ in range(BOOTSTRAPS))]
    for number, what in enumerate(WHATS):
        base = float(np.nanmean(_columns(raw, what)[:, 1]))
        of = {name: rows[:, number * people : (number + 1) * people] for name, rows in by_method.items()}
        for most in LAGS_MS:
            limit = most + base
            ratios = np.array(
                [(_least(of[OURS], d, limit) + NOTHING) / (_least(of[RIVAL], d, limit) + NOTHING) for d in draws]
            )
            low, high = np.nanquantile(ratios[1:], (0.025, 0.975))
            yield Advantage(part, what, most, float(ratios[0]), float(low), float(high))


def _least(rows: np.ndarray, people: np.ndarray, most_ms: float) -> float:
    """Of settings [S, P, 2] the least mean jitter that is at most so late, over some people."""
    jitter, lag = np.nanmean(rows[:, people], 1).T
    good = lag <= most_ms
    return float(jitter[good].min()) if good.any() else float("nan")

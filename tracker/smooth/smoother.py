"""The stage: every track has its own filters.

Given the fits of one frame and its time it returns one `Filtered` per fit, in their order. It does not know how a
track begins or ends: who does calls `drop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tracker.kernels.backend import choose
from tracker.kernels.imm import Imm
from tracker.smooth.settings import SmoothSettings
from tracker.smooth.track_filter import Filtered, Measured, TrackFilter


class Tracked(Measured, Protocol):
    """What is read of a fit."""

    @property
    def track_id(self) -> int: ...  # noqa: D102


class Smoother:
    """Filters by track id, made when a track is first seen."""

    def __init__(self, settings: SmoothSettings | None = None, imm: Imm | None = None) -> None:
        self.settings = settings or SmoothSettings()
        self._imm = imm or choose().imm
        self._tracks: dict[int, TrackFilter] = {}

    def __call__(self, fits: Sequence[Tracked], pts_seconds: float | None) -> list[Filtered]:
        """One estimate per fit; its arrays are valid until the same track's next one."""
        return [self._smooth(fit, pts_seconds) for fit in fits]

    def _smooth(self, fit: Tracked, pts_seconds: float | None) -> Filtered:
        track = self._tracks.get(fit.track_id)
        if track is None:
            track = self._tracks[fit.track_id] = TrackFilter(self.settings, self._imm)
        return track(fit, pts_seconds)

    def shares(self, track_id: int) -> np.ndarray:
        """float64 [7, 3]: how likely each group of a track is still, drifts or moves; a view."""
        return self._tracks[track_id].shares

    def coast(self, track_id: int, pts_seconds: float) -> Filtered:
        """What is likely of a track that is not seen now; it must have been seen before."""
        return self._tracks[track_id].coast(pts_seconds)

    def drop(self, track_id: int) -> None:
        """Forget a track that has ended; one that never was is fine."""
        self._tracks.pop(track_id, None)

    def reset(self) -> None:
        """Forget every track."""
        self._tracks.clear()

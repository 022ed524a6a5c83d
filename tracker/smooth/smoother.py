"""The stage: every track has its own filters.

Given the fits of one frame and its time it returns one `Filtered` per fit, in their order. It does not know how a
track begins or ends: who does calls `drop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tracker.kernels.backend import choose
from tracker.kernels.one_euro import OneEuro
from tracker.smooth.settings import SmoothSettings
from tracker.smooth.track_filter import Filtered, TrackFilter


class Tracked(Protocol):
    """What is read of a fit."""

    @property
    def track_id(self) -> int: ...  # noqa: D102
    @property
    def expression(self) -> np.ndarray: ...  # noqa: D102
    @property
    def rotation(self) -> np.ndarray: ...  # noqa: D102
    @property
    def center_px(self) -> np.ndarray: ...  # noqa: D102
    @property
    def scale_px_per_mm(self) -> float: ...  # noqa: D102


class Smoother:
    """Filters by track id, made when a track is first seen."""

    def __init__(self, settings: SmoothSettings | None = None, one_euro: OneEuro | None = None) -> None:
        self.settings = settings or SmoothSettings()
        self._one_euro = one_euro or choose().one_euro
        self._tracks: dict[int, TrackFilter] = {}

    def __call__(self, fits: Sequence[Tracked], pts_seconds: float | None) -> list[Filtered]:
        """One estimate per fit; its arrays are valid until the same track's next one."""
        return [self._smooth(fit, pts_seconds) for fit in fits]

    def _smooth(self, fit: Tracked, pts_seconds: float | None) -> Filtered:
        track = self._tracks.get(fit.track_id)
        if track is None:
            track = self._tracks[fit.track_id] = TrackFilter(self.settings, self._one_euro)
        return track(fit.expression, fit.rotation, fit.center_px, fit.scale_px_per_mm, pts_seconds)

    def drop(self, track_id: int) -> None:
        """Forget a track that has ended; one that never was is fine."""
        self._tracks.pop(track_id, None)

    def reset(self) -> None:
        """Forget every track."""
        self._tracks.clear()

"""All filters of one track: expression by groups, rotation, where the head is and how big.

Given a track's raw fit and its time it returns the smoothed one. It keeps the clock: the true step between stamps, a
hold when a stamp repeats, a fresh start after a gap or when time runs backwards; the `one_euro` kernel does the
filtering. It does not know faces' meshes or cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.kernels.backend import choose
from tracker.kernels.one_euro import OneEuro, start_anew, state_size
from tracker.smooth.settings import SmoothSettings

INTER_OCULAR_MM = 63.0
"""An adult's, on average: the unit in which the speed of the head in the picture is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """The estimate of one track. Arrays are the filter's own, valid until its next call; copy what is kept."""

    expression: np.ndarray
    """float32 [52] in 0..1."""
    rotation: np.ndarray
    """float64 [3, 3]: head to picture, as in the fit."""
    center_px: np.ndarray
    """float64 [2]: the head's origin in the picture."""
    scale_px_per_mm: float


class TrackFilter:
    """The state of one track."""

    def __init__(self, settings: SmoothSettings, one_euro: OneEuro | None = None) -> None:
        self._settings = settings
        self._one_euro = one_euro or choose().one_euro
        # In the kernel's order: each shape by its group, the logarithm of the scale, the place, the rotation.
        responses = [getattr(settings, group) for group in (*GROUP_OF, "translation", "translation", "rotation")]
        self._responses = np.array(responses, np.float64).T.copy()
        self._limits = np.array([0.0, 1.0, settings.derivative_cutoff_hz, INTER_OCULAR_MM])
        self._state = np.zeros(state_size(len(GROUP_OF)))
        self._rotation, self._center = np.eye(3), np.zeros(2)
        self._expression = np.zeros(len(GROUP_OF), np.float32)
        self._seconds: float | None = None

    def reset(self) -> None:
        """Forget the track's past."""
        self._seconds = None
        start_anew(self._state)

    def __call__(
        self, expression: np.ndarray, rotation: np.ndarray, center_px: np.ndarray, scale_px_per_mm: float,
        pts_seconds: float | None,
    ) -> Filtered:  # fmt: skip
        """Smooth one fit: `expression` [52], `rotation` [3, 3], `center_px` [2], of any float type.

        Without a time, or when smoothing is off, the fit passes through (expression within 0..1) and the past is
        forgotten. Numbers that are not finite are replaced by the last estimate.
        """
        scale = self._one_euro(
            self._responses, self._limits, np.ascontiguousarray(expression, np.float32),
            np.ascontiguousarray(rotation, np.float64), np.ascontiguousarray(center_px, np.float64), scale_px_per_mm,
            self._step(pts_seconds), self._state, self._rotation, self._center, self._expression,
        )  # fmt: skip
        return Filtered(self._expression, self._rotation, self._center, scale)

    def _step(self, pts_seconds: float | None) -> float:
        """The true time step; 0 where there is none, with the past forgotten unless the stamp is the last one's."""
        timed = pts_seconds is not None and isfinite(pts_seconds) and self._settings.enabled
        if not timed or self._seconds is None:
            self.reset()
            self._seconds = pts_seconds if timed else None
            return 0.0
        assert pts_seconds is not None
        step = pts_seconds - self._seconds
        if not 0 <= step <= self._settings.gap_seconds:
            start_anew(self._state)
        self._seconds = pts_seconds
        return step if step > 0 else 0.0

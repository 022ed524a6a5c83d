"""All filters of one track: expression by groups, rotation, where the head is and how big.

Given a track's raw fit and its time it returns the smoothed one. It keeps the clock: the true step between stamps, a
hold when a stamp repeats, a fresh start after a gap or when time runs backwards. It does not know faces' meshes or
cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.smooth.one_euro import OneEuro
from tracker.smooth.settings import SmoothSettings
from tracker.smooth.so3 import OneEuroSO3

INTER_OCULAR_MM = 63.0
"""An adult's, on average: the unit in which the speed of the head in the picture is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """The estimate of one track. Arrays are the filter's own, valid until its next call; copy what is kept."""

    expression: np.ndarray
    """float32 [52] in 0..1."""
    rotation: np.ndarray
    """float32 [3, 3]: cam_from_head."""
    center_px: np.ndarray
    """float64 [2]: the head's origin in the picture."""
    scale_px_per_mm: float


class TrackFilter:
    """The state of one track."""

    def __init__(self, settings: SmoothSettings) -> None:
        # The logarithm of the scale goes with the expression as its last channel: one call costs less than two.
        responses = np.array([getattr(settings, group) for group in (*GROUP_OF, "translation")])
        self._settings = settings
        self._channels = OneEuro(responses[:, 0], responses[:, 1], settings.derivative_cutoff_hz)
        self._rotation = OneEuroSO3(*settings.rotation, settings.derivative_cutoff_hz)
        moving = responses[[-1, -1]]
        self._center = OneEuro(moving[:, 0], moving[:, 1], settings.derivative_cutoff_hz, joint=True)
        self._sample = np.zeros(len(responses))
        self._out = np.zeros(len(GROUP_OF), np.float32), np.eye(3, dtype=np.float32), np.zeros(2)
        self._seconds: float | None = None

    def reset(self) -> None:
        """Forget the track's past."""
        self._seconds = None
        for part in (self._channels, self._rotation, self._center):
            part.reset()

    def __call__(
        self, expression: np.ndarray, rotation: np.ndarray, center_px: np.ndarray, scale_px_per_mm: float,
        pts_seconds: float | None,
    ) -> Filtered:  # fmt: skip
        """Smooth one fit: `expression` [52], `rotation` [3, 3], `center_px` [2], of any float type.

        Without a time, or when smoothing is off, the fit passes through (expression within 0..1) and the past is
        forgotten. Numbers that are not finite are replaced by the last estimate.
        """
        dt_seconds = self._step(pts_seconds)
        np.clip(expression, 0.0, 1.0, out=self._sample[:-1])
        good = isfinite(scale_px_per_mm) and scale_px_per_mm > 0
        self._sample[-1] = log(scale_px_per_mm) if good else np.nan
        channels = self._channels(self._sample, dt_seconds)
        scale = exp(channels[-1])
        out_expression, out_rotation, out_center = self._out
        # A mean of numbers within 0..1 is within, so the clamp before the filter is enough.
        out_expression[:] = channels[:-1]
        out_rotation[:] = self._rotation(rotation, dt_seconds)
        out_center[:] = self._center(center_px, dt_seconds, INTER_OCULAR_MM * scale)
        return Filtered(out_expression, out_rotation, out_center, scale)

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
            self.reset()
        self._seconds = pts_seconds
        return step if step > 0 else 0.0

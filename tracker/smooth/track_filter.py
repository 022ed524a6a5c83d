"""The filter of one track: expression by groups, rotation, where the head is and how big.

Given a track's raw fits and their times it returns the smoothed ones, and for moments without a fit what is likely. It
keeps the clock: the true step between stamps, a hold when a stamp repeats, a fresh start after a gap or when time runs
backwards; the `imm` kernel does the filtering. It does not know faces' meshes or cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Protocol

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.kernels.backend import choose
from tracker.kernels.imm import Imm, shares_of, start_anew, state_size
from tracker.smooth.dynamics import HEAD, INTER_OCULAR_MM, Dynamics, as_estimated, dynamics_of
from tracker.smooth.settings import SmoothSettings

_E = len(GROUP_OF)
_CHANNELS = _E + 6
_MOST_VARIANCE = 1e4
"""In each channel's own unit: whoever is less sure than this, or says no number, knows nothing."""


class Measured(Protocol):
    """What is read of a fit."""

    @property
    def expression(self) -> np.ndarray: ...  # noqa: D102
    @property
    def expression_std(self) -> np.ndarray: ...  # noqa: D102
    @property
    def rotation(self) -> np.ndarray: ...  # noqa: D102
    @property
    def rotation_std_rad(self) -> float: ...  # noqa: D102
    @property
    def center_px(self) -> np.ndarray: ...  # noqa: D102
    @property
    def centre_std_px(self) -> float: ...  # noqa: D102
    @property
    def scale_px_per_mm(self) -> float: ...  # noqa: D102
    @property
    def log_scale_std(self) -> float: ...  # noqa: D102


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
    std: np.ndarray
    """float32 [58]: what is left of the noise, and what may have come up since the last fit: of 52 coefficients, log
    scale, place (2) in inter-ocular distances, turn (3) in radians."""


class TrackFilter:
    """The state of one track."""

    def __init__(
        self, settings: SmoothSettings, imm: Imm | None = None, constants: Dynamics | None = None
    ) -> None:  # fmt: skip
        self._settings = settings
        self._imm = imm or choose().imm
        of = constants or dynamics_of(settings)
        self._constants = as_estimated(of) if settings.look_ahead_frames else of
        self._state = np.zeros(state_size(_E, HEAD + 1))
        self._variance = np.zeros(_CHANNELS)
        self._sample = np.zeros(_E, np.float32), np.eye(3), np.zeros(2)
        self._rotation, self._center = np.eye(3), np.zeros(2)
        self._expression, self._std = np.zeros(_E, np.float32), np.zeros(_CHANNELS, np.float32)
        self._seconds: float | None = None
        self._seen_seconds: float | None = None

    @property
    def shares(self) -> np.ndarray:
        """float64 [7, 3]: how likely each group is still, drifts or moves. A view, to be read or set."""
        return shares_of(self._state, HEAD + 1)

    def reset(self) -> None:
        """Forget the track's past."""
        self._seconds = None
        start_anew(self._state)

    def __call__(self, fit: Measured, pts_seconds: float | None) -> Filtered:
        """Smooth one fit.

        Without a time, or when smoothing is off, the fit passes through (expression within 0..1) and the past is
        forgotten. Numbers that are not finite are carried on from the last estimate.
        """
        step = self._step(pts_seconds)
        expression, rotation, center_px = self._sample
        expression[:], rotation[:], center_px[:] = fit.expression, fit.rotation, fit.center_px
        scale = fit.scale_px_per_mm
        std = self._variance
        std[:_E], std[_E], std[_E + 3 :] = fit.expression_std, fit.log_scale_std, fit.rotation_std_rad
        std[_E + 1 : _E + 3] = fit.centre_std_px / (INTER_OCULAR_MM * scale) if 0 < scale < inf else 1.0
        std *= self._constants.noise_share
        std *= std
        np.fmin(std, _MOST_VARIANCE, out=std)  # of a NaN and a number, the number
        return self._filter(scale, step, seen=True)

    def coast(self, pts_seconds: float) -> Filtered:
        """What is likely at a moment at which the track was not seen: it moves on as it did, ever less surely."""
        if self._seconds is None or not isfinite(pts_seconds):
            return self._filter(1.0, 0.0, seen=False)
        step = max(pts_seconds - self._seconds, 0.0)
        self._seconds = max(self._seconds, pts_seconds)
        return self._filter(1.0, step, seen=False)

    def _filter(self, scale: float, step: float, seen: bool) -> Filtered:
        of = self._constants
        ahead = self._settings.ahead_ms / 1000 if self._seconds is not None else 0.0
        scale = self._imm(
            of.dynamics if seen else of.coasting, of.groups, of.traits, of.rates, of.limits, *self._sample, scale,
            self._variance, step, ahead, seen, self._state, self._rotation, self._center, self._expression, self._std,
        )  # fmt: skip
        return Filtered(self._expression, self._rotation, self._center, scale, self._std)

    def _step(self, pts_seconds: float | None) -> float:
        """The true time step; 0 where there is none, with the past forgotten unless the stamp is the last one's."""
        timed = pts_seconds is not None and isfinite(pts_seconds) and self._settings.enabled
        if not timed or self._seconds is None:
            self.reset()
            self._seconds = self._seen_seconds = pts_seconds if timed else None
            return 0.0
        assert pts_seconds is not None
        step = pts_seconds - self._seconds
        assert self._seen_seconds is not None
        if step < 0 or pts_seconds - self._seen_seconds > self._settings.gap_seconds:
            start_anew(self._state)
        self._seconds = self._seen_seconds = pts_seconds
        return max(step, 0.0)

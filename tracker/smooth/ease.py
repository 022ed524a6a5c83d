"""Ease outside of the filters: for estimates that later frames have corrected, and that are steps again by that.

Given a track's estimates in their order, with how likely each group was still, it returns what is told of them, at the
pace at which the `imm` kernel tells what nobody corrects. Nothing here is for live use. It does not know who corrects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.face.pose import exp_so3, log_so3
from tracker.kernels.imm import EASE, LONGEST_SECONDS, PACE_SECONDS, SLOWEST, TINY, USUAL_SECONDS
from tracker.smooth.dynamics import INTER_OCULAR_MM, dynamics_of
from tracker.smooth.settings import SmoothSettings
from tracker.smooth.track_filter import Filtered

_E = len(GROUP_OF)
FAR = 3.0
"""Deviations; the kernel's own is 1. Estimates that later frames had a say in are surer, but no calmer: the filter that
runs backwards has seen a few frames only."""


class Ease:
    """What was told of one track last."""

    def __init__(self, settings: SmoothSettings, far: float = FAR) -> None:
        of = dynamics_of(settings)
        self._ease, self._groups, self._gap_seconds = of.traits[EASE], of.groups, settings.gap_seconds
        self._far = far
        self._told: Filtered | None = None
        self._seconds, self._pace = 0.0, USUAL_SECONDS

    def __call__(self, estimate: Filtered, shares: np.ndarray, seconds: float) -> Filtered:
        """What to tell of an estimate whose arrays stay as they are; `shares` float64 [7, 3]: by group. The first one,
        and one after a gap, as it is."""
        told, dt = self._told, seconds - self._seconds
        if told is None or not 0 < dt <= self._gap_seconds:
            self._told, self._seconds, self._pace = estimate, seconds, USUAL_SECONDS
            return estimate
        self._seconds = seconds
        self._pace += min(dt / PACE_SECONDS, 1.0) * (min(dt, LONGEST_SECONDS) - self._pace)
        slower = min(self._pace / USUAL_SECONDS, SLOWEST)
        size = np.log(estimate.scale_px_per_mm / told.scale_px_per_mm)
        turn = log_so3(told.rotation.T @ estimate.rotation)
        place = (estimate.center_px - told.center_px) / (INTER_OCULAR_MM * estimate.scale_px_per_mm)
        way = np.concatenate([estimate.expression - told.expression, [size], place, turn])
        ease = (self._ease * shares[:, 0] ** 4)[self._groups] * slower**3
        ease /= 1 + way**2 / (self._far**2 * np.square(estimate.std, dtype=np.float64) + TINY)
        nearer = 1 / (1 + ease)
        self._told = replace(
            estimate,
            expression=told.expression + nearer[:_E].astype(np.float32) * (estimate.expression - told.expression),
            rotation=told.rotation @ exp_so3(nearer[_E + 3 :] * turn),
            center_px=told.center_px + nearer[_E + 1 : _E + 3] * (estimate.center_px - told.center_px),
            scale_px_per_mm=float(told.scale_px_per_mm * np.exp(nearer[_E] * size)),
        )
        return self._told

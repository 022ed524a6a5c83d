"""What later frames say about an earlier one: smoothing with a fixed look-ahead, for those who can wait.

Given what a track's filter said at a moment, knowing only the past, and the fits that came after, it runs the same
filter from the last of them backwards and joins both by their variances (the two-filter smoother: Fraser and Potter,
"The optimum linear smoother as a combination of two optimum linear filters", IEEE Trans. Automatic Control 14(4),
1969). It does not know how many frames one waits, or who does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.face.pose import exp_so3, log_so3
from tracker.kernels.imm import Imm
from tracker.smooth.dynamics import backwards, dynamics_of
from tracker.smooth.settings import SmoothSettings
from tracker.smooth.track_filter import Filtered, Measured, TrackFilter

_E = len(GROUP_OF)


def kept(filtered: Filtered) -> Filtered:
    """A copy that outlives the filter's next call."""
    arrays = (filtered.expression, filtered.rotation, filtered.center_px, filtered.std)
    expression, rotation, center_px, std = (array.copy() for array in arrays)
    return Filtered(expression, rotation, center_px, filtered.scale_px_per_mm, std)


class Hindsight:
    """One filter that runs backwards, for any track."""

    def __init__(self, settings: SmoothSettings, imm: Imm | None = None) -> None:
        plain = replace(settings, ahead_ms=0.0, look_ahead_frames=0)
        self._filter = TrackFilter(plain, imm, backwards(dynamics_of(plain)))

    def __call__(
        self, then: Filtered, seconds: float, later: Sequence[tuple[float, Measured]], shares: np.ndarray
    ) -> Filtered:  # fmt: skip
        """The estimate at `seconds`; `later` are the track's fits after it and their seconds, ascending, and `shares`
        float64 [7, 3] are how likely each group did what at the last of them, by the filter that runs forwards."""
        if not later:
            return then
        self._filter.reset()
        for at, fit in reversed(later):
            self._filter(fit, -at)  # backwards, time grows as well
            if at == later[-1][0]:
                self._filter.shares[:] = shares
        return _joined(then, self._filter.coast(-seconds))


def _joined(past: Filtered, future: Filtered) -> Filtered:
    """Two estimates of one thing, weighted by their variances."""
    before, after = (np.square(side.std, dtype=np.float64) + 1e-18 for side in (past, future))
    share = before / (before + after)  # of the future
    expression = past.expression + share[:_E].astype(np.float32) * (future.expression - past.expression)
    log_scale = np.log(past.scale_px_per_mm)
    log_scale += share[_E] * (np.log(future.scale_px_per_mm) - log_scale)
    # Deviations of the place are in inter-ocular distances of either's own size, which hardly differ.
    center_px = past.center_px + share[_E + 1 : _E + 3] * (future.center_px - past.center_px)
    turn = log_so3(past.rotation.T @ future.rotation)
    rotation = past.rotation @ exp_so3(share[_E + 3 :] * turn)
    std = np.sqrt(before * after / (before + after)).astype(np.float32)
    return Filtered(expression, rotation, center_px, float(np.exp(log_scale)), std)

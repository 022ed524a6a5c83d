"""The One-Euro filter over many channels, with the true time step.

A low-pass filter whose cutoff grows with speed: cutoff = min_cutoff + beta * |speed|, so that it is calm at rest and
quick in motion (Casiez, Roussel, Vogel: "1 Euro Filter", CHI 2012). Two things differ from the paper: the weight of a
new sample is 1 - exp(-2 pi cutoff dt), which is exact for a held input, so that the result does not depend on how
often one samples; and speed is the difference of raw samples, low-passed, which does not depend on it either. It is
given numbers and a time step; it does not know what they are or what the clock says.
"""

from __future__ import annotations

from math import pi

import numpy as np


class OneEuro:
    """Filters N channels, each on its own speed, or all on the length of their common speed (`joint`).

    With `joint` the result does not depend on the choice of axes. A channel that is not finite is held. The returned
    array is the filter's own and is overwritten by the next call; nothing is allocated after construction.
    """

    def __init__(
        self, min_cutoff_hz: np.ndarray, beta: np.ndarray, derivative_cutoff_hz: float, joint: bool = False
    ) -> None:
        """Arrays [N]: cutoff at rest in Hz, and Hz per unit of speed."""
        # As rates of decay per second, so that a weight less one is expm1(rate * dt).
        self._min_rate = -2 * pi * np.array(min_cutoff_hz, np.float64)
        self._rate_per_speed = -2 * pi * np.array(beta, np.float64)
        self._derivative_rate = -2 * pi * derivative_cutoff_hz
        self._joint = joint
        count = self._min_rate.shape
        self._value, self._raw, self._speed, self._input, self._work = (np.zeros(count) for _ in range(5))
        self._finite = np.zeros(count, bool)
        self._started = False

    @property
    def value(self) -> np.ndarray:
        """The estimate float64 [N], zeros before the first sample."""
        return self._value

    def reset(self) -> None:
        """Forget: the next sample is taken as it is."""
        self._started = False

    def __call__(self, sample: np.ndarray, dt_seconds: float, unit: float = 1.0) -> np.ndarray:
        """The estimate float64 [N] after `sample` [N], `dt_seconds` after the one before; without time, the last one.

        Speed is measured in `unit`s per second.
        """
        if self._started and not dt_seconds > 0:
            return self._value
        self._take(sample)
        if not self._started:
            self._start()
            return self._value
        less = self._less_weights(dt_seconds, unit)
        self._input -= self._value
        self._input *= less
        self._value -= self._input
        return self._value

    def _take(self, sample: np.ndarray) -> None:
        np.copyto(self._input, sample)
        np.isfinite(self._input, out=self._finite)
        if not self._finite.all():
            np.logical_not(self._finite, out=self._finite)
            np.copyto(self._input, self._value, where=self._finite)

    def _start(self) -> None:
        np.copyto(self._value, self._input)
        np.copyto(self._raw, self._input)
        self._speed.fill(0)
        self._started = True

    def _less_weights(self, dt_seconds: float, unit: float) -> np.ndarray:
        """Update the speed and return the weights [N] of the new sample, negative."""
        work = self._work
        np.subtract(self._input, self._raw, out=work)
        np.copyto(self._raw, self._input)
        work /= dt_seconds * unit
        work -= self._speed
        work *= -np.expm1(self._derivative_rate * dt_seconds)
        self._speed += work
        if self._joint:
            work.fill(np.sqrt(self._speed @ self._speed))
        else:
            np.abs(self._speed, out=work)
        work *= self._rate_per_speed
        work += self._min_rate
        work *= dt_seconds
        return np.expm1(work, out=work)

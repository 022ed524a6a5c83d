"""From what a shape reads to what it means for this person: offset by the neutral, stretched to the person's range.

Given the ranges of 52 shapes it maps coefficients to coefficients, each shape by three straight lines:

    y = min(1, max(0, x - a) + e max(0, x - b)),   a = neutral + noise,   b = neutral + 3 noise

0 up to `a`, so that a resting face reads nothing; slope 1 up to `b`, so that what noise is left is not enlarged; then
slope 1 + e, such that the person's range reads 1, but never more than `MOST_GAIN`. It rises nowhere too fast and falls
nowhere, and 0 stays 0. It does not know whose shapes they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.calibrate.profile import ShapeRange

MOST_GAIN = 2.0
"""The steepest slope: a take that shows half of what somebody can do must not make the other half a grimace."""
QUIET = 3.0
"""In units of the noise: as far above neutral as slope 1 reaches."""
MOST_NOISE = 0.05
"""More than this is a face that was not at rest; it must not numb the shape."""
LEAST_STRETCH = 0.2
"""A range nearer to the neutral than this is no use of the shape: it is stretched as if it could reach 1."""


class Curve:
    """The map of one person; it owns its scratch memory."""

    def __init__(self, shapes: Sequence[ShapeRange]) -> None:
        """`shapes`: one per coefficient."""
        neutral = np.array([shape.neutral for shape in shapes])
        noise = np.minimum([shape.noise for shape in shapes], MOST_NOISE)
        top = np.array([1.0 if shape.range is None else shape.range for shape in shapes])
        top[top - neutral < LEAST_STRETCH] = 1.0
        zero, bend = neutral + noise, neutral + QUIET * noise
        missing, room = 1 - (top - zero), np.maximum(top - bend, 1e-3)
        self.zero = zero.astype(np.float32)
        """float32 [E]: up to here it reads 0."""
        self.bend = bend.astype(np.float32)
        """float32 [E]: from here on the slope is more than 1."""
        self.extra = np.clip(missing / room, 0, MOST_GAIN - 1).astype(np.float32)
        """float32 [E]: how much more."""
        self._beyond = np.empty_like(self.zero)

    def __call__(self, expression: np.ndarray, out: np.ndarray) -> np.ndarray:
        """`expression` float32 [E] in 0..1 mapped into `out` of the same kind, which is returned."""
        np.subtract(expression, self.zero, out=out)
        np.maximum(out, 0, out=out)
        np.subtract(expression, self.bend, out=self._beyond)
        np.maximum(self._beyond, 0, out=self._beyond)
        self._beyond *= self.extra
        out += self._beyond
        return np.minimum(out, 1, out=out)

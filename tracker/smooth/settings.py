"""What the smoother can be told: one pair of One-Euro numbers per group, and when to forget.

It does not know how the filter works (the `one_euro` kernel), only what is valid.

What the defaults do at 30 frames a second, measured on noise and ramps by `tests/smooth/test_lag.py`: how much of the
jitter is left at rest, the lag in ms of a quick motion in its first frame and three frames later, and of one at a
tenth of that speed. Units: radians, inter-ocular distances, coefficients. Lag is largest where motion is slow, and
there it is a fraction of a frame's way.

    group          noise   left     speed  lag, 1st    4th  at a tenth
    rotation      0.0025   0.45       1.5       2.2     0.0      16.4
    translation   0.0015   0.39       1.5       2.2     0.0      16.4
    lids           0.008   0.46       8.0       1.1     0.0      10.6
    gaze           0.008   0.44       6.0       3.4     0.1      19.2
    brows          0.008   0.42       4.0       7.0     0.8      32.1
    mouth          0.008   0.47       5.0       2.7     0.1      16.9
    jaw            0.008   0.45       5.0       2.8     0.1      18.0
    cheeks         0.008   0.42       3.0       8.4     1.3      38.1
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from tracker.errors import SettingsError

Response = tuple[float, float]
"""(min_cutoff_hz, beta): the cutoff at rest, and by how many Hz it grows per unit of speed."""

EXPRESSION_GROUPS = ("lids", "gaze", "brows", "mouth", "jaw", "cheeks")


@dataclass(frozen=True, slots=True)
class SmoothSettings:
    """One response per group. Raises SettingsError for what cannot be."""

    enabled: bool = True
    """False passes every fit through."""
    lids: Response = (1.2, 7.0)
    """Speed in coefficients per second, as for all expression groups."""
    gaze: Response = (1.2, 6.0)
    brows: Response = (1.0, 6.0)
    mouth: Response = (1.2, 8.0)
    jaw: Response = (1.0, 8.0)
    cheeks: Response = (0.9, 7.0)
    rotation: Response = (0.8, 30.0)
    """Speed in radians per second."""
    translation: Response = (0.8, 30.0)
    """Speed of the head's origin in the picture in inter-ocular distances per second, and of log scale per second."""
    derivative_cutoff_hz: float = 1.5
    """Of the speeds themselves, before they widen the cutoff."""
    gap_seconds: float = 0.5
    """A track not seen for longer starts anew."""

    def __post_init__(self) -> None:
        for name in (*EXPRESSION_GROUPS, "rotation", "translation"):
            response = getattr(self, name)
            if len(response) != 2 or not all(map(isfinite, response)) or response[0] <= 0 or response[1] < 0:
                raise SettingsError(f"smoothing of {name} {response}; give (min_cutoff_hz > 0, beta >= 0)")
        for name in ("derivative_cutoff_hz", "gap_seconds"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} {getattr(self, name)}; it must be above 0")

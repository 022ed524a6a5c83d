"""What the smoother can be told: how calm each group shall be, whether to look ahead, and when to forget.

It does not know how the filter works (the `imm` kernel) nor how faces move (`dynamics`), only what is valid.
`facewire bench smoothing` measures what the settings do; README shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

from tracker.errors import SettingsError

EXPRESSION_GROUPS = ("lids", "gaze", "brows", "mouth", "jaw", "cheeks")
GROUPS = (*EXPRESSION_GROUPS, "rotation", "translation")
MOST_AHEAD_MS = 200.0
MOST_LOOK_AHEAD = 30


@dataclass(frozen=True, slots=True)
class SmoothSettings:
    """One number per group. Raises SettingsError for what cannot be."""

    enabled: bool = True
    """False passes every fit through."""
    calm: float = 1.0
    """For all groups: above 1 is calmer, and later by 5 ms for every 1 more; below 1 livelier."""
    lids: float = 1.0
    """The same for eyelids alone; `calm` is multiplied by it, as for the groups that follow."""
    gaze: float = 1.0
    """For the looks."""
    brows: float = 1.0
    """For brows."""
    mouth: float = 1.0
    """For the mouth."""
    jaw: float = 1.0
    """For the jaw."""
    cheeks: float = 1.0
    """For cheeks, nose and tongue."""
    rotation: float = 1.0
    """For how the head is turned."""
    translation: float = 1.0
    """For where the head is, and its size."""
    ahead_ms: float = 0.0
    """Publish what will be so much later, such as when a display shows it; every message says so."""
    look_ahead_frames: int = 0
    """Wait for so many frames and let them correct each estimate: steadier, and that much later. Not for live use, and
    not on a GPU."""
    gap_seconds: float = 0.5
    """A track not seen for longer starts anew."""

    def __post_init__(self) -> None:
        for name in ("calm", *GROUPS):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0.01 <= float(value) <= 100.0):
                raise SettingsError(f"smoothing of {name} {value!r}; give 0.01 to 100, 1 is the default")
        if not (isinstance(self.ahead_ms, Real) and 0.0 <= float(self.ahead_ms) <= MOST_AHEAD_MS):
            raise SettingsError(f"ahead_ms {self.ahead_ms!r}; give 0 to {MOST_AHEAD_MS:.0f}")
        if not (isinstance(self.look_ahead_frames, Integral) and 0 <= self.look_ahead_frames <= MOST_LOOK_AHEAD):
            raise SettingsError(
                f"look_ahead_frames {self.look_ahead_frames!r}; give whole frames, 0 to {MOST_LOOK_AHEAD}"
            )
        if self.look_ahead_frames and self.ahead_ms:
            raise SettingsError(
                f"ahead_ms {self.ahead_ms} and look_ahead_frames {self.look_ahead_frames}; predict or wait, not both"
            )
        if not (isinstance(self.gap_seconds, Real) and float(self.gap_seconds) > 0):
            raise SettingsError(f"gap_seconds {self.gap_seconds!r}; give more than 0, such as 0.5")

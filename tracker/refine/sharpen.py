"""Sharpen: so many damped Gauss-Newton steps on pose and expression, from pixels, guides and the network's own doubt.

What a step brings, and what else was tried, is in docs/decisions/0008-refine.md; `terms` says what it minimises. It
only holds settings: `resembler` has the steps taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.errors import SettingsError

DAMPING = 1.0
ROBUST = 3.0
"""A residual of so many of its spreads counts a quarter."""
MOST_STEPS = 2


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """What is done with the pixels after the network."""

    steps: int = 1
    """Gauss-Newton steps per frame on pose and expression, 0 to 2: 0.08 ms each, landmarks 3 to 5% nearer with one."""

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= MOST_STEPS:
            raise SettingsError(f"refine steps {self.steps}; give 0 to {MOST_STEPS}")

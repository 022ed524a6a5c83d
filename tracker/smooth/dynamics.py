"""How faces move: the constants of the `imm` kernel for one head, in its order of channels.

They were fitted on rendered people, whose motion is known, and on slow turns and slowly growing shapes with the noise
that was found at rest: for little jitter at rest, little lag and little error at every speed. Mouth and jaw were then
given half of the noise that the fit found, which costs no calm and follows speech more closely. None of these people
is in `facewire bench smoothing`. It knows the blocks of a fit, but neither tracks nor time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tracker.face.expression import GROUP_OF
from tracker.kernels.imm import DENSITY, DYNAMICS, EASE, LATE, MEMORY, SPEED, WALK
from tracker.smooth.settings import EXPRESSION_GROUPS, SmoothSettings

INTER_OCULAR_MM = 63.0
"""An adult's, on average: the unit of the head's place."""
HEAD = len(EXPRESSION_GROUPS)
"""The group of size, place and turn: a head that turns also shifts."""

# How much of the deviation that the network predicts changes from frame to frame; the rest stays as it is, since it
# comes from the face, the light and the pose.
NOISE_SHARE = {"lids": 0.066, "gaze": 0.077, "brows": 0.077, "mouth": 0.022, "jaw": 0.022, "cheeks": 0.022}
TRANSLATION_SHARE, ROTATION_SHARE = 0.14, 0.07
LIDS_TRAITS, SHAPES_TRAITS, HEAD_TRAITS = (0.036, 0.25, 0.0), (0.036, 0.25, 2.0), (0.05, 6.8, 4.0)
"""Trust, follow and ease: a head's pose trembles more while it moves or talks than at rest, shapes do not. Lids are not
eased: of a blink of two frames nothing is to be lost."""
LATE_SECONDS = 0.005
"""For every 1 of calm above 1. More noise than `MOST_NOISE` would calm no further, since what is left then is how soon
a still face is believed to be still; and lids would take a blink for noise."""
MOST_NOISE, MOST_NOISE_OF_LIDS = 2.0, 1.0
RATES = np.array([[0.0, 5.7e-06, 0.0004], [0.3, 0.0, 0.014], [0.79, 3.1e-06, 0.0]])
COASTING_MEMORY_SECONDS = 0.12
"""A head that is lost from sight mostly stops, or has gone elsewhere: its speed is forgotten sooner."""
LIMITS = np.array([0.0, 1.0, INTER_OCULAR_MM, 0.48, 0.15, 8.0])


@dataclass(frozen=True, slots=True)
class _Motion:
    """One kind of channel, per second: the rows of the kernel's `dynamics`."""

    walk: float
    drift_density: float
    move_density: float
    drift_memory: float
    move_memory: float
    drift_speed: float
    move_speed: float


EXPRESSION = _Motion(2.3e-09, 8.5e-05, 24, 11, 14, 0.0035, 0.039)
"""Coefficients."""
LOG_SIZE = _Motion(1.1e-08, 8e-09, 0.23, 11, 14, 1.3e-07, 0.27)
PLACE = _Motion(1.1e-08, 1.2e-05, 7.6, 11, 14, 2.6e-07, 0.53)
"""Inter-ocular distances."""
TURN = _Motion(1.1e-08, 0.00012, 1.4e03, 11, 14, 2.6e-07, 0.8)
"""Radians."""


BACKWARDS_SPEED = (5.0, 1.0, 3.0, 4.0)
"""Of shapes, log size, place and turn: what begins in the middle of a motion has any speed."""


@dataclass(frozen=True, slots=True, eq=False)
class Dynamics:
    """What the kernel takes, C = 58 channels: the shapes, log size, place (2) and turn (3)."""

    dynamics: np.ndarray
    """float64 [8, C]."""
    coasting: np.ndarray
    """The same for moments at which nothing is seen."""
    groups: np.ndarray
    """int64 [C]."""
    traits: np.ndarray
    """float64 [3, 7]."""
    rates: np.ndarray
    """float64 [3, 3]."""
    limits: np.ndarray
    """float64 [6]."""
    noise_share: np.ndarray
    """float64 [C]: of the network's deviations, the part that is noise."""


def as_estimated(of: Dynamics) -> Dynamics:
    """The same for a filter that tells its estimates as they are: what later frames will correct is eased after that,
    and who waits for them has calm enough."""
    table, coasting, traits = of.dynamics.copy(), of.coasting.copy(), of.traits.copy()
    table[LATE] = coasting[LATE] = traits[EASE] = 0
    return replace(of, dynamics=table, coasting=coasting, traits=traits)


def backwards(of: Dynamics) -> Dynamics:
    """The same for a filter that begins where the present is and runs into the past, without losing its speed."""
    table = of.dynamics.copy()
    table[SPEED + 1] = np.repeat(BACKWARDS_SPEED, (len(GROUP_OF), 1, 2, 3))
    return as_estimated(replace(of, dynamics=table, coasting=table))


def dynamics_of(settings: SmoothSettings) -> Dynamics:
    """The constants, with the calm that the settings ask for."""
    kinds = [EXPRESSION] * len(GROUP_OF) + [LOG_SIZE] + [PLACE] * 2 + [TURN] * 3
    table = np.empty((DYNAMICS, len(kinds)))
    table[WALK] = [kind.walk for kind in kinds]
    table[DENSITY] = [kind.drift_density for kind in kinds]
    table[DENSITY + 1] = [kind.move_density for kind in kinds]
    table[MEMORY] = [kind.drift_memory for kind in kinds]
    table[MEMORY + 1] = [kind.move_memory for kind in kinds]
    table[SPEED] = [kind.drift_speed for kind in kinds]
    table[SPEED + 1] = [kind.move_speed for kind in kinds]
    groups = [EXPRESSION_GROUPS.index(group) for group in GROUP_OF] + [HEAD] * 6
    asked = [getattr(settings, group) for group in GROUP_OF] + [settings.translation] * 3 + [settings.rotation] * 3
    calm = settings.calm * np.array(asked)
    table[LATE] = LATE_SECONDS * np.maximum(calm - 1, 0)
    share = [NOISE_SHARE[group] for group in GROUP_OF] + [TRANSLATION_SHARE] * 3 + [ROTATION_SHARE] * 3
    most = [MOST_NOISE_OF_LIDS if group == "lids" else MOST_NOISE for group in GROUP_OF] + [MOST_NOISE] * 6
    traits = np.array([LIDS_TRAITS] + [SHAPES_TRAITS] * (HEAD - 1) + [HEAD_TRAITS]).T.copy()
    coasting = table.copy()
    coasting[MEMORY : MEMORY + 2] = COASTING_MEMORY_SECONDS
    noise = np.minimum(calm, most) * share
    return Dynamics(table, coasting, np.array(groups, np.int64), traits, RATES.copy(), LIMITS.copy(), noise)

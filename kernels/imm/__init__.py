"""Interacting multiple models: a Kalman-type filter over everything that moves with one body.

Numbers, the body's size, where it is and how it is turned are channels; channels that move together share a group, and
each group is still, drifts or moves. Every channel has a small Kalman filter per mode, and what its group most likely
does decides how they are mixed (Blom and Bar-Shalom: "The Interacting Multiple Model Algorithm for Systems with
Markovian Switching Coefficients", IEEE Trans. Automatic Control 33(8), 1988):

- still: the value is a random walk, hardly moving (`walk`, its variance per second);
- drifts, moves: the value has a speed that is pushed by white noise (`density`, the variance its speed gains per
  second) and forgotten over `memory` seconds; on entering the mode the speed is 0 with a deviation of `speed`.

A group's likelihood of a mode is the product over its channels, to the power of the group's trust (their errors are
not independent). Modes change at `rates` per second, so what is estimated does not depend on how often one samples.

What is told follows the estimate at a pace of its own: each step it comes nearer by 1 / (1 + late / dt + e) of the way,

    e = ease s^4 r^3 / (1 + (way / (FAR deviation))^2),

s the group's share of being still, r the mean step by `USUAL_SECONDS`, at most `SLOWEST`, and the deviation the
estimate's. An estimate that settles at rest moves by less and less, but at random, and `ease` (by group) takes that
off; it costs no time, for what moves is not still, and what is corrected is far. With r a viewer sees as little tremble
from frame to frame where frames are few. `late` (by channel, in seconds) is for those who want calm in motion as well:
so much later everything comes.

- The measurement's variance is given with each sample, and a factor per channel is learned from the samples
  themselves: their second difference at rest is noise, and its median is hardly touched by motion. The moving mode
  takes the variance to be `follow` times that, by group: below 1, what moves is followed more closely than noise at
  rest demands; above 1, motion brings noise of its own.
- The place is filtered in its own unit; densities, walks and speeds of it are in `unit` times the filtered size.
- The rotation is filtered in the tangent space of the estimate, in the body's own axes: a camera that is turned turns
  the result and changes nothing else.

A step without a sample (`seen` false) carries everything on, and its deviation grows. What is not finite is carried on
too; where `dt_seconds` is not above 0 everything is held. The state is one flat array, zeros at first. It does not know
what moves or what the clock says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import Form, Forms, wants_checked
from tracker.kernels.interop import rank, require_numbers

MODES = 3
STARTED, QUATERNION, SAMPLE, TURN, PACE, REST = 0, 1, 5, 9, 12, 13
"""Where in the state each part begins: how many samples were seen; quaternions `xyzw` of the estimate and the last
sample; the last turn between samples; the mean step in seconds. Then, for G groups and C channels: the modes' shares
[G, 3]; the rows of last sample, last difference, logarithm of the learned noise factor, and what is told less the
estimate [4, C]; the rows of value, speed and their variances (value, both, speed) of each mode [3, 5, C]."""
NOTES = 4
"""Rows between the shares and the modes."""
WALK, DENSITY, MEMORY, SPEED, LATE = 0, 1, 3, 5, 7
"""Rows of `dynamics`: the walk of the still mode, then densities, memories and speeds of drifting and moving, and how
many seconds what is told comes after the estimate."""
DYNAMICS = 8
LEAST, MOST, UNIT, LEARN_SECONDS, LEAST_FACTOR, MOST_FACTOR = range(6)
"""Entries of `limits`: of the numbers; unit of the place; how long the noise takes to be learned by a factor of e, how
far it may be from what is given."""
TRUST, FOLLOW, EASE = 0, 1, 2
"""Rows of `traits`."""
TRAITS = 3
USUAL_SECONDS, SLOWEST = 1 / 30, 1.3
FAR, TINY = 1.0, 1e-30
"""Deviations of the estimate: what is told and is so far away from it is eased half as much."""
PACE_SECONDS, LONGEST_SECONDS = 1.0, 0.1
"""Over how long the mean step is taken, and how much a gap counts in it."""
LIMITS = 6
MEDIAN_OF_SQUARE = 0.4549364
"""Of the square of a standard normal variable."""
LEAST_SHARE = 1e-6
"""No mode is ever ruled out further."""

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)

Implementation = Callable[..., float]
"""Takes what the operator takes, checked but for the groups' numbers, and unchecked where it `sees_misfits`; returns
the filtered size, or with nothing done -1 where one of the groups is none."""


def state_size(numbers: int, groups: int) -> int:
    """Floats in the state of a body with so many numbers, in so many groups of channels."""
    return REST + MODES * groups + (NOTES + 5 * MODES) * (numbers + 6)


def shares_of(state: np.ndarray, groups: int) -> np.ndarray:
    """float64 [G, 3]: how likely each group is still, drifts or moves; a view."""
    return state[REST : REST + MODES * groups].reshape(groups, MODES)


def start_anew(state: np.ndarray) -> None:
    """Forget the past: the next sample is taken as it is."""
    state[STARTED] = 0.0


@dataclass(frozen=True, slots=True)
class Imm:
    """`imm` on one implementation."""

    implementation: Implementation

    def __call__(
        self, dynamics: np.ndarray, groups: np.ndarray, traits: np.ndarray, rates: np.ndarray, limits: np.ndarray,
        numbers: np.ndarray, rotation: np.ndarray, place: np.ndarray, size: float, variance: np.ndarray,
        dt_seconds: float, ahead_seconds: float, seen: bool, state: np.ndarray, out_rotation: np.ndarray,
        out_place: np.ndarray, out_numbers: np.ndarray, out_std: np.ndarray,
    ) -> float:  # fmt: skip
        """Filter one sample; fill the last four and return the filtered size, all `ahead_seconds` after the sample.

        Channels are the N numbers, the log size, the place (2) and the turn (3): C = N + 6. `dynamics` float64 [8, C],
        `groups` int64 [C], `traits` float64 [3, G], `rates` float64 [3, 3] (from, to; the diagonal is not read),
        `limits` float64 [6]. The sample: `numbers` float32 [N], `rotation` float64 [3, 3], `place` float64 [2], `size`,
        `variance` float64 [C] (place in its unit squared, turn in radians squared); none of it is read where `seen` is
        false. `state` float64 [state_size(N, G)]. `out_rotation` float64 [3, 3], `out_place` float64 [2],
        `out_numbers` float32 [N], `out_std` float32 [C], of the estimates. All contiguous. Raises SettingsError for
        anything else, and for a group that there is not.
        """
        given = dynamics, groups, traits, rates, limits, numbers, rotation, place, variance
        filled = state, out_rotation, out_place, out_numbers, out_std
        if wants_checked(self.implementation):
            _require(given, filled)
        try:
            found = self.implementation(
                dynamics, groups, traits, rates, limits, numbers, rotation, place, float(size), variance,
                float(dt_seconds), float(ahead_seconds), bool(seen), *filled,
            )  # fmt: skip
        except (TypeError, ValueError):
            _require(given, filled)
            require_numbers(size=size, dt_seconds=dt_seconds, ahead_seconds=ahead_seconds)
            raise
        if found < 0:
            _require(given, filled)
            raise SettingsError(f"groups of {groups.min()} to {groups.max()}; there are 0 to {traits.shape[1] - 1}")
        return found


def _require(given: tuple[Any, ...], filled: tuple[Any, ...]) -> None:
    (count,), (_, groups) = rank("numbers", given[5], 1), rank("traits", given[2], 2)
    _forms(count, groups).check(given, filled)


@lru_cache(maxsize=64)
def _forms(numbers: int, groups: int) -> Forms:
    """Of a body with so many numbers."""
    channels = numbers + 6
    given = (
        Form("dynamics", _FLOAT64, (DYNAMICS, channels)), Form("groups", _INT64, (channels,)),
        Form("traits", _FLOAT64, (TRAITS, groups)), Form("rates", _FLOAT64, (MODES, MODES)),
        Form("limits", _FLOAT64, (LIMITS,)), Form("numbers", _FLOAT32, (numbers,)),
        Form("rotation", _FLOAT64, (3, 3)), Form("place", _FLOAT64, (2,)), Form("variance", _FLOAT64, (channels,)),
    )  # fmt: skip
    filled = (
        Form("state", _FLOAT64, (state_size(numbers, groups),)), Form("out_rotation", _FLOAT64, (3, 3)),
        Form("out_place", _FLOAT64, (2,)), Form("out_numbers", _FLOAT32, (numbers,)),
        Form("out_std", _FLOAT32, (channels,)),
    )  # fmt: skip
    return Forms(given, filled)

"""The One-Euro filter over everything that moves with one body: numbers, its size, where it is, how it is turned.

A low-pass filter whose cutoff grows with speed: cutoff = min_cutoff + beta * |speed|, so that it is calm at rest and
quick in motion (Casiez, Roussel, Vogel: "1 Euro Filter", CHI 2012). Two things differ from the paper: the weight of a
new sample is 1 - exp(-2 pi cutoff dt), which is exact for a held input, so that the result does not depend on how
often one samples; and speed is the difference of raw samples, low-passed, which does not depend on it either.

- Each number, held within limits first, and the logarithm of the size are filtered on their own speed.
- The place (two numbers) is filtered on the length of its speed, in units of `unit` times the filtered size: neither
  the axes nor the size of the picture matter.
- The rotation is filtered in the tangent space of the previous estimate: the new one lies on the great arc from it to
  the sample, and speed is the angular velocity in the body's own axes. So a fixed turn on either side turns the result
  and changes nothing else.

What is not finite is held at the last estimate; so is everything where `dt_seconds` is not above 0. The state is one
flat array, zeros at first, so that all of a body's filters are one call and lie together in memory. It does not know
what moves or what the clock says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError

STARTED, QUATERNION, TURN_SPEED, PLACE, CHANNELS = 0, 1, 9, 12, 18
"""Where in the state each part begins: a flag; quaternions `xyzw` of estimate and last sample; angular velocity; place,
last sample and speed (2 each); then, for each number and the log size, the rows of estimate, last sample and speed."""

Implementation = Callable[..., float]
"""Takes what the operator takes, checked; returns the filtered size."""


def state_size(numbers: int) -> int:
    """Floats in the state of a body with so many numbers."""
    return CHANNELS + 3 * (numbers + 1)


def start_anew(state: np.ndarray) -> None:
    """Forget the past: the next sample is taken as it is."""
    state[STARTED] = 0.0


@dataclass(frozen=True, slots=True)
class OneEuro:
    """`one_euro` on one implementation."""

    implementation: Implementation

    def __call__(
        self, responses: np.ndarray, limits: np.ndarray, numbers: np.ndarray, rotation: np.ndarray, place: np.ndarray,
        size: float, dt_seconds: float, state: np.ndarray, out_rotation: np.ndarray, out_place: np.ndarray,
        out_numbers: np.ndarray,
    ) -> float:  # fmt: skip
        """Filter one sample; fill the last three and return the filtered size.

        `responses` float64 [2, N + 3]: cutoff at rest in Hz, and Hz per unit of speed, of each number, the log size,
        the place and the rotation. `limits` float64 [4]: least and largest number, cutoff of the speeds in Hz, unit of
        the place. The sample: `numbers` float32 [N], `rotation` float64 [3, 3], `place` float64 [2], `size`. `state`
        float64 [state_size(N)]. `out_rotation` float64 [3, 3], `out_place` float64 [2], `out_numbers` float32 [N].
        All contiguous. Raises SettingsError for another length.
        """
        count = len(numbers)
        if responses.shape != (2, count + 3) or len(state) != state_size(count) or len(out_numbers) != count:
            raise SettingsError(
                f"{count} numbers, {len(out_numbers)} to fill, responses {list(responses.shape)}, state {len(state)}; "
                f"they must be N, N, [2, N + 3] and {state_size(count)}"
            )
        return self.implementation(
            responses, limits, numbers, rotation, place, float(size), float(dt_seconds), state, out_rotation,
            out_place, out_numbers,
        )  # fmt: skip

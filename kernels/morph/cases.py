"""Named inputs for `morph`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-4
"""In the mean's unit (mm): float32 sums of up to 100 terms of 100 mm."""


@dataclass(frozen=True, slots=True)
class Case:
    """Random shapes of a few millimetres on a head of 100 mm."""

    name: str
    vertices: int
    shapes: int
    active: float = 1.0
    """Share of weights that are not zero."""
    faces: tuple[int, ...] = ()
    """The leading axis, if any."""
    own_mean: bool = False
    """A mean for each face."""

    def arguments(self) -> tuple[np.ndarray, ...]:
        """Mean, basis, weights, and an out full of NaN."""
        rng = np.random.default_rng(self.vertices + self.shapes)
        mean = rng.uniform(-100, 100, (*self.faces * self.own_mean, self.vertices, 3)).astype(np.float32)
        basis = rng.normal(0, 3, (self.shapes, self.vertices, 3)).astype(np.float32)
        many = (*self.faces, self.shapes)
        weights = (rng.normal(0, 1, many) * (rng.random(many) < self.active)).astype(np.float32)
        return mean, basis, weights, np.full((*self.faces, self.vertices, 3), np.nan, np.float32)


def bytes_moved(arguments: tuple[np.ndarray, ...]) -> int:
    """By one call: of the basis only the shapes that a face has."""
    mean, basis, weights, out = arguments
    shapes = int(np.atleast_2d(weights != 0).any(0).sum())
    return mean.nbytes + shapes * 4 * basis[:1].size + weights.nbytes + out.nbytes


CASES = (
    Case("expression", 478, 52),
    Case("quiet_face", 478, 52, active=0.2),
    Case("identity_and_expression", 478, 92),
    Case("no_shapes", 478, 0),
    Case("odd", 7, 3),
    Case("faces", 40, 92, faces=(3,)),
    Case("faces_from_their_own", 17, 5, faces=(4,), own_mean=True),
    Case("one_of_many", 478, 18, faces=(1,)),
)
# Most shapes rest, as in a face: with all at work, the largest rounding of a thousand faces is beyond the tolerance.
DEVICE_CASES = tuple(Case(f"faces_{many}", 478, 92, 0.25, (many,), own_mean=True) for many in (1, 64, 1024))

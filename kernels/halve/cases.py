"""Named inputs for `halve`, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1
"""Of a byte: a mean may fall on either side of a half."""


@dataclass(frozen=True, slots=True)
class Case:
    """A picture of noise that reaches beyond what a byte holds."""

    name: str
    channels: int
    high: int
    wide: int
    faces: tuple[int, ...] = ()
    """The leading axis, if any."""

    def arguments(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture, and an out full of rubbish."""
        rng = np.random.default_rng(self.high)
        picture = rng.uniform(-40, 300, (*self.faces, self.channels, 2 * self.high, 2 * self.wide)).astype(np.float32)
        return picture, np.full((*self.faces, self.high, self.wide, self.channels), 77, np.uint8)


CASES = (
    Case("crop", 3, 64, 64), Case("wide", 3, 5, 40), Case("grey", 1, 7, 3), Case("least", 3, 1, 1),
    Case("faces", 3, 9, 14, faces=(3,)), Case("grey_faces", 1, 33, 5, faces=(2,)),
)  # fmt: skip
DEVICE_CASES = tuple(Case(f"crops_{many}", 3, 64, 64, faces=(many,)) for many in (1, 64, 1024))

"""Heads in squares, from what a network said of each: `tracker.kernels.lift` and `tracker.kernels.align` for many faces
at once, in one launch.

Given the network's vectors and what is known of the shape beforehand it evaluates, per face:

- coefficients: those that move clipped to 0..1, then the lasting ones as they are; standard deviations exp(log_std),
  presence = 1 / (1 + exp(-logit)), trust_k = presence / (1 + (std_k / half_trust)^2);
- the pose: the one that `align` finds for the shape's points, or where it finds none the one that the network
  regresses; in the square, in its sides, from its corner, along its own axes. Who knows where the square lies carries
  it from there;
- whether it is plausible: the anchor less than `furthest` sides from the square's middle, the size within
  exp(+-`most_log_scale`) of what a side should measure, and every number of the vector finite.

The steps and their constants are those of the two kernels it joins, which say why. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.cuda import on_device, require
from tracker.kernels.interop import rank, require_kind

MOST_POINTS, MOST_COEFFICIENTS = 128, 128
STARTS = ("moving", "lasting", "rotation", "offset", "log_scale", "presence", "log_std", "points", "points_log_std")
"""Of `Shape.starts`: where each part begins in a vector."""
NUMBERS = ("side_mm", "anchor_x", "anchor_y", "anchor_z", "half_trust", "depth_share", "furthest", "most_log_scale")
"""Of `Shape.numbers`."""
_FLOAT32, _FLOAT64, _INT32, _UINT8 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int32), np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known beforehand, checked once."""

    mean: Any
    """float32 [K, 3]: the points of the shape that the network points at."""
    basis: Any
    """float32 [C, K, 3]: how each coefficient moves them."""
    rest: Any
    """float32 [K, 3]: where the network counts them from, in sides from the corner."""
    moving: int
    """How many of the coefficients are clipped to 0..1; they come first."""
    starts: Any
    """int32 [9], in the order of `STARTS`."""
    numbers: Any
    """float64 [8], in the order of `NUMBERS`."""
    _ends: tuple[int, int] = field(default=(0, 0), repr=False)
    """Found here: where in a vector the deviations begin, how long one is that holds all the rest; 0 on a device."""

    def __post_init__(self) -> None:
        (points, _), (coefficients, _, _) = rank("mean", self.mean, 2), rank("basis", self.basis, 3)
        device, moving = on_device(self.mean), self.moving
        if not isinstance(moving, int) or not (
            1 <= points <= MOST_POINTS and 0 <= moving <= coefficients <= MOST_COEFFICIENTS
        ):
            raise SettingsError(
                f"{points} points, {moving} of {coefficients} coefficients; at most {MOST_POINTS} points and "
                f"{MOST_COEFFICIENTS} coefficients are possible"
            )
        for name, array, dtype, shape in (
            ("mean", self.mean, _FLOAT32, (points, 3)), ("basis", self.basis, _FLOAT32, (coefficients, points, 3)),
            ("rest", self.rest, _FLOAT32, (points, 3)), ("starts", self.starts, _INT32, (len(STARTS),)),
            ("numbers", self.numbers, _FLOAT64, (len(NUMBERS),)),
        ):  # fmt: skip
            require(name, array, dtype, shape, device)
        object.__setattr__(self, "_ends", (0, 0) if device else self._found_ends(points, coefficients - moving))

    def _found_ends(self, points: int, lasting: int) -> tuple[int, int]:
        first = self.starts.tolist()
        if min(first) < 0:
            raise SettingsError(f"parts of a vector begin at {first}; none begins before 0")
        sizes = (self.moving, lasting, 6, 2, 1, 1, 0, 3 * points, points)
        return first[STARTS.index("log_std")], max(start + size for start, size in zip(first, sizes, strict=True))

    def width(self, deviations: int) -> int:
        """How long a vector is at least that has so many deviations; on a device, whose numbers nobody looks at,
        nothing is known of that."""
        start, end = self._ends
        return max(start + deviations, end) if end else 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is filled in, checked once."""

    coefficients: Any
    """float32 [B, C]."""
    std: Any
    """float32 [B, S]."""
    trust: Any
    """float32 [B, R]: of the last R deviations."""
    pose: Any
    """float64 [B, 12]: rotation by rows, where the shape's origin lies in the square, sides per unit."""
    presence: Any
    """float64 [B]."""
    plausible: Any
    """uint8 [B]."""

    def __post_init__(self) -> None:
        device, (batch, _) = on_device(self.pose), rank("pose", self.pose, 2)
        for name, dtype, rest in (
            ("coefficients", _FLOAT32, rank("coefficients", self.coefficients, 2)[1:]),
            ("std", _FLOAT32, rank("std", self.std, 2)[1:]), ("trust", _FLOAT32, rank("trust", self.trust, 2)[1:]),
            ("pose", _FLOAT64, (12,)), ("presence", _FLOAT64, ()), ("plausible", _UINT8, ()),
        ):  # fmt: skip
            require(name, getattr(self, name), dtype, (batch, *rest), device, filled=True)


Implementation = Callable[[Any, Shape, Seen], None]
"""Takes vectors, shape and what is filled, checked. One that takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class Heads:
    """`heads` on one implementation."""

    implementation: Implementation

    def __call__(self, vectors: Any, shape: Shape, seen: Seen) -> None:
        """Fill `seen` from `vectors` float32 [B, W]. Every part that `shape` names has to lie within W; on a device
        nobody looks. Raises SettingsError for arrays of other shapes, or elsewhere than the backend works."""
        require_kind("shape", shape, Shape)
        require_kind("seen", seen, Seen)
        device = getattr(self.implementation, "on_device", False)
        _, width = rank("vectors", vectors, 2)
        require("vectors", vectors, _FLOAT32, (seen.pose.shape[0], width), device)
        if not on_device(seen.pose) == on_device(shape.mean) == device:
            raise SettingsError(f"arrays elsewhere than the backend works: give {'CUDA' if device else 'numpy'} arrays")
        if seen.coefficients.shape[1] != shape.basis.shape[0] or seen.trust.shape[1] > seen.std.shape[1]:
            raise SettingsError(
                f"{seen.coefficients.shape[1]} coefficients for a basis of {shape.basis.shape[0]}, "
                f"{seen.trust.shape[1]} trusts of {seen.std.shape[1]} deviations; they must be as many, and no more"
            )
        if width < shape.width(seen.std.shape[1]):
            raise SettingsError(
                f"vectors of {width} numbers; they must hold every part, {shape.width(seen.std.shape[1])} or more"
            )
        self.implementation(vectors, shape, seen)

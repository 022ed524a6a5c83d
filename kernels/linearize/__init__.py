"""How a posed, deformable mesh misses a picture and its landmarks, and how that changes with pose and shape: the rows
of a Gauss-Newton problem.

Given vertices as the picture shows them under scaled orthography, the point they turn about, how a millimetre of each
axis of the body moves in the picture, shapes, the picture and landmarks, it fills residuals, Jacobian and weights. The
parameters are a rotation vector in the picture's axes (radians, x right, y down, z away), the place (px), the log of
the scale, and one coefficient per shape. With q = vertex - about, a vertex moves by

    rotation: omega x q      place: (dx, dy)      log scale: q      shape k: view basis_k

The first V rows are photometric: (seen - shown) / spread, where seen is the picture's luma (Rec. 601) at the vertex,
bilinear between pixel centres at halves and held at the edge, in shares of white, and shown the luma of the colour that
the vertex should have; their derivatives come from the slope of what is read. They weigh `weight` times what the vertex
counts. Two rows a landmark follow, x and y: (vertex - landmark) / max(std, least std), each with its own weight. It
does not know what is fitted, and solves nothing: `tracker.kernels.gauss_newton` takes the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.gauss_newton import Problem
from tracker.kernels.interop import rank, require, require_batch, require_kind, require_numbers

POSE = 6
LUMA = (0.299, 0.587, 0.114)

_FLOAT32, _INT32, _UINT8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.uint8)

Implementation = Callable[..., None]
"""Takes what the operator takes, checked, of one face. One that takes a device's arrays has `on_device` and takes all
faces at once."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the rows are measured in, and how much they weigh."""

    photometric: float
    spread: float
    """Of a luma that is explained, in shares of white."""
    landmark: float
    least_std_px: float

    def __post_init__(self) -> None:
        require_numbers(photometric=self.photometric, spread=self.spread, landmark=self.landmark,
                        least_std_px=self.least_std_px)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Linearize:
    """`linearize` on one implementation."""

    implementation: Implementation

    def __call__(
        self, vertices_px: Any, about_px: Any, view: Any, shapes: Any, colours: Any, counts: Any, target: Any, at: Any,
        landmarks_px: Any, std_px: Any, balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Fill the residual, Jacobian and weight of `problem`, of one face, V + 2 L rows and 6 + S parameters.

        `vertices_px` float32 [V, 3], `about_px` float32 [3], `view` float32 [2, 3], `shapes` float32 [S, V, 3],
        `colours` float32 [V, 3], `counts` float32 [V], `target` uint8 [H, W, 3], `at` int32 [L] vertices,
        `landmarks_px` float32 [L, 2], `std_px` float32 [L]; contiguous. Or of B faces, on a device always: then all but
        `shapes` and `at` have them in front. A landmark at no vertex weighs nothing on a device. Raises SettingsError
        for anything else.
        """
        require_kind("balance", balance, Balance)
        device = getattr(self.implementation, "on_device", False)
        many = device or len(getattr(vertices_px, "shape", ())) > 2
        *faces, vertices, _ = rank("vertices_px", vertices_px, 3 if many else 2)
        moving, _, _ = rank("shapes", shapes, 3)
        (landmarks,) = rank("at", at, 1)
        *_, high, wide, _ = rank("target", target, 4 if many else 3)
        rows = (*(faces or [1]), vertices + 2 * landmarks)
        require_batch(rows[0], device)
        for name, array, dtype, shape in (
            ("vertices_px", vertices_px, _FLOAT32, (*faces, vertices, 3)),
            ("about_px", about_px, _FLOAT32, (*faces, 3)),
            ("view", view, _FLOAT32, (*faces, 2, 3)), ("shapes", shapes, _FLOAT32, (moving, vertices, 3)),
            ("colours", colours, _FLOAT32, (*faces, vertices, 3)), ("counts", counts, _FLOAT32, (*faces, vertices)),
            ("target", target, _UINT8, (*faces, high, wide, 3)), ("at", at, _INT32, (landmarks,)),
            ("landmarks_px", landmarks_px, _FLOAT32, (*faces, landmarks, 2)),
            ("std_px", std_px, _FLOAT32, (*faces, landmarks)),
        ):  # fmt: skip
            require(name, array, dtype, shape, device)
        for name, shape in (("jacobian", (*rows, POSE + moving)), ("residual", rows), ("weight", rows)):
            require(name, getattr(problem, name, None), _FLOAT32, shape, device, filled=True)
        if min(high, wide) < 2 or not (balance.spread > 0 and balance.least_std_px > 0):
            raise SettingsError(f"a picture of {wide} x {high} px, {balance}; give 2 x 2 px or more, spreads above 0")
        # A device's numbers are looked at where they are used, since looking here would wait for the device.
        if not device and landmarks and not 0 <= at.min() <= at.max() < vertices:
            raise SettingsError(f"landmarks at vertices {at.min()} to {at.max()}; there are 0 to {vertices - 1}")
        if device or not many:
            self.implementation(vertices_px, about_px, view, shapes, colours, counts, target, at, landmarks_px, std_px,
                                balance, problem)  # fmt: skip
            return
        for one in range(len(vertices_px)):
            self(vertices_px[one], about_px[one], view[one], shapes, colours[one], counts[one], target[one], at,
                 landmarks_px[one], std_px[one], balance, _one(problem, one))  # fmt: skip


def _one(problem: Problem, face: int) -> Problem:
    """The problem of one of the faces."""
    return Problem(**{part.name: getattr(problem, part.name)[face : face + 1] for part in fields(problem)})

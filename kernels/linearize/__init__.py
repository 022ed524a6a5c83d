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
from dataclasses import dataclass

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.gauss_newton import Problem
from tracker.kernels.interop import rank, require

POSE = 6
LUMA = (0.299, 0.587, 0.114)

_FLOAT32, _INT32, _UINT8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.uint8)

Implementation = Callable[..., None]
"""Takes what the operator takes, checked."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the rows are measured in, and how much they weigh."""

    photometric: float
    spread: float
    """Of a luma that is explained, in shares of white."""
    landmark: float
    least_std_px: float


@dataclass(frozen=True, slots=True)
class Linearize:
    """`linearize` on one implementation."""

    implementation: Implementation

    def __call__(
        self, vertices_px: np.ndarray, about_px: np.ndarray, view: np.ndarray, shapes: np.ndarray, colours: np.ndarray,
        counts: np.ndarray, target: np.ndarray, at: np.ndarray, landmarks_px: np.ndarray, std_px: np.ndarray,
        balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Fill the residual, Jacobian and weight of `problem`, of one face, V + 2 L rows and 6 + S parameters.

        `vertices_px` float32 [V, 3], `about_px` float32 [3], `view` float32 [2, 3], `shapes` float32 [S, V, 3],
        `colours` float32 [V, 3], `counts` float32 [V], `target` uint8 [H, W, 3], `at` int32 [L] vertices,
        `landmarks_px` float32 [L, 2], `std_px` float32 [L]; contiguous. Raises SettingsError for anything else.
        """
        vertices, _ = rank("vertices_px", vertices_px, 2)
        moving, _, _ = rank("shapes", shapes, 3)
        (landmarks,) = rank("at", at, 1)
        high, wide, _ = rank("target", target, 3)
        for name, array, dtype, shape in (
            ("vertices_px", vertices_px, _FLOAT32, (vertices, 3)), ("about_px", about_px, _FLOAT32, (3,)),
            ("view", view, _FLOAT32, (2, 3)), ("shapes", shapes, _FLOAT32, (moving, vertices, 3)),
            ("colours", colours, _FLOAT32, (vertices, 3)), ("counts", counts, _FLOAT32, (vertices,)),
            ("target", target, _UINT8, (high, wide, 3)), ("at", at, _INT32, (landmarks,)),
            ("landmarks_px", landmarks_px, _FLOAT32, (landmarks, 2)), ("std_px", std_px, _FLOAT32, (landmarks,)),
            ("jacobian", problem.jacobian, _FLOAT32, (1, vertices + 2 * landmarks, POSE + moving)),
        ):  # fmt: skip
            require(name, array, dtype, shape)
        if min(high, wide) < 2 or not (balance.spread > 0 and balance.least_std_px > 0):
            raise SettingsError(f"a picture of {wide} x {high} px, {balance}; give 2 x 2 px or more, spreads above 0")
        if landmarks and not 0 <= at.min() <= at.max() < vertices:
            raise SettingsError(f"landmarks at vertices {at.min()} to {at.max()}; there are 0 to {vertices - 1}")
        self.implementation(
            vertices_px, about_px, view, shapes, colours, counts, target, at, landmarks_px, std_px, balance, problem
        )

"""Where a deformable shape must be so that its points lie where they were seen: a pose from landmarks.

Given a shape as mean + sum_b weight_b basis_b (points x_k) and where each point was seen in a square cut from a
picture (p_k = rest_k + offset_k in the square's sides, x and y from its corner, z away from the camera; with a standard
deviation sigma_k), it minimises over rotation R, scale s and shift t

    sum_k w_k (|s (R x_k)_xy + t_xy - p_k,xy|^2 + depth_share (s (R x_k)_z + t_z - p_k,z)^2),  w_k = 1 / sigma_k,

a weighted similarity in which depth, which is guessed, counts less than the picture, which is seen. It starts from a
closed form, the affine map of least squares brought to the nearest rotation (its polar factor), and takes a fixed
number of Gauss-Newton steps; with a depth share of one it ends at Umeyama's similarity. The pose is carried into the
picture by the square's place, side and roll. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.kernels.interop import rank, require, require_numbers

STEPS = 3
"""Gauss-Newton steps after the closed form: the third changes the angle by less than a hundredth of a degree."""
LEAST_STD = 0.003
"""No point is believed to better than this, in sides: a pixel's third of a crop of 128."""
LEAST_SPREAD = 0.01
"""In sides: what is smaller than this, measured as the root of its summed variances, is one place and has no pose."""

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Implementation = Callable[..., bool]
"""Takes what the operator takes, checked, with the square as four numbers; False where there is no pose."""


@dataclass(frozen=True, slots=True)
class Align:
    """`align` on one implementation."""

    implementation: Implementation

    def __call__(
        self, mean: np.ndarray, basis: np.ndarray, weights: np.ndarray, rest: np.ndarray, offset: np.ndarray,
        log_std: np.ndarray, depth_share: float, square: tuple[float, float, float, float], pose: np.ndarray,
    ) -> bool:  # fmt: skip
        """Fill `pose` float64 [12]: rotation to the picture by rows, where the shape's origin lies in px, px per unit.

        `mean` [K, 3], `basis` [B, K, 3], `weights` [B], `rest` [K, 3], `offset` [3 K] and `log_std` [K] are float32 and
        contiguous; `square` is x and y of its middle and its side in px, and its roll in radians. Returns False, with
        `pose` left alone, where none follows: points on a plane, in one place or mirrored, or numbers that are not
        finite. Raises SettingsError for arrays of another shape or kind.
        """
        (count, _), (moving,) = rank("mean", mean, 2), rank("weights", weights, 1)
        for name, array, shape in (
            ("mean", mean, (count, 3)), ("basis", basis, (moving, count, 3)), ("weights", weights, (moving,)),
            ("rest", rest, (count, 3)), ("offset", offset, (3 * count,)), ("log_std", log_std, (count,)),
        ):  # fmt: skip
            require(name, array, _FLOAT32, shape)
        require("pose", pose, _FLOAT64, (12,), filled=True)
        try:
            return bool(self.implementation(mean, basis, weights, rest, offset, log_std, depth_share, *square, pose))
        except (TypeError, ValueError):
            require_numbers(4, square=square)
            require_numbers(depth_share=depth_share)
            raise

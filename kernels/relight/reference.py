"""`relight` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.relight import DARKEST, LEAST_FACING, RIDGE, Relit
from tracker.kernels.shade import Surface
from tracker.kernels.shade.reference import harmonics


def relight(
    surface: Surface, depth: np.ndarray, target: np.ndarray, slack: float, inverse_square: float, out: Relit
) -> None:  # fmt: skip
    """Fill `out`."""
    high, wide = depth.shape[1:]
    for one in range(len(depth)):
        vertices, normals, albedo, light = (
            np.asarray(array[one], np.float64)
            for array in (surface.vertices_px, surface.normals, surface.albedo, surface.lighting)
        )
        x, y = np.floor(vertices[:, 0]), np.floor(vertices[:, 1])
        inside = (x >= 0) & (x < wide) & (y >= 0) & (y < high)
        column, row = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
        seen = np.where(inside[:, None], target[one, row, column] / 255.0, 0.0)
        basis = harmonics(normals)
        shown = inside & (vertices[:, 2] <= depth[one, row, column].astype(np.float64) + slack)
        shown &= albedo.min(1) >= DARKEST
        apart = ((seen - albedo * (basis @ light)) ** 2).sum(1)
        facing = np.maximum(-normals[:, 2] - LEAST_FACING, 0)
        weight = np.where(shown, facing / (1 + inverse_square * apart) ** 2, 0.0)
        out.seen[one], out.weight[one] = seen, weight
        counted = weight > 0
        share = (weight * albedo.mean(1) ** 2)[counted]
        matrix = (basis[counted] * share[:, None]).T @ basis[counted] + np.diag(RIDGE)
        right = (basis[counted] * share[:, None]).T @ (seen[counted] / albedo[counted])
        out.lighting[one] = np.linalg.solve(matrix, right)

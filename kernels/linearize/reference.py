"""`linearize` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.gauss_newton import Problem
from tracker.kernels.linearize import LUMA, POSE, Balance


def linearize(
    vertices_px: np.ndarray, about_px: np.ndarray, view: np.ndarray, shapes: np.ndarray, colours: np.ndarray,
    counts: np.ndarray, target: np.ndarray, at: np.ndarray, landmarks_px: np.ndarray, std_px: np.ndarray,
    balance: Balance, problem: Problem,
) -> None:  # fmt: skip
    """Fill residual, Jacobian and weight of `problem`."""
    x, y, z = (vertices_px.astype(np.float64) - about_px).T
    motion = np.zeros((len(x), 2, POSE + len(shapes)))
    motion[:, 0, 1], motion[:, 0, 2], motion[:, 1, 0], motion[:, 1, 2] = z, -y, -z, x
    motion[:, 0, 3] = motion[:, 1, 4] = 1
    motion[:, 0, 5], motion[:, 1, 5] = x, y
    motion[:, :, POSE:] = np.einsum("ij,svj->vis", view.astype(np.float64), shapes.astype(np.float64))

    seen, slope = read(target, vertices_px[:, :2].astype(np.float64))
    count = len(x)
    problem.residual[0, :count] = (seen - colours.astype(np.float64) @ LUMA) / balance.spread
    problem.jacobian[0, :count] = np.einsum("vi,vip->vp", slope, motion) / balance.spread
    problem.weight[0, :count] = balance.photometric * counts

    std = np.maximum(std_px.astype(np.float64), balance.least_std_px)[:, None]
    problem.residual[0, count:] = ((vertices_px[at, :2] - landmarks_px) / std).reshape(-1)
    problem.jacobian[0, count:] = (motion[at] / std[:, :, None]).reshape(2 * len(at), motion.shape[2])
    problem.weight[0, count:] = balance.landmark


def read(target: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luma [N] at places [N, 2], and its slope [N, 2] to the right and down; none beyond the outermost centres."""
    luma = target.astype(np.float64) @ LUMA / 255
    most = np.array(luma.shape[::-1]) - 1.0
    place = np.clip(at - 0.5, 0, most)
    corner = np.minimum(np.floor(place), most - 1).astype(int)
    u, v = (place - corner).T
    column, row = corner.T
    a, b, c, d = luma[row, column], luma[row, column + 1], luma[row + 1, column], luma[row + 1, column + 1]
    across, down = (1 - v) * (b - a) + v * (d - c), (1 - u) * (c - a) + u * (d - b)
    inside = (at - 0.5 >= 0) & (at - 0.5 <= most)
    return (1 - u) * (1 - v) * a + u * (1 - v) * b + (1 - u) * v * c + u * v * d, np.stack([across, down], 1) * inside

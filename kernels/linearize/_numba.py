"""`linearize` for the CPU, compiled by numba: one row after the other, parameters innermost.

Given checked arrays. How the shapes move a vertex is laid out beside it first, because shapes lie one after the other.
Only the four pixels that a vertex falls between are turned into luma.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, int32, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.gauss_newton import Problem
from tracker.kernels.linearize import LUMA, POSE, Balance

_1, _2, _3 = (types.Array(float32, rank, "C", readonly=True) for rank in (1, 2, 3))
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_R, _G, _B = (np.float32(share) for share in LUMA)
_RED, _GREEN, _BLUE = (np.float32(share / 255) for share in LUMA)


@part
def _luma(target, row, column):
    return (
        _RED * np.float32(target[row, column, 0])
        + _GREEN * np.float32(target[row, column, 1])
        + _BLUE * np.float32(target[row, column, 2])
    )


@part
def _move(vertices, about, view, shapes, v, across, down):
    """How vertex `v` moves to the right and down with each parameter."""
    x, y, z = vertices[v, 0] - about[0], vertices[v, 1] - about[1], vertices[v, 2] - about[2]
    across[0], across[1], across[2], across[3], across[4], across[5] = _ZERO, z, -y, _ONE, _ZERO, x
    down[0], down[1], down[2], down[3], down[4], down[5] = -z, _ZERO, x, _ZERO, _ONE, y
    for s in range(len(shapes)):
        a, b, c = shapes[s, v, 0], shapes[s, v, 1], shapes[s, v, 2]
        across[POSE + s] = view[0, 0] * a + view[0, 1] * b + view[0, 2] * c
        down[POSE + s] = view[1, 0] * a + view[1, 1] * b + view[1, 2] * c


@compiled(types.void(_2, _1, _2, _3, _2, _1, types.Array(uint8, 3, "C", readonly=True),
                     types.Array(int32, 1, "C", readonly=True), _2, _1, float32, float32, float32, float32,
                     float32[:, ::1], float32[::1], float32[:, ::1], float32[::1]))  # fmt: skip
def linearize(vertices, about, view, shapes, colours, counts, target, at, landmarks, std, photometric, unit, landmark,
              least, motion, residual, jacobian, weight):  # fmt: skip
    """Fill `residual` [R], `jacobian` [R, P] and `weight` [R]; `unit` is 1 / spread, `motion` [2, P] is room."""
    count, parameters = len(vertices), jacobian.shape[1]
    across, down = motion[0], motion[1]
    right, bottom = np.float32(target.shape[1] - 1), np.float32(target.shape[0] - 1)
    for v in range(count):
        weight[v] = photometric * counts[v]
        x, y = vertices[v, 0] - _HALF, vertices[v, 1] - _HALF
        inside_x, inside_y = (x >= _ZERO) & (x <= right), (y >= _ZERO) & (y <= bottom)
        x, y = min(max(x, _ZERO), right), min(max(y, _ZERO), bottom)
        if not (x >= _ZERO and y >= _ZERO):  # not a number
            x, y = _ZERO, _ZERO
        column, row = np.uintp(min(np.floor(x), right - _ONE)), np.uintp(min(np.floor(y), bottom - _ONE))
        p, q = x - np.float32(column), y - np.float32(row)
        a, b = _luma(target, row, column), _luma(target, row, column + np.uintp(1))
        c, d = _luma(target, row + np.uintp(1), column), _luma(target, row + np.uintp(1), column + np.uintp(1))
        above, below = a + p * (b - a), c + p * (d - c)
        shown = _R * colours[v, 0] + _G * colours[v, 1] + _B * colours[v, 2]
        residual[v] = (above + q * (below - above) - shown) * unit
        to_right = ((b - a) + q * ((d - c) - (b - a))) * unit if inside_x else _ZERO
        to_below = (below - above) * unit if inside_y else _ZERO
        _move(vertices, about, view, shapes, v, across, down)
        for k in range(parameters):
            jacobian[v, k] = to_right * across[k] + to_below * down[k]
    for n in range(len(at)):
        v, row = at[n], count + 2 * n
        _move(vertices, about, view, shapes, v, across, down)
        unit_px = _ONE / max(std[n], least)
        for k in range(parameters):
            jacobian[row, k], jacobian[row + 1, k] = unit_px * across[k], unit_px * down[k]
        residual[row] = (vertices[v, 0] - landmarks[n, 0]) * unit_px
        residual[row + 1] = (vertices[v, 1] - landmarks[n, 1]) * unit_px
        weight[row] = weight[row + 1] = landmark


class Linearizer:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._motion = np.empty((2, 0), np.float32)

    def __call__(
        self, vertices: np.ndarray, about: np.ndarray, view: np.ndarray, shapes: np.ndarray, colours: np.ndarray,
        counts: np.ndarray, target: np.ndarray, at: np.ndarray, landmarks: np.ndarray, std: np.ndarray,
        balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Fill the rows of `problem`."""
        if self._motion.shape[1] != problem.jacobian.shape[2]:
            self._motion = np.empty((2, problem.jacobian.shape[2]), np.float32)
        linearize(vertices, about, view, shapes, colours, counts, target, at, landmarks, std, balance.photometric,
                  1 / balance.spread, balance.landmark, balance.least_std_px, self._motion, problem.residual[0],
                  problem.jacobian[0], problem.weight[0])  # fmt: skip

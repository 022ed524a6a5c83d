"""`linearize` for the CPU, compiled by numba: the pose's columns row after row, then one shape's after the other.

Given checked arrays. Shapes lie one after the other, so each is read from end to end, which the memory answers quickest
when it has gone cold. Only the four pixels that a vertex falls between are turned into luma.
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
def _pose(x, y, z, to_right, to_below, row):
    """How what moves to the right and down by so much changes with each parameter of the pose."""
    row[0], row[1] = to_right * _ZERO + to_below * -z, to_right * z + to_below * _ZERO
    row[2] = to_right * -y + to_below * x
    row[3], row[4] = to_right * _ONE + to_below * _ZERO, to_right * _ZERO + to_below * _ONE
    row[5] = to_right * x + to_below * y


@part
def _brighten(vertices, about, colours, counts, target, photometric, unit, slope, residual, jacobian, weight):
    """The photometric rows but for the shapes' columns; `slope` [2, V] is the brightness's to the right and down."""
    right, bottom = np.float32(target.shape[1] - 1), np.float32(target.shape[0] - 1)
    for v in range(len(vertices)):
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
        slope[0, v] = ((b - a) + q * ((d - c) - (b - a))) * unit if inside_x else _ZERO
        slope[1, v] = (below - above) * unit if inside_y else _ZERO
        x, y, z = vertices[v, 0] - about[0], vertices[v, 1] - about[1], vertices[v, 2] - about[2]
        _pose(x, y, z, slope[0, v], slope[1, v], jacobian[v])


@compiled(types.void(_2, _1, _2, _3, _2, _1, types.Array(uint8, 3, "C", readonly=True),
                     types.Array(int32, 1, "C", readonly=True), _2, _1, float32, float32, float32, float32,
                     float32[:, ::1], float32[::1], float32[:, ::1], float32[::1]))  # fmt: skip
def linearize(vertices, about, view, shapes, colours, counts, target, at, landmarks, std, photometric, unit, landmark,
              least, slope, residual, jacobian, weight):  # fmt: skip
    """Fill `residual` [R], `jacobian` [R, P] and `weight` [R]; `unit` is 1 / spread, `slope` [2, V] is room."""
    count = len(vertices)
    _brighten(vertices, about, colours, counts, target, photometric, unit, slope, residual, jacobian, weight)
    for n in range(len(at)):
        v, row, unit_px = at[n], count + 2 * n, _ONE / max(std[n], least)
        x, y, z = vertices[v, 0] - about[0], vertices[v, 1] - about[1], vertices[v, 2] - about[2]
        _pose(x, y, z, unit_px, _ZERO, jacobian[row])
        _pose(x, y, z, _ZERO, unit_px, jacobian[row + 1])
        residual[row] = (vertices[v, 0] - landmarks[n, 0]) * unit_px
        residual[row + 1] = (vertices[v, 1] - landmarks[n, 1]) * unit_px
        weight[row] = weight[row + 1] = landmark
    a, b, c, d, e, f = view[0, 0], view[0, 1], view[0, 2], view[1, 0], view[1, 1], view[1, 2]
    for s in range(len(shapes)):
        shape, k = shapes[s], np.uintp(POSE + s)
        for v in range(count):
            x, y, z = shape[v, 0], shape[v, 1], shape[v, 2]
            jacobian[v, k] = slope[0, v] * (a * x + b * y + c * z) + slope[1, v] * (d * x + e * y + f * z)
        for n in range(len(at)):
            v, row, unit_px = at[n], count + 2 * n, _ONE / max(std[n], least)
            x, y, z = shape[v, 0], shape[v, 1], shape[v, 2]
            jacobian[row, k] = unit_px * (a * x + b * y + c * z)
            jacobian[row + 1, k] = unit_px * (d * x + e * y + f * z)


class Linearizer:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._slope = np.empty((2, 0), np.float32)

    def __call__(
        self, vertices: np.ndarray, about: np.ndarray, view: np.ndarray, shapes: np.ndarray, colours: np.ndarray,
        counts: np.ndarray, target: np.ndarray, at: np.ndarray, landmarks: np.ndarray, std: np.ndarray,
        balance: Balance, problem: Problem,
    ) -> None:  # fmt: skip
        """Fill the rows of `problem`."""
        if self._slope.shape[1] != len(vertices):
            self._slope = np.empty((2, len(vertices)), np.float32)
        linearize(vertices, about, view, shapes, colours, counts, target, at, landmarks, std, balance.photometric,
                  1 / balance.spread, balance.landmark, balance.least_std_px, self._slope, problem.residual[0],
                  problem.jacobian[0], problem.weight[0])  # fmt: skip

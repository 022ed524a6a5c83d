"""`relight` for the CPU, compiled by numba: one sweep over the vertices, then a Cholesky factor of nine by nine.

Given checked arrays. The robust distance needs the light of the surface at the vertex, whose basis serves the sums too.
Sums of some hundred terms are kept in double.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, types, uint8

from tracker.kernels.compiled import compiled, part
from tracker.kernels.relight import DARKEST, LEAST_FACING, RIDGE, Relit
from tracker.kernels.shade import HARMONICS, Surface

_3 = types.Array(float32, 3, "C", readonly=True)
_4 = types.Array(uint8, 4, "C", readonly=True)
_ZERO, _ONE, _THIRD, _WHITE = np.float32(0), np.float32(1), np.float32(1 / 3), np.float32(1 / 255)
_THREE = np.float32(3)
_FACING, _DARKEST = np.float32(LEAST_FACING), np.float32(DARKEST)
_Y0, _Y1, _Y2, _Y3, _Y4, _Y5, _Y6, _Y7, _Y8 = (np.float32(value) for value in HARMONICS)
_RIDGE = tuple(RIDGE)


@part
def _basis(normal, basis):
    x, y, z = normal[0], normal[1], normal[2]
    basis[0], basis[1], basis[2], basis[3] = _Y0, _Y1 * y, _Y2 * z, _Y3 * x
    basis[4], basis[5], basis[6] = _Y4 * x * y, _Y5 * y * z, _Y6 * (_THREE * z * z - _ONE)
    basis[7], basis[8] = _Y7 * x * z, _Y8 * (x * x - y * y)


@part
def _solve(sums, lighting):
    """Cholesky's factorization of the 9 x 9 in the first columns, and three right sides behind them."""
    for j in range(9):
        for k in range(j):
            sums[j, j] -= sums[j, k] * sums[j, k]
        sums[j, j] = np.sqrt(sums[j, j])
        for i in range(j + 1, 9):
            for k in range(j):
                sums[i, j] -= sums[i, k] * sums[j, k]
            sums[i, j] /= sums[j, j]
    for c in range(9, 12):
        for j in range(9):
            for k in range(j):
                sums[j, c] -= sums[j, k] * sums[k, c]
            sums[j, c] /= sums[j, j]
        for j in range(8, -1, -1):
            for k in range(j + 1, 9):
                sums[j, c] -= sums[k, j] * sums[k, c]
            sums[j, c] /= sums[j, j]
            lighting[j, c - 9] = np.float32(sums[j, c])


@compiled(types.void(_3, _3, _3, _3, _3, _4, float32, float32, float32[::1], float64[:, ::1], float32[:, :, ::1],
                     float32[:, :, ::1], float32[:, ::1]))  # fmt: skip
def relight(vertices, normals, albedo, lighting, depth, target, slack, soft, basis, sums, out, seen, weight):
    """Fill `out` [B, 9, 3], `seen` and `weight`; `soft` is 1 / softness squared, `basis` [9] and `sums` [9, 12]."""
    high, wide = depth.shape[1], depth.shape[2]
    for one in range(len(vertices)):
        sums[:] = 0.0
        for k in range(9):
            sums[k, k] = _RIDGE[k]
        for v in range(vertices.shape[1]):
            x, y = np.floor(vertices[one, v, 0]), np.floor(vertices[one, v, 1])
            facing = -normals[one, v, 2] - _FACING
            weight[one, v] = _ZERO
            seen[one, v, 0] = seen[one, v, 1] = seen[one, v, 2] = _ZERO
            if not (x >= _ZERO and y >= _ZERO and x < wide and y < high):
                continue
            row, column = np.uintp(y), np.uintp(x)
            red, green, blue = albedo[one, v, 0], albedo[one, v, 1], albedo[one, v, 2]
            r = np.float32(target[one, row, column, 0]) * _WHITE
            g = np.float32(target[one, row, column, 1]) * _WHITE
            b = np.float32(target[one, row, column, 2]) * _WHITE
            seen[one, v, 0], seen[one, v, 1], seen[one, v, 2] = r, g, b
            shown = vertices[one, v, 2] <= depth[one, row, column] + slack
            if not (shown and facing > _ZERO and min(red, green, blue) >= _DARKEST):
                continue
            _basis(normals[one, v], basis)
            p, q, s = _ZERO, _ZERO, _ZERO
            for k in range(9):
                p += basis[k] * lighting[one, k, 0]
                q += basis[k] * lighting[one, k, 1]
                s += basis[k] * lighting[one, k, 2]
            p, q, s = r - red * p, g - green * q, b - blue * s
            share = _ONE / (_ONE + soft * (p * p + q * q + s * s))
            counts = facing * share * share
            weight[one, v] = counts
            mean = (red + green + blue) * _THIRD
            counts = counts * mean * mean
            r, g, b = r / red, g / green, b / blue
            for k in range(9):
                part_of = counts * basis[k]
                for i in range(k + 1):
                    sums[k, i] += np.float64(part_of * basis[i])
                sums[k, 9] += np.float64(part_of * r)
                sums[k, 10] += np.float64(part_of * g)
                sums[k, 11] += np.float64(part_of * b)
        _solve(sums, out[one])


class Relighter:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._basis, self._sums = np.empty(9, np.float32), np.empty((9, 12))

    def __call__(
        self, surface: Surface, depth: np.ndarray, target: np.ndarray, slack: float, inverse_square: float, out: Relit
    ) -> None:  # fmt: skip
        """Fill `out`."""
        relight(surface.vertices_px, surface.normals, surface.albedo, surface.lighting, depth, target, slack,
                inverse_square, self._basis, self._sums, out.lighting, out.seen, out.weight)  # fmt: skip

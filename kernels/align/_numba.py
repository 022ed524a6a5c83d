"""`align` for the CPU, compiled by numba. Given checked arrays.

The sums over points that a Gauss-Newton step needs are linear in the second moments of the points and of the points
with what was seen, so one pass gathers those and the steps cost the same for any number of points.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import boolean, float32, float64, types

from tracker.kernels.align import LEAST_SPREAD, LEAST_STD, STEPS
from tracker.kernels.compiled import compiled, part

POLAR_ROUNDS = 8


@part
def _inverse(m, out):
    """The inverse of m [3, 3] into `out`, and its determinant."""
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            c, d = (j + 1) % 3, (j + 2) % 3
            out[j, i] = m[a, c] * m[b, d] - m[a, d] * m[b, c]
    determinant = m[0, 0] * out[0, 0] + m[0, 1] * out[1, 0] + m[0, 2] * out[2, 0]
    for i in range(3):
        for j in range(3):
            out[i, j] /= determinant
    return determinant


@part
def _product(a, b, out):
    """a b, both [3, 3], into `out`."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
    return out


@part
def _polar(m, work):
    """m becomes its nearest rotation (Newton's iteration, scaled; Higham 1986)."""
    for _ in range(POLAR_ROUNDS):
        determinant = _inverse(m, work)
        gamma = abs(determinant) ** (-1.0 / 3.0)
        for i in range(3):
            for j in range(3):
                m[i, j] = 0.5 * gamma * m[i, j]
        for i in range(3):
            for j in range(3):
                m[i, j] += 0.5 / gamma * work[j, i]


@part
def _solve(a, b):
    """b [4] becomes the solution of a [4, 4] x = b, a symmetric and positive; False where it is not."""
    for j in range(4):
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > 0.0:
            return False
        a[j, j] = np.sqrt(a[j, j])
        for i in range(j + 1, 4):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    for i in range(4):
        for k in range(i):
            b[i] -= a[i, k] * b[k]
        b[i] /= a[i, i]
    for i in range(3, -1, -1):
        for k in range(i + 1, 4):
            b[i] -= a[k, i] * b[k]
        b[i] /= a[i, i]
    return True


@part
def _turn(r, omega, work):
    """r becomes exp(omega) r, by Rodrigues' formula."""
    x, y, z = omega[0], omega[1], omega[2]
    angle = np.sqrt(x * x + y * y + z * z)
    first = 1.0 if angle < 1e-9 else np.sin(angle) / angle
    second = 0.5 if angle < 1e-9 else (1 - np.cos(angle)) / (angle * angle)
    for j in range(3):
        u, v, w = r[0, j], r[1, j], r[2, j]
        a, b, c = y * w - z * v, z * u - x * w, x * v - y * u
        work[0, j] = u + first * a + second * (y * c - z * b)
        work[1, j] = v + first * b + second * (z * a - x * c)
        work[2, j] = w + first * c + second * (x * b - y * a)
    for i in range(3):
        for j in range(3):
            r[i, j] = work[i, j]


@part
def _similarity(points, seen, weight, depth_share, r, placement):
    """Fill the rotation r [3, 3] and the placement [4] (scale, shift); False where there is none."""
    count = len(points)
    middle, target, total = np.zeros(3), np.zeros(3), 0.0
    for k in range(count):
        total += weight[k]
        for i in range(3):
            middle[i] += weight[k] * points[k, i]
            target[i] += weight[k] * seen[k, i]
    if not (total > 0.0 and total < np.inf):
        return False
    middle /= total
    target /= total
    spread, cross, work = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    for k in range(count):
        w = weight[k] / total
        for j in range(3):
            x = w * (points[k, j] - middle[j])
            for i in range(3):
                spread[i, j] += x * (points[k, i] - middle[i])
                cross[i, j] += x * (seen[k, i] - target[i])
    size = spread[0, 0] + spread[1, 1] + spread[2, 2]
    # The smallest eigenvalue is at least the determinant over the square of half the trace.
    if not _inverse(spread, work) > 1e-4 * size * size * size / 4:
        return False
    affine = _product(cross, work, np.empty((3, 3)))
    largest = np.abs(affine).max()
    determinant = _inverse(affine, work)
    if not (determinant > 1e-12 * largest**3 and largest < np.inf):
        return False
    r[:] = affine
    _polar(r, work)
    scale = 0.0
    for i in range(3):
        for j in range(3):
            scale += r[i, j] * affine[i, j] / 3
    if not scale * np.sqrt(size) > LEAST_SPREAD:
        return False
    normal, step, half, t, e = np.zeros((4, 4)), np.zeros(4), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    d = depth_share
    for _ in range(STEPS):
        # t: moments of the turned points; e: of what is left of the distance with the turned points.
        for i in range(3):
            for j in range(3):
                half[j, i] = scale * r[i, j]
        _product(cross, half, e)
        _product(spread, half, work)
        for i in range(3):
            for j in range(3):
                t[i, j] = half[0, i] * work[0, j] + half[1, i] * work[1, j] + half[2, i] * work[2, j]
                e[i, j] = t[i, j] - e[i, j]
        normal[0, 0] = t[2, 2] + d * t[1, 1]
        normal[1, 0] = -d * t[0, 1]
        normal[1, 1] = t[2, 2] + d * t[0, 0]
        normal[2, 0] = -t[0, 2]
        normal[2, 1] = -t[1, 2]
        normal[2, 2] = t[0, 0] + t[1, 1]
        normal[3, 0] = (d - 1) * t[1, 2]
        normal[3, 1] = (1 - d) * t[0, 2]
        normal[3, 2] = 0.0
        normal[3, 3] = t[0, 0] + t[1, 1] + d * t[2, 2]
        step[0] = e[1, 2] - d * e[2, 1]
        step[1] = d * e[2, 0] - e[0, 2]
        step[2] = e[0, 1] - e[1, 0]
        step[3] = -(e[0, 0] + e[1, 1] + d * e[2, 2])
        if not _solve(normal, step):
            return False
        _turn(r, step, work)
        scale *= np.exp(step[3])
    if not (scale > 0.0 and scale < np.inf):
        return False
    for i in range(3):
        placement[1 + i] = target[i]
        for j in range(3):
            placement[1 + i] -= scale * r[i, j] * middle[j]
    placement[0] = scale
    return True


_F3 = types.Array(float32, 3, "C", readonly=True)
_F2 = types.Array(float32, 2, "C", readonly=True)
_F1 = types.Array(float32, 1, "C", readonly=True)


@compiled(
    boolean(_F2, _F3, _F1, _F2, _F1, _F1, float64, float64, float64, float64, float64, float64[::1])
)  # fmt: skip
def align(mean, basis, weights, rest, offset, log_std, depth_share, x_px, y_px, side_px, roll_rad, pose):
    """Fill `pose`; False where there is none."""
    count = len(mean)
    points, seen, weight = np.empty((count, 3)), np.empty((count, 3)), np.empty(count)
    for k in range(count):
        weight[k] = 1.0 / max(np.exp(np.float64(log_std[k])), LEAST_STD)
        for i in range(3):
            points[k, i] = mean[k, i]
            seen[k, i] = np.float64(rest[k, i]) + np.float64(offset[3 * k + i])
    for b in range(len(weights)):
        w = np.float64(weights[b])
        if w != 0.0:
            for k in range(count):
                for i in range(3):
                    points[k, i] += w * basis[b, k, i]
    r, placement = np.zeros((3, 3)), np.zeros(4)
    if not _similarity(points, seen, weight, depth_share, r, placement):
        return False
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    for j in range(3):
        pose[j] = c * r[0, j] - s * r[1, j]
        pose[3 + j] = s * r[0, j] + c * r[1, j]
        pose[6 + j] = r[2, j]
    u, v = side_px * (placement[1] - 0.5), side_px * (placement[2] - 0.5)
    pose[9] = x_px + c * u - s * v
    pose[10] = y_px + s * u + c * v
    pose[11] = placement[0] * side_px
    return True

"""`portray` for the CPU, compiled by numba.

The mesh is summed up in `out` itself, one shape after the other, which vectorises, and then projected in place.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, types

from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.portray import (
    AFTER_MESH,
    DIRECTIONS,
    ROTATION,
    ROTATION_RAW,
    SPREAD,
    STEEPEST,
    TRANSLATION,
    TRANSLATION_RAW,
)


@part
def _add(total, weight, shape):
    for i in range(total.size):
        total[i] += weight * shape[i]


@part
def _project(mesh, rotation, center, scale):
    """Points in head space to the picture, in place."""
    a, b, c = scale * rotation[0, 0], scale * rotation[0, 1], scale * rotation[0, 2]
    d, e, f = scale * rotation[1, 0], scale * rotation[1, 1], scale * rotation[1, 2]
    g, h, i = scale * rotation[2, 0], scale * rotation[2, 1], scale * rotation[2, 2]
    for v in range(0, mesh.size, 3):
        x, y, z = mesh[v], mesh[v + 1], mesh[v + 2]
        mesh[v] = a * x + b * y + c * z + center[0]
        mesh[v + 1] = d * x + e * y + f * z + center[1]
        mesh[v + 2] = g * x + h * y + i * z


@part
def _before_camera(view, center, scale, camera, turned, translation):
    """The pose in camera axes; returns the depth."""
    x, y = (center[0] - camera[2]) / camera[0], (center[1] - camera[3]) / camera[1]
    depth = np.sqrt(camera[0] * camera[1]) / scale
    translation[0], translation[1], translation[2] = x * depth, y * depth, depth
    length = np.sqrt(x * x + y * y + 1.0)
    x, y, z = x / length, y / length, 1.0 / length
    k = 1.0 / (1.0 + z)
    for j in range(3):
        a, b, c = view[0, j], view[1, j], view[2, j]
        turned[j] = (1.0 - k * x * x) * a - k * x * y * b + x * c
        turned[3 + j] = -k * x * y * a + (1.0 - k * y * y) * b + y * c
        turned[6 + j] = -x * a - y * b + z * c
    return depth


@part
def _directions(weights, tilts, out):
    for eye in range(2):
        x, y = 0.0, 0.0
        for b in range(weights.size):
            x += weights[b] * tilts[b, 2 * eye]
            y += weights[b] * tilts[b, 2 * eye + 1]
        shrink = min(1.0, STEEPEST / max(np.sqrt(x * x + y * y), 1e-9))
        x, y = x * shrink, y * shrink
        out[3 * eye], out[3 * eye + 1], out[3 * eye + 2] = x, y, -np.sqrt(1.0 - x * x - y * y)


_1 = types.Array(float32, 1, "C", readonly=True)
_2 = types.Array(float32, 2, "C", readonly=True)
_3 = types.Array(float32, 3, "C", readonly=True)
_TURN = types.Array(float64, 2, "C", readonly=True)
_POINT = types.Array(float64, 1, "C", readonly=True)


@sees_misfits
@compiled(
    int64(
        float32[:, ::1], _3, float32[::1], _1, _1, _3, _1, _2, _TURN, _POINT, float64, _TURN, _POINT, float64, _POINT,
        float64, float64, float32[::1],
    )
)  # fmt: skip
def portray(
    vertices, lasting_basis, folded, least_change, lasting, basis, weights, tilts, rotation, center, scale,
    rotation_raw, center_raw, scale_raw, camera, across, log_scale_std, out,
):  # fmt: skip
    """Fill `out`; fold into `vertices` what of `lasting` has moved."""
    if not (
        basis.shape == (weights.size, len(vertices), 3) and tilts.shape == (weights.size, 4)
        and lasting.size == folded.size and rotation.shape == rotation_raw.shape == (3, 3)
        and center.size == center_raw.size == 2 and camera.size == 4 and out.size == vertices.size + AFTER_MESH
    ):  # fmt: skip
        return MISFIT
    base = vertices.reshape(-1)
    for b in range(lasting.size):
        change = lasting[b] - folded[b]
        if abs(change) >= least_change[b]:
            _add(base, change, lasting_basis[b].reshape(-1))
            folded[b] = lasting[b]
    mesh, after = out[: base.size], out[base.size :]
    for i in range(base.size):
        mesh[i] = base[i]
    for b in range(weights.size):
        if weights[b] != 0:
            _add(mesh, weights[b], basis[b].reshape(-1))
    _project(mesh, rotation, center, scale)
    depth = _before_camera(rotation, center, scale, camera, after[ROTATION:], after[TRANSLATION:])
    _before_camera(rotation_raw, center_raw, scale_raw, camera, after[ROTATION_RAW:], after[TRANSLATION_RAW:])
    after[SPREAD], after[SPREAD + 1], after[SPREAD + 2] = across, across, depth * log_scale_std
    _directions(weights, tilts, after[DIRECTIONS:])
    return 0

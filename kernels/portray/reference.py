"""`portray` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.portray import (
    DIRECTIONS,
    ROTATION,
    ROTATION_RAW,
    SPREAD,
    STEEPEST,
    TRANSLATION,
    TRANSLATION_RAW,
)


def before_camera(
    rotation: np.ndarray, center_px: np.ndarray, scale: float, camera: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """cam_from_body [3, 3] and translation in mm [3]."""
    fx, fy, cx, cy = camera
    ray = np.array([(center_px[0] - cx) / fx, (center_px[1] - cy) / fy, 1.0])
    x, y, z = ray / np.linalg.norm(ray)
    k = 1 / (1 + z)
    onto_ray = np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])
    return onto_ray @ rotation, ray * np.sqrt(fx * fy) / scale


def direction(tilt: np.ndarray) -> np.ndarray:
    """Unit vector [3] along -z, tilted by [2]."""
    x, y = tilt * min(1.0, STEEPEST / max(float(np.linalg.norm(tilt)), 1e-9))
    return np.array([x, y, -np.sqrt(1 - x * x - y * y)])


def portray(
    vertices: np.ndarray, lasting_basis: np.ndarray, folded: np.ndarray, least_change: np.ndarray, lasting: np.ndarray,
    basis: np.ndarray, weights: np.ndarray, tilts: np.ndarray, rotation: np.ndarray, center_px: np.ndarray,
    scale: float, rotation_raw: np.ndarray, center_raw_px: np.ndarray, scale_raw: float, camera: np.ndarray,
    across_mm: float, log_scale_std: float, out: np.ndarray,
) -> None:  # fmt: skip
    """Fill `out`; fold into `vertices` what of `lasting` has moved."""
    moved = np.abs(lasting - folded) >= least_change
    vertices += np.einsum("b,bvx->vx", (lasting - folded)[moved].astype(np.float64), lasting_basis[moved])
    folded[moved] = lasting[moved]
    mesh = vertices + np.einsum("b,bvx->vx", weights.astype(np.float64), basis)
    out[: mesh.size] = (scale * mesh @ rotation.T + [*center_px, 0.0]).reshape(-1)
    after = out[mesh.size :]
    poses = ((ROTATION, TRANSLATION, rotation, center_px, scale),
             (ROTATION_RAW, TRANSLATION_RAW, rotation_raw, center_raw_px, scale_raw))  # fmt: skip
    for turn, shift, seen, at_px, size in poses:
        turned, translation = before_camera(seen, at_px, size, camera)
        after[turn : turn + 9], after[shift : shift + 3] = turned.reshape(-1), translation
    after[SPREAD : SPREAD + 3] = across_mm, across_mm, np.sqrt(camera[0] * camera[1]) / scale * log_scale_std
    tilt = (weights.astype(np.float64) @ tilts).reshape(2, 2)
    after[DIRECTIONS:] = np.concatenate([direction(tilt[0]), direction(tilt[1])])

"""`align` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.align import LEAST_SPREAD, LEAST_STD, STEPS


def align(
    mean: np.ndarray, basis: np.ndarray, weights: np.ndarray, rest: np.ndarray, offset: np.ndarray,
    log_std: np.ndarray, depth_share: float, x_px: float, y_px: float, side_px: float, roll_rad: float,
    pose: np.ndarray,
) -> bool:  # fmt: skip
    """Fill `pose`; False where there is none."""
    points = mean + np.einsum("b,bki->ki", weights.astype(np.float64), basis)
    seen = rest + offset.reshape(-1, 3).astype(np.float64)
    with np.errstate(over="ignore"):
        found = similarity(points, seen, 1 / np.maximum(np.exp(log_std.astype(np.float64)), LEAST_STD), depth_share)
    if found is None:
        return False
    rotation, scale, shift = found
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    pose[:9] = (turn @ rotation).reshape(-1)
    pose[9:11] = [x_px, y_px] + side_px * turn[:2, :2] @ (shift[:2] - 0.5)
    pose[11] = scale * side_px
    return True


def similarity(
    points: np.ndarray, seen: np.ndarray, w: np.ndarray, depth_share: float
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Rotation [3, 3], scale and shift [3] of points [K, 3] onto `seen` [K, 3]; None where there is none."""
    total = w.sum()
    if not (np.isfinite(total) and total > 0 and np.isfinite(seen).all() and np.isfinite(points).all()):
        return None
    middle, target = w @ points / total, w @ seen / total
    x, p = points - middle, seen - target
    spread = x.T @ (w[:, None] * x) / total
    if not np.linalg.eigvalsh(spread)[0] > 1e-4 * np.trace(spread):  # nor where all lie in one place
        return None
    affine = (p.T @ (w[:, None] * x) / total) @ np.linalg.inv(spread)
    if not np.linalg.det(affine) > 1e-12 * np.abs(affine).max() ** 3:
        return None
    u, stretch, vt = np.linalg.svd(affine)
    r, scale = u @ vt, stretch.mean()
    if not scale * np.trace(spread) ** 0.5 > LEAST_SPREAD:
        return None
    metric = np.array([1.0, 1.0, depth_share])
    for _ in range(STEPS):
        turned = scale * x @ r.T
        residual = turned - p
        # Columns: a small turn about each axis, and the logarithm of the scale.
        jacobian = np.stack([np.cross(axis, turned) for axis in np.eye(3)] + [turned], 2)
        weighted = jacobian * (w[:, None] * metric)[:, :, None]
        normal = np.einsum("kim,kin->mn", jacobian, weighted)
        step = np.linalg.solve(normal, -np.einsum("kim,ki->m", weighted, residual))
        r = _turn(step[:3]) @ r
        scale *= np.exp(step[3])
    return r, float(scale), target - scale * r @ middle


def _turn(omega: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = np.linalg.norm(omega)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = omega / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: np.ndarray = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    return turn

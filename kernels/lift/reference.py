"""`lift` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import math

import numpy as np

from tracker.kernels.lift import LOG_SCALE_LIMIT, LOG_STD_LIMITS


def orthonormal(six: np.ndarray) -> np.ndarray:
    """Rotation float64 [3, 3] from its first two columns [6], Gram-Schmidt."""
    x, y = six[:3].astype(np.float64), six[3:].astype(np.float64)
    x = x / max(float(np.linalg.norm(x)), 1e-9)
    y = y - (x @ y) * x
    y = y / max(float(np.linalg.norm(y)), 1e-9)
    return np.stack([x, y, np.cross(x, y)], 1)


def lift(
    starts: np.ndarray, constants: np.ndarray, vector: np.ndarray, x_px: float, y_px: float, side_px: float,
    roll_rad: float, presence: float, coefficients: np.ndarray, std: np.ndarray, trust: np.ndarray,
    numbers: np.ndarray,
) -> None:  # fmt: skip
    """Fill the last four."""
    first, six, offset, log_scale, log_std = starts.tolist()
    side_mm, anchor_mm, half_trust = constants[0], constants[1:4], constants[4]
    coefficients[:] = np.clip(vector[first : first + len(coefficients)], 0, 1)
    std[:] = np.exp(np.clip(vector[log_std : log_std + len(std)].astype(np.float64), *LOG_STD_LIMITS))
    trust[:] = presence / (1 + (std[len(std) - len(trust) :].astype(np.float64) / half_trust) ** 2)
    c, s = math.cos(roll_rad), math.sin(roll_rad)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    rotation = turn @ orthonormal(vector[six : six + 6])
    scale = side_px / side_mm * math.exp(min(max(float(vector[log_scale]), -LOG_SCALE_LIMIT), LOG_SCALE_LIMIT))
    anchor = np.array([x_px, y_px]) + side_px * turn[:2, :2] @ vector[offset : offset + 2]
    numbers[:9] = rotation.reshape(-1)
    numbers[9:11] = anchor - scale * (rotation @ anchor_mm)[:2]
    numbers[11:13] = scale, trust.mean(dtype=np.float64)
    numbers[13:] = *vector[offset : offset + 2], vector[log_scale]

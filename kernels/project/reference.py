"""`project` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np


def project(vertices: np.ndarray, rotation: np.ndarray, scale: float, center: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` [V, 3]."""
    out[:] = scale * vertices.astype(np.float64) @ rotation.T + center

"""`morph` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np


def morph(mean: np.ndarray, basis: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` [V, 3]."""
    out[:] = mean.astype(np.float64) + np.einsum("b,bvx->vx", weights.astype(np.float64), basis.astype(np.float64))

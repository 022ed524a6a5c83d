"""`halve` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np


def halve(picture: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` [H, W, C]."""
    channels, high, wide = picture.shape
    mean = picture.astype(np.float64).reshape(channels, high // 2, 2, wide // 2, 2).mean((2, 4))
    out[:] = np.clip(np.floor(mean + 0.5), 0, 255).transpose(1, 2, 0)

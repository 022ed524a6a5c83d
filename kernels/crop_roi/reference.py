"""`crop_roi` and `crop_luma` as the contract words them: plain float64 numpy, never optimised, the text to read.

Given checked planes [h, w, channels], it reduces each plane whole, samples it and mixes the colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.kernels.crop_roi import LARGEST_BLOCK
from tracker.kernels.crop_roi.colour import Colour


def block_size(scale: float) -> int:
    """Samples per side of the blocks that are averaged, for `scale` samples per crop pixel."""
    return int(min(max(np.floor(scale + 0.5 + 1e-6), 1), LARGEST_BLOCK))


def block_means(plane: np.ndarray, size: int, black: int) -> np.ndarray:
    """Means over `size` x `size` blocks less `black`, float64 [ceil(h / size), ceil(w / size), channels]."""
    height, width, channels = plane.shape
    rows, columns = -(-height // size), -(-width // size)
    padded = np.zeros((rows * size, columns * size, channels))
    padded[:height, :width] = plane.astype(np.float64) - black
    return padded.reshape(rows, size, columns, size, channels).mean(axis=(1, 3))


def bilinear(blocks: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values [..., channels] at `x y` in units of blocks, whose centres lie at halves; 0 outside."""
    rows, columns, _ = blocks.shape
    u, v = x - 0.5, y - 0.5
    left, top = np.floor(u), np.floor(v)
    value = np.zeros((*x.shape, blocks.shape[2]))
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            weight = (1 - abs(v - row)) * (1 - abs(u - column))
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            r, c = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
            value += np.where(inside, weight, 0.0)[..., None] * blocks[r, c]
    return value


def crop(planes: Sequence[np.ndarray], colour: Colour, px_from_crop: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` [C, H, W] from all of RGB, from Y alone, or from Y and chroma at half its size."""
    height, width = out.shape[1:]
    j, i = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = np.einsum("ab,bhw->ahw", px_from_crop, np.stack([j, i, np.ones_like(i)]))
    scale = float(np.sqrt(abs(np.linalg.det(px_from_crop[:, :2]))))
    channels = []
    for index, plane in enumerate(planes):
        part = 1.0 if index == 0 else 0.5
        size = block_size(scale * part)
        blocks = block_means(plane, size, colour.black[min(index, 1)])
        channels.append(bilinear(blocks, x * part / size, y * part / size))
    sampled = np.concatenate(channels, axis=2)
    mixed = sampled @ colour.mix[:, : sampled.shape[2]].astype(np.float64).T
    out[:] = np.clip(mixed.transpose(2, 0, 1), 0, 255)

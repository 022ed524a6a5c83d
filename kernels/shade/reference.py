"""`shade` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.rasterize.reference import weights
from tracker.kernels.shade import HARMONICS, Shaded, Surface


def shade(surface: Surface, ids: np.ndarray, target: np.ndarray, softness: float, out: Shaded) -> None:
    """Fill `out`."""
    out.error[:], out.pixels[:] = 0, 0
    for image in range(len(ids)):
        light = harmonics(surface.normals[image]) @ surface.lighting[image].astype(np.float64)
        out.colours[image] = colours = surface.albedo[image] * light
        shown = (ids[image] >= 0) & (ids[image] < len(surface.triangles))
        triangle, at = ids[image][shown], np.argwhere(shown)
        corners = surface.triangles[triangle]
        share = weights(surface.vertices_px[image], corners, at)  # [N, 3]
        seen = np.einsum("nk,nkc->nc", share, colours[corners])
        if out.image is not None:
            out.image[image] = 0
            out.image[image][shown] = seen
        squared = ((seen - target[image][shown] / 255.0) ** 2).sum(1)
        rho = squared / (squared + softness**2)
        region = surface.regions[triangle]
        counted = (region >= 0) & (region < out.error.shape[1])
        out.error[image] = np.bincount(region[counted], rho[counted], out.error.shape[1])
        out.pixels[image] = np.bincount(region[counted], minlength=out.error.shape[1])


def harmonics(normals: np.ndarray) -> np.ndarray:
    """The nine functions [V, 9] at unit normals [V, 3]."""
    x, y, z = normals.astype(np.float64).T
    one = np.ones_like(x)
    return np.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], -1) * HARMONICS

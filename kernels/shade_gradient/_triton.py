"""`shade_gradient` for a GPU, in Triton: triangles gather what their pixels say, vertices what their triangles say.

Given a device's arrays, checked, it launches six kernels: the vertices' colours (`shade`'s), the pixels' energies, the
chain rule per triangle, the silhouettes, the sums per vertex, and the lighting's. Nothing is added by atomics but
integers, so the same bits on every run. A batch goes in chunks whose scratch stays in the cache. Not contracted, counts
not specialized and nothing tuned at run time, as in `rasterize`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import triton

from tracker.kernels.fans import Fans
from tracker.kernels.interop import full, placed
from tracker.kernels.scratch import Scratch
from tracker.kernels.shade import Surface
from tracker.kernels.shade._triton import VERTICES as LIT
from tracker.kernels.shade._triton import light
from tracker.kernels.shade_gradient import Gradient
from tracker.kernels.shade_gradient._triton_gather import gather, gather_light
from tracker.kernels.shade_gradient._triton_inside import energies, inside
from tracker.kernels.shade_gradient._triton_outline import outline

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
CHUNK_BYTES = 32 << 20
"""Of scratch in use at once: half of an H200's second-level cache."""
PIXELS, VERTICES, SUMMED = 128, 128, 256
"""Per program of the kernels that go over pixels, over vertices, and over vertices for one sum."""


class ShaderGradient:
    """The implementation with its scratch memory, kept for one mesh and grown to the largest batch."""

    on_device = True

    def __init__(
        self, full: Callable[[int, int, str, Any], Any] = full, placed: Callable[[np.ndarray, Any], Any] = placed,
        triangles: int = 8,
    ) -> None:  # fmt: skip
        """`full` makes an array of a size, value and type where another lies, `placed` puts one there; `triangles` are
        in each program."""
        self._scratch, self._triangles, self._fans = Scratch(full), triangles, Fans(placed)

    def __call__(
        self, surface: Surface, neighbours: Any, ids: Any, target: Any, softness: float, weights: Any, out: Gradient
    ) -> None:
        """Launch what fills `out`; waits for the device when a mesh comes for the first time."""
        batch, corners, _ = surface.vertices_px.shape
        faces = surface.triangles.shape[0]
        self._fans.see(surface.triangles, corners)
        each = 60 * faces + 28 * corners + 4 * ids.shape[1] * ids.shape[2]
        chunk = max(1, min(batch, CHUNK_BYTES // each))
        colours = self._scratch("colours", 3 * batch * corners, "float32", ids)
        light[(triton.cdiv(corners, LIT), batch)](
            surface.normals, surface.albedo, surface.lighting, colours, corners, VERTICES=LIT, **OPTIONS
        )
        for first in range(0, batch, chunk):
            count = min(chunk, batch - first)
            given = (surface.vertices_px, surface.triangles, surface.regions, colours, ids, target, weights)
            self._of_chunk(surface, neighbours, given, softness * softness, out, first, count)

    def _of_chunk(
        self, surface: Surface, neighbours: Any, given: tuple[Any, ...], soft: float, out: Gradient, first: int,
        count: int,
    ) -> None:  # fmt: skip
        vertices, triangles, _, _, ids, _, weights = given
        _, high, wide = ids.shape
        corners, faces, places = surface.vertices_px.shape[1], surface.triangles.shape[0], weights.shape[1]
        energy = self._scratch("energy", count * high * wide, "float32", ids)
        parts = self._scratch("parts", 15 * count * faces, "float32", ids)
        # Empty to begin with, and left so by each call.
        sums = self._scratch("sums", 2 * count * corners, "int64", ids)
        lit = self._scratch("lit", 3 * count * corners, "float32", ids)
        sizes = (first, faces, corners, high, wide, places)
        pieces = triton.cdiv(high * wide, PIXELS)
        if faces:
            energies[(pieces, count)](*given, energy, *sizes, soft, PIXELS=PIXELS, **OPTIONS)
            inside[(triton.cdiv(faces, self._triangles), count)](
                *given, parts, *sizes, soft, TRIANGLES=self._triangles, **OPTIONS
            )
            outline[(pieces, count, 4)](
                vertices, triangles, neighbours, ids, weights, energy, sums, *sizes, PIXELS=PIXELS, **OPTIONS
            )
        gather[(triton.cdiv(corners, VERTICES), count)](
            surface.normals, surface.albedo, surface.lighting, weights, self._fans.starts, self._fans.corners, parts,
            sums, lit, out.places, out.normals, out.albedo, first, faces, corners, places, VERTICES=VERTICES, **OPTIONS,
        )  # fmt: skip
        gather_light[(3, count)](surface.normals, lit, out.lighting, first, corners, SUMMED=SUMMED, **OPTIONS)

"""`morph` for a GPU, in Triton: a program per piece of a face, with many shapes read at once.

Given a device's arrays, checked. A lane holds some shapes of one coordinate and lanes are summed at the end, because a
single face has fewer coordinates than it takes to keep the memory busy. The order of the sum does not depend on the
number of faces, so a face's bits do not either. Not contracted, counts not specialized and nothing tuned at run time,
as in `rasterize`.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
NUMBERS, SHAPES = 32, 64
"""Coordinates and shapes that a program holds at a time."""


@triton.jit(do_not_specialize=["numbers", "shapes", "stride"])
def morph(mean, basis, weights, out, numbers, shapes, stride, NUMBERS: tl.constexpr, SHAPES: tl.constexpr):
    """Coordinates of one face; program (coordinates, face). `stride` is from mean to mean, 0 where there is one."""
    at = tl.program_id(0) * NUMBERS + tl.arange(0, NUMBERS)
    there = at < numbers
    face = tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, SHAPES)
    sum = tl.zeros([SHAPES, NUMBERS], tl.float32)
    for first in range(0, shapes, SHAPES):
        shape = first + lane
        known = shape < shapes
        weight = tl.load(weights + face * shapes + shape, mask=known, other=0.0)
        moves = basis + shape.to(tl.int64)[:, None] * numbers + at[None, :]
        sum += weight[:, None] * tl.load(moves, mask=known[:, None] & there[None, :], other=0.0)
    start = tl.load(mean + face * stride + at, mask=there, other=0.0)
    tl.store(out + face * numbers + at, start + tl.sum(sum, axis=0), mask=there)


class Morpher:
    """The implementation. Needs no memory."""

    on_device = True

    def __call__(self, mean: Any, basis: Any, weights: Any, out: Any) -> None:
        """Launch what fills `out` [B, V, 3]; waits for nothing."""
        batch, shapes = weights.shape
        numbers = 3 * out.shape[1]
        stride = numbers if len(mean.shape) == 3 else 0
        morph[(triton.cdiv(numbers, NUMBERS), batch)](
            mean, basis, weights, out, numbers, shapes, stride, NUMBERS=NUMBERS, SHAPES=SHAPES, **OPTIONS
        )

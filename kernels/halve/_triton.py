"""`halve` for a GPU, in Triton: a lane per byte. Given a device's arrays, checked. Its bytes are numba's."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Of every launch."""
BYTES = 256
"""Per program."""


@triton.jit(do_not_specialize=["high", "wide", "channels"])
def halve(picture, out, high, wide, channels, BYTES: tl.constexpr):
    """A piece of one picture; program (bytes, picture)."""
    at = tl.program_id(0) * BYTES + tl.arange(0, BYTES)
    size = high * wide * channels
    there = at < size
    one = tl.program_id(1).to(tl.int64)
    pixel, channel = at // channels, at % channels
    row, column = pixel // wide, pixel % wide
    above = picture + one * size * 4 + channel * high * wide * 4 + row * wide * 4 + 2 * column
    below = above + 2 * wide
    four = tl.load(above, mask=there, other=0.0) + tl.load(above + 1, mask=there, other=0.0)
    four += tl.load(below, mask=there, other=0.0) + tl.load(below + 1, mask=there, other=0.0)
    mean = tl.minimum(tl.maximum(four * 0.25 + 0.5, 0.0), 255.0)
    tl.store(out + one * size + at, mean.to(tl.int32).to(tl.uint8), mask=there)


class Halver:
    """The implementation. Needs no memory."""

    on_device = True

    def __call__(self, picture: Any, out: Any) -> None:
        """Launch what fills `out` [B, H, W, C]; waits for nothing."""
        batch, high, wide, channels = out.shape
        halve[(triton.cdiv(high * wide * channels, BYTES), batch)](
            picture, out, high, wide, channels, BYTES=BYTES, **OPTIONS
        )

"""`follow` for CUDA devices: `follow.cu`, one block per body. Given checked arrays on the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.kernels.cuda import kernel, pointer
from tracker.kernels.follow import Filter, Followed, Sample

SOURCE = Path(__file__).with_name("follow.cu")
THREADS = 64


class Filters:
    """The compiled kernel. Takes no memory, so a CUDA graph may hold its launches."""

    on_device = True

    def __init__(self) -> None:
        """Raises BackendUnavailable where there is no device."""
        self._kernel = kernel(SOURCE, "follow")

    def __call__(self, filter: Filter, sample: Sample, followed: Followed) -> None:
        """Fill `followed` on the current stream, without waiting for it."""
        batch, count = sample.numbers.shape
        fixed = (pointer(getattr(filter, name)) for name in Filter.__slots__)
        given = (pointer(getattr(sample, name)) for name in Sample.__slots__)
        filled = (pointer(getattr(followed, name)) for name in Followed.__slots__)
        sizes = np.int32(count), np.int32(filter.traits.shape[1])
        self._kernel((batch,), (THREADS,), (*fixed, *sizes, *given, *filled))

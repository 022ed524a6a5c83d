"""`heads` for CUDA devices: `heads.cu`, one block per face. Given checked arrays on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tracker.kernels.cuda import kernel, pointer
from tracker.kernels.heads import Seen, Shape

SOURCE = Path(__file__).with_name("heads.cu")
THREADS = 128


class Find:
    """The compiled kernel. Takes no memory, so a CUDA graph may hold its launches."""

    on_device = True

    def __init__(self) -> None:
        """Raises BackendUnavailable where there is no device."""
        self._kernel = kernel(SOURCE, "heads")

    def __call__(self, vectors: Any, shape: Shape, seen: Seen) -> None:
        """Fill `seen` on the current stream, without waiting for it."""
        batch, width = vectors.shape
        given = (vectors, shape.mean, shape.basis, shape.rest, shape.starts, shape.numbers)
        sizes = (width, shape.mean.shape[0], shape.moving, shape.basis.shape[0], seen.std.shape[1], seen.trust.shape[1])
        filled = (getattr(seen, name) for name in Seen.__slots__)
        self._kernel((batch,), (THREADS,), (*map(pointer, given), *map(np.int32, sizes), *map(pointer, filled)))

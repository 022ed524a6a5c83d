"""Which triangles meet in each vertex: the table by which a kernel sums at a vertex without atomics, in a fixed order.

Given triangles it lists, vertex after vertex, the corners that name it, in the order of the triangles. On a device the
list is made once per mesh and kept. It does not know what is summed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracker.kernels.interop import brought, placed


def fans_of(triangles: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Where each of `count` vertices' corners start in the list, int32 [V + 1]; the list, int32 [3 T'] of corners as
    3 t + k; and how many triangles are left out because they name no vertex.
    """
    good = ((triangles >= 0) & (triangles < count)).all(1)
    corners = np.flatnonzero(np.repeat(good, 3))
    named = triangles.reshape(-1)[corners]
    order = np.argsort(named, kind="stable")
    starts = np.searchsorted(named[order], np.arange(count + 1))
    return starts.astype(np.int32), corners[order].astype(np.int32), int((~good).sum())


class Fans:
    """The list of one mesh at a time, on its device.

    The triangles are looked at when a mesh comes for the first time, which waits for the device and cannot be captured
    in a CUDA graph; they must not change in place afterwards. A graph that was captured with one mesh has an operator
    that sees no other.
    """

    def __init__(self, placed: Callable[[np.ndarray, Any], Any] = placed) -> None:
        """`placed` puts a numpy array where another lies."""
        self._placed = placed
        self._triangles: Any = None
        self._of: tuple[int, ...] = ()
        self.starts: Any = None
        self.corners: Any = None
        self.refused = 0
        """Triangles that name no vertex."""

    def see(self, triangles: Any, count: int) -> None:
        """Have the lists of this mesh ready."""
        of = (triangles.data_ptr(), triangles.shape[0], count)
        if self._of != of:
            starts, corners, self.refused = fans_of(brought(triangles), count)
            # Kept, so that nothing else can come to lie at this address; and never empty, so that it has one.
            self._triangles, self._of = triangles, of
            self.starts, self.corners = (
                self._placed(one, triangles) for one in (starts, np.append(corners, np.int32(0)))
            )

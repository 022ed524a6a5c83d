"""One identity for many frames: a running mean of the network's identity codes over each track.

Given a code per frame it returns the mean so far, in which sure frames count more; after a few seconds it hardly moves.
It does not know whose face it is and keeps nothing when a track ends.
"""

from __future__ import annotations

import numpy as np

from tracker.refine.fit import Fit

LONGEST_MEMORY = 120.0
"""In frames' worth of weight: a face that changes (glasses on) is followed within seconds."""


class IdentityMemory:
    """Running means for `slots` faces of `identities` coefficients."""

    def __init__(self, slots: int, identities: int) -> None:
        self._mean = [np.zeros(identities, np.float32) for _ in range(slots)]
        self._change = np.zeros(identities, np.float32)
        self._weight = [0.0] * slots
        self._owner = [-1] * slots

    def reset(self) -> None:
        """Forget everybody."""
        self._owner[:] = [-1] * len(self._owner)

    def of(self, slot: int) -> np.ndarray:
        """The mean so far of the face in that slot, float32 [I], a view."""
        return self._mean[slot]

    def __call__(self, slot: int, fit: Fit) -> np.ndarray:
        """Fold in a fit's code, weighted by how well the face is seen; returns the mean float32 [I], a view."""
        mean = self._mean[slot]
        if self._owner[slot] != fit.track_id:
            self._owner[slot], self._weight[slot] = fit.track_id, 0.0
            mean[:] = 0
        weight = max(fit.trust, 1e-3)
        self._weight[slot] = min(self._weight[slot] + weight, LONGEST_MEMORY)
        np.subtract(fit.identity, mean, out=self._change)
        self._change *= weight / self._weight[slot]
        mean += self._change
        return mean

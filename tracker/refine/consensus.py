"""One fit from several looks at the same face.

Where a face is new, it is looked at from squares beside the first one anyway, to see whether it is one; each look errs
in its own way, so their mean errs less (on faces of people kept aside by 3 to 6%). Given fits it returns one. It does
not ask whether they agree; see `detect.confirm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracker.refine.fit import Fit


def kept(fit: Fit) -> Fit:
    """The same with arrays of its own for what is averaged: another look in its slot does not change it."""
    return replace(fit, expression=fit.expression.copy(), identity=fit.identity.copy())


def consensus(fit: Fit, others: Sequence[Fit]) -> Fit:
    """The mean of all: the nearest rotation to the mean matrix, the geometric mean of sizes, the plain mean of centre,
    expression and identity. The rest, standard deviations among it, is what `fit` says."""
    if not others:
        return fit
    looks = [fit, *others]
    left, _, right = np.linalg.svd(np.mean([look.rotation for look in looks], axis=0))
    # Looks that agree to within a right angle have a mean of positive determinant.
    return replace(
        fit,
        rotation=left @ right,
        center_px=np.mean([look.center_px for look in looks], axis=0),
        scale_px_per_mm=math.exp(sum(math.log(look.scale_px_per_mm) for look in looks) / len(looks)),
        expression=_mean([look.expression for look in looks]),
        identity=_mean([look.identity for look in looks]),
    )


def _mean(rows: list[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.stack(rows).mean(axis=0)
    return mean

"""Is a new face really one? Look again from squares that are a little off: a face stays where it is, a phantom moves.

Given the square of a proposal it names four others to look at, and from the fits it says whether they agree; one may be
of another opinion. Costs four more looks when a face is new, nothing afterwards. It looks at nothing itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracker.detect.roi import Roi
from tracker.face.pose import geodesic_rad
from tracker.refine.fit import Fit

# Share of the side, factor of the side, radians: what a detection may be wrong by, and a tracked face never minds.
NUDGES = ((0.05, 0.88, 0.12), (-0.05, 1.14, -0.12), (0.0, 0.8, -0.25), (0.08, 1.0, 0.25))
LOOKS = len(NUDGES) + 1
"""At a new face, at a time: those and the one from the square itself."""
# Sum of shift (in sides), log of size and half the turn; a true face stays below 0.12 in 99 of 100 cases. Chosen with
# the finder's thresholds on 1,500 frames composed from training stills with every face cut out (none is taken for a
# face; one was, with any dissent allowed) and 387 AFLW crops of people kept aside (8 lost; 12 when all had to agree).
LARGEST_DISAGREEMENT = 0.3
LARGEST_DISSENT = 0.5
"""One look may be so far off: heads in profile or cut by the edge are lost to one of five otherwise."""
LEAST_PRESENCE = 0.5
"""Of every look."""
_SUREST = 8.0


def nudged(roi: Roi) -> tuple[Roi, ...]:
    """The squares to look at besides `roi`."""
    return tuple(
        Roi(roi.x_px + shift * roi.side_px, roi.y_px - shift * roi.side_px, roi.side_px * factor, roi.roll_rad + turn)
        for shift, factor, turn in NUDGES
    )


def disagreement(fit: Fit, other: Fit) -> float:
    """How far apart two fits put the head: shift in sides, plus log of sizes, plus half the angle in radians."""
    a, b = fit.roi(), other.roi()
    shift = math.hypot(a.x_px - b.x_px, a.y_px - b.y_px) / a.side_px
    return shift + abs(math.log(a.side_px / b.side_px)) + 0.5 * geodesic_rad(fit.rotation, other.rotation)


def agreeing(fit: Fit, others: Sequence[Fit]) -> list[Fit]:
    """Those that put the head where `fit` does."""
    return [other for other in others if disagreement(fit, other) <= LARGEST_DISAGREEMENT]


def confirmed(fit: Fit, others: Sequence[Fit], presence: float) -> bool:
    """Do the looks see a face, and the same one? Their mean log-odds must reach those of `presence`."""
    looks = (fit, *others)
    if not all(look.plausible and look.presence >= LEAST_PRESENCE for look in looks):
        return False
    apart = sorted(disagreement(fit, other) for other in others)
    if apart and (apart[-1] > LARGEST_DISSENT or (len(apart) > 1 and apart[-2] > LARGEST_DISAGREEMENT)):
        return False
    return sum(_log_odds(look.presence) for look in looks) / len(looks) >= _log_odds(presence)


def _log_odds(presence: float) -> float:
    """Held within what one look may weigh."""
    share = min(max(presence, 1e-9), 1 - 1e-9)
    return min(max(math.log(share / (1 - share)), -_SUREST), _SUREST)

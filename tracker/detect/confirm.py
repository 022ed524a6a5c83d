"""Is a new face really one? Look again from squares that are a little off: a face stays where it is, a phantom moves.

Given the square of a proposal it names four others to look at, and from the fits it says whether they agree. Costs four
more looks when a face is new, nothing afterwards. It looks at nothing itself.
"""

from __future__ import annotations

import math

from tracker.detect.roi import Roi
from tracker.face.pose import geodesic_rad
from tracker.refine.fit import Fit

# Share of the side, factor of the side, radians: what a detection may be wrong by, and a tracked face never minds.
NUDGES = ((0.05, 0.88, 0.12), (-0.05, 1.14, -0.12), (0.0, 0.8, -0.25), (0.08, 1.0, 0.25))
LOOKS = len(NUDGES) + 1
"""At a new face, at a time: those and the one from the square itself."""
# Sum of shift (in sides), log of size and half the turn; a true face stays below 0.12 in 99 of 100 cases. Chosen with
# the finder's two thresholds on frames composed from training stills: of 600 in which every face is cut out, two nudges
# and 0.4 let ten phantoms pass, four and 0.3 let two; 239 of 240 frames with a face (6% to 90% of the height) keep it
# either way. Of 387 validation crops of AFLW, turned by up to 90 degrees, two go.
LARGEST_DISAGREEMENT = 0.3


def nudged(roi: Roi) -> tuple[Roi, ...]:
    """The squares to look at besides `roi`."""
    return tuple(
        Roi(
            roi.x_px + shift * roi.side_px, roi.y_px - shift * roi.side_px, roi.side_px * factor, roi.roll_rad + turn
        )  # fmt: skip
        for shift, factor, turn in NUDGES
    )


def disagreement(fit: Fit, other: Fit) -> float:
    """How far apart two fits put the head: shift in sides, plus log of sizes, plus half the angle in radians."""
    a, b = fit.roi(), other.roi()
    shift = math.hypot(a.x_px - b.x_px, a.y_px - b.y_px) / a.side_px
    return shift + abs(math.log(a.side_px / b.side_px)) + 0.5 * geodesic_rad(fit.rotation, other.rotation)


def confirmed(fit: Fit, others: list[Fit], presence: float) -> bool:
    """Do all the looks see a face, and the same one?"""
    return all(
        other.plausible and other.presence >= presence and disagreement(fit, other) <= LARGEST_DISAGREEMENT
        for other in others
    )

"""How the fit is compared with the pixels: the sizes and limits of it, and what they mean for a region's confidence.

Given a fit, the crop it came from and the identity so far the face model is drawn into the crop at half its size, lit
with the colours that this face has had so far, and compared. A region that a hand covers, or that is turned away, loses
confidence; the others keep theirs. The processor does that in one kernel (see `resembler`), a device in several; both
have these constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.regions import NONE
from tracker.regress.outputs import CROP_PX

SIDE_PX = CROP_PX // 2
BEFORE_PX = 4.0 * SIDE_PX
"""Depths are from a plane this far before the head's origin, since they have to be above zero."""
SOFTNESS = 0.15
"""A pixel off by this (0.15 of white in all channels together) counts half."""
SLACK_PX = 1.5
"""So far behind the drawn surface a vertex still counts as on it; 5 mm."""
CLEAR, COVERED = 0.35, 0.65
"""A region's mean error, from which its confidence falls, and at which none is left. On training clips 95% of clear
regions stay below 0.22 (cheeks) to 0.39 (brows); half of those with a box before them are above 0.68."""
WHOLE_SHARE = 0.5
"""Of what a region covers when it looks straight ahead: with less in sight confidence falls in proportion."""
VOUCHES = 0.5
"""How much of the network's doubt pixels that fit take away."""
FRESH = 12
"""For so many looks a new face's colours are believed whatever they are, then only what fits the earlier ones."""
GATHER_EVERY = 4
PRIOR_LOOKS, LONGEST_COLOUR, LONGEST_IDENTITY = 2.0, 60.0, 120.0
"""The mean face's colours count as much as two looks; a colour is the mean over some sixty at most, identity over 120
frames' worth of trust: a face that changes (glasses on) is followed within seconds."""
LIGHT_SHARE = 0.25
"""Of a frame's light in the running one."""
DIM, BRIGHT = 0.03, 1.5
"""The darkest and the brightest that a colour can be, in shares of white."""
LEAST_LIGHT = 0.05
"""With less light on it a vertex says nothing about its colour."""


def borne_out(said: Any, shown: Any) -> Any:
    """The confidence of regions [..., 5], of what the network says of each and what the pixels show; numpy or torch.

    A network that sees a hand doubts the whole face. Where the pixels show what they should, its doubt counts half (as
    an exponent); where they do not, nothing is left of its confidence.
    """
    return said ** (1 - VOUCHES * shown) * shown


def frontal_areas(model: FaceModel, regions: np.ndarray) -> np.ndarray:
    """float64 [5]: what each region of the mean face covers when it looks straight ahead, mm^2."""
    corners = model.mean_mm[model.triangles][:, :, :2].astype(np.float64)
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    areas = np.abs(ax * by - ay * bx) / 2
    inside = regions != NONE
    return np.bincount(regions[inside], areas[inside], len(REGIONS))

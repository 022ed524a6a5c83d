"""The layout of the student's output vector: which slice means what.

One table that training, export and run time share. The network sees a square crop and speaks of the head in it, in
units of the crop; it does not know where the crop came from.
"""

from __future__ import annotations

from tracker.face.topology import GUIDES

CROP_PX = 128
ROI_SIDE_MM = 224.0
"""Side of the square that is looked at, measured at the head's depth."""
ROI_CENTRE_MM = (0.0, 30.0, 0.0)
"""The point of head space in the middle of the square: between eyes and chin, so that expressions do not move it."""
IDENTITIES = 64

_SIZES = {
    "expression": 52,
    "identity": IDENTITIES,
    "rotation": 6,  # first two columns of the rotation, before orthonormalisation (Zhou et al. 2019)
    "centre": 2,  # head point ROI_CENTRE_MM minus the crop's middle, in crop sides
    "log_scale": 1,  # log of (px per mm in the crop over the nominal CROP_PX / ROI_SIDE_MM)
    "presence": 1,  # logit that a face is here
    "guides": 3 * len(GUIDES),  # x, y, z of each, minus where the mean face straight ahead has it, in crop sides
    "expression_log_std": 52,
    "identity_log_std": 1,
    "rotation_log_std": 1,  # radians
    "centre_log_std": 2,  # crop sides; then of log_scale
    "region_log_std": 5,  # landmark error per region, in crop sides
    "guides_log_std": len(GUIDES),  # error of each in the picture, in crop sides
}


def _slices() -> dict[str, slice]:
    start, table = 0, {}
    for name, size in _SIZES.items():
        table[name] = slice(start, start + size)
        start += size
    return table


SLICES: dict[str, slice] = _slices()
WIDTH: int = sum(_SIZES.values())

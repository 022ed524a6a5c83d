"""Which region of the face each triangle of the face model belongs to: eyes, brows, mouth, jaw, cheeks, or none.

Given the model it looks at the mean face once: a triangle belongs where its middle lies. Nose, forehead and temples
belong to no region. It knows the order of `REGIONS` and nothing of pictures.
"""

from __future__ import annotations

import numpy as np

from tracker.face import topology as t
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel

NONE = -1
# How far from the lids and the lips skin still belongs to them, in millimetres of the mean face.
EYE_REACH_MM, MOUTH_REACH_MM = 9.0, 15.0
_CHIN_MM = 9.0
"""How far below the line between the lips the jaw begins, and the cheeks end."""
_SIDE_MM = 22.0
"""Cheeks begin here beside the middle line ..."""
_BELOW_EYES_MM = 18.0
"""... and this far below the eyes."""


def triangle_regions(model: FaceModel) -> np.ndarray:
    """int32 [T]: an index of `REGIONS`, or `NONE`."""
    mean = model.mean_mm.astype(np.float64)
    middle = mean[model.triangles].mean(1)
    lips, region = mean[list(t.INNER_LIPS_RING)], np.full(len(middle), NONE, np.int32)
    x, y, chin_y = np.abs(middle[:, 0]), middle[:, 1], lips[:, 1].mean() + _CHIN_MM
    # What comes later owns what comes earlier: lips reach into cheeks and jaw, lids into brows.
    region[(x > _SIDE_MM) & (y > _BELOW_EYES_MM) & (y <= chin_y)] = REGIONS.index("cheeks")
    region[y > chin_y] = REGIONS.index("jaw")
    brows, eyes = [*t.LEFT_BROW, *t.RIGHT_BROW], [*t.LEFT_EYE_RING, *t.RIGHT_EYE_RING]
    region[np.isin(model.triangles, brows).any(1)] = REGIONS.index("brows")
    for name, at, reach_mm in (("eyes", mean[eyes], EYE_REACH_MM), ("mouth", lips, MOUTH_REACH_MM)):
        near = np.linalg.norm(middle[:, None, :2] - at[None, :, :2], axis=2).min(1) < reach_mm
        region[near] = REGIONS.index(name)
    return region

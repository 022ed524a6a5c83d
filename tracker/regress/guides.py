"""The landmarks that the network points at directly, and where it counts them from.

Given the face model it says where each guide would be in the crop if the mean face looked straight out of it: the
network's numbers are offsets from there. Training and run time share this.
"""

from __future__ import annotations

import numpy as np

from tracker.face.model import FaceModel
from tracker.face.topology import GUIDES
from tracker.regress.outputs import ROI_CENTRE_MM, ROI_SIDE_MM


def guides_at_rest(model: FaceModel) -> np.ndarray:
    """float32 [G, 3] in crop sides: x right, y down from the crop's corner, z away from the camera from its middle."""
    vertices = model.mean_mm[list(GUIDES)].astype(np.float64)
    rest = (vertices - ROI_CENTRE_MM) / ROI_SIDE_MM
    rest[:, :2] += 0.5
    return rest.astype(np.float32)

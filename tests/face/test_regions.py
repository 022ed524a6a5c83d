"""Which region a triangle of the mean face belongs to, by vertices that everybody would call so."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.face import topology
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.regions import NONE, triangle_regions


@pytest.mark.parametrize(("vertex", "region"), [
    (topology.CHIN, "jaw"), (topology.RIGHT_CHEEK, "cheeks"), (topology.LEFT_CHEEK, "cheeks"),
    (topology.INNER_LIPS_RING[5], "mouth"), (topology.RIGHT_BROW[2], "brows"), (topology.LEFT_EYE_RING[0], "eyes"),
    (192, "cheeks"), (416, "cheeks"), (topology.NOSE_TIP, None), (10, None),
])  # fmt: skip
def test_all_around_a_vertex_is_its_region(vertex: int, region: str | None) -> None:
    """192 and 416 are beside the corners of the mouth, as high as the lips: cheeks still."""
    model = FaceModel.load()
    around = triangle_regions(model)[(model.triangles == vertex).any(1)]
    assert set(around.tolist()) == {NONE if region is None else REGIONS.index(region)}


def test_left_is_as_large_as_right() -> None:
    model = FaceModel.load()
    regions, x = triangle_regions(model), model.mean_mm[model.triangles].mean(1)[:, 0]
    left, right = (np.bincount(regions[side] + 1, minlength=len(REGIONS) + 1) for side in (x > 0.5, x < -0.5))
    assert np.abs(left - right).max() <= 2

"""What a box does to the confidences, as the bench counts it."""

from __future__ import annotations

import numpy as np

from tracker import REGIONS
from tracker.bench import covered


def test_what_is_covered_loses_its_confidence_and_is_drawn() -> None:
    pictures: list[np.ndarray] = []
    rows = {row.region: row.share for row in covered.measure(pictures)}
    assert tuple(rows) == REGIONS and len(pictures) == 1 + len(REGIONS)
    for region, share in rows.items():
        assert share[region] < 0.15, region
    assert min(rows["mouth"][name] for name in REGIONS if name != "mouth") > 0.65
    assert all(picture.ndim == 3 and picture.dtype == np.uint8 and picture.std() > 10 for picture in pictures)

"""The shipped detector on a frame of the bundled clip."""

from __future__ import annotations

from pathlib import Path

import av

from tracker.detect.detector import Detector
from tracker.kernels.backend import choose
from tracker.source import frame_from_image

CLIP = Path(__file__).resolve().parents[2] / "tracker" / "assets" / "demo.mp4"


def test_a_face_is_found_where_it_is_with_a_score() -> None:
    with av.open(str(CLIP)) as container:
        rgb = next(f.to_ndarray(format="rgb24") for k, f in enumerate(container.decode(video=0)) if k == 30)
    (found,) = Detector(choose().crop_luma)(frame_from_image(rgb))
    assert 0.5 < found.score < 1
    left, top, right, bottom = found.roi.box_px()
    assert left < 290 < 350 < right and top < 240 < 320 < bottom, "eyes, mouth and what is between them"

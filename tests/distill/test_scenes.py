"""Views for the detector's training: phantoms stand in them without a mark in the truth."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill import scenes  # noqa: E402
from tracker.distill.scenes import VIEW_PX, Scenes  # noqa: E402


@pytest.fixture
def haunted(monkeypatch: pytest.MonkeyPatch) -> Scenes:
    """Nothing but phantoms: grey ones with a white square that was looked at."""
    monkeypatch.setattr(scenes, "PHANTOM_SHARE", 1.0)
    made = Scenes.__new__(Scenes)
    made.rng = np.random.default_rng(0)
    patch = np.full((224, 224, 3), 90, np.uint8)
    patch[32:192, 32:192] = 250
    made.phantoms = patch[None]
    return made


def test_a_phantom_is_pasted_with_all_of_its_square(haunted: Scenes) -> None:
    for _ in range(20):
        grey = np.zeros((VIEW_PX, VIEW_PX), np.uint8)
        haunted._faceless(grey)
        pasted = grey[grey > 0]
        assert len(pasted) >= 24**2
        assert (pasted > 200).mean() > 0.45, "the square fills half of the patch, or more of it without the rim"


def test_without_mined_phantoms_faces_are_erased_as_before(haunted: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    haunted.phantoms = None
    monkeypatch.setattr(Scenes, "_erased", lambda self: np.full((224, 224, 3), 10, np.uint8))
    grey = np.zeros((VIEW_PX, VIEW_PX), np.uint8)
    haunted._faceless(grey)
    assert set(np.unique(grey)) == {0, 10}

"""Frames for the detector: the face is where the scene says, and the size that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.bench import scenes
from tracker.bench.scenes import Still

pytest.importorskip("cv2")
# A colour that no background of the test has: in the still it fills the face's box and nothing else.
SKIN = np.array([250, 5, 250], np.uint8)


@pytest.fixture
def still() -> Still:
    rgb = np.full((300, 200, 3), 90, np.uint8)
    box = np.array([60.0, 80, 140, 200])
    rgb[80:200, 60:140] = SKIN
    return Still(rgb, box, (box,))


def _skin_box(rgb: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero((np.abs(rgb.astype(int) - SKIN) < 40).all(2))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("share", [0.06, 0.12, 0.3, 0.9])
def test_the_face_is_where_the_scene_says(still: Still, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "TEXTURES", ("grey",))
    monkeypatch.setattr(scenes, "texture", lambda rng, kind, h, w: np.full((h, w, 3), 30, np.uint8))
    for seed in range(6):
        scene = scenes.with_face(np.random.default_rng(seed), still, share, [])
        height, width = scene.rgb.shape[:2]
        assert scene.box_px is not None
        assert (scene.box_px[3] - scene.box_px[1]) / height == pytest.approx(share)
        assert scenes.ASPECTS[0] - 0.01 < width / height < scenes.ASPECTS[1] + 0.01
        assert (scene.box_px >= 0).all() and (scene.box_px[2:] <= (width, height)).all()
        # Magnified, a still's pixel is several of the frame's, and its edge is blurred over about as many.
        np.testing.assert_allclose(_skin_box(scene.rgb), scene.box_px, atol=1 + share * height / 120)


def test_faces_are_cut_out(still: Still) -> None:
    for seed in range(20):
        cut = scenes.cut_out(np.random.default_rng(seed), still)
        left = (cut[80:200, 60:140] == SKIN).all(2).mean()
        assert left < 0.05
        assert (cut[:20] == 90).all()
    assert (still.rgb[80:200, 60:140] == SKIN).all(), "the still itself is kept"


@pytest.mark.parametrize("kind", scenes.TEXTURES)
def test_textures_fill_the_frame(kind: str) -> None:
    picture = scenes.texture(np.random.default_rng(1), kind, 40, 70)
    assert picture.shape == (40, 70, 3) and picture.dtype == np.uint8
    assert picture.std() > 0


def test_the_same_seed_makes_the_same_frames(still: Still) -> None:
    def draw() -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        return [scenes.faceless(rng, [still]).rgb, scenes.with_face(rng, still, 0.2, [still]).rgb]

    for a, b in zip(draw(), draw(), strict=True):
        np.testing.assert_array_equal(a, b)

"""A face as pictures: where it lies, what is in them, and what is in none."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import av
import numpy as np
import pytest

from tracker import Face, Tracker
from tracker.errors import SettingsError
from tracker.face.expression import REGIONS
from tracker.face.topology import CHIN, LEFT_CHEEK, NOSE_TIP
from tracker.render import KINDS, Renderer

SIZE = (640, 480)


@pytest.fixture(scope="module")
def face() -> Face:
    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height) == SIZE
    (found,) = Tracker().track(picture)
    return found


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def test_it_lies_where_the_landmarks_are(face: Face, renderer: Renderer) -> None:
    found = renderer(face, *SIZE)
    low, high = face.landmarks_px[:, :2].min(0), face.landmarks_px[:, :2].max(0)
    assert np.abs([found.x_px, found.y_px] - low).max() <= 1
    assert np.abs(found.mask.shape[::-1] - (high - low)).max() <= 2
    assert 0.6 < found.mask.mean() < 0.95, "an oval in its box"
    assert (np.isfinite(found.depth_px) == found.mask).all()


def test_depth_is_the_landmarks(face: Face, renderer: Renderer) -> None:
    found = renderer(face, *SIZE)
    for at in (NOSE_TIP, CHIN - 1, LEFT_CHEEK):
        x, y, z = face.landmarks_px[at]
        seen = found.depth_px[int(y) - found.y_px, int(x) - found.x_px]
        assert abs(seen - z) < 2.5, at
    assert found.depth_px.min() == pytest.approx(face.landmarks_px[:, 2].min(), abs=1.5)


def test_normals_are_unit_and_look_at_the_camera(face: Face, renderer: Renderer) -> None:
    found = renderer(face, *SIZE)
    assert np.allclose(np.linalg.norm(found.normals[found.mask], axis=1), 1, atol=1e-3)
    assert (found.normals[~found.mask] == 0).all()
    assert np.median(found.normals[found.mask][:, 2]) < -0.7


def test_regions_lie_as_they_do_in_a_face(face: Face, renderer: Renderer) -> None:
    found = renderer(face, *SIZE)
    rows = {name: np.argwhere(found.regions == k)[:, 0].mean() for k, name in enumerate(REGIONS)}
    assert rows["brows"] < rows["eyes"] < rows["cheeks"] < rows["mouth"] < rows["jaw"]
    assert (found.regions[~found.mask] == -1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_black_where_no_face_is(kind: str, face: Face, renderer: Renderer) -> None:
    found = renderer(face, *SIZE)
    shown = found.picture(kind)
    assert shown.dtype == np.uint8 and shown.shape == (*found.mask.shape, 3)
    assert (shown[~found.mask] == 0).all() and (shown[found.mask].max(1) > 0).all()


def test_a_face_half_outside_is_cut_and_one_far_outside_is_empty(face: Face, renderer: Renderer) -> None:
    whole = renderer(face, *SIZE)
    moved = face.landmarks_px - np.array([face.landmarks_px[:, 0].mean(), 0, 0], np.float32)
    half = renderer(replace(face, landmarks_px=moved), *SIZE)
    assert half.x_px == 0 and 0.3 < half.mask.sum() / whole.mask.sum() < 0.7
    gone = renderer(replace(face, landmarks_px=moved - np.float32(5000)), *SIZE)
    assert gone.mask.size == 0 and gone.picture("depth").shape == (0, 0, 3)


def test_a_huge_face_is_rendered_coarser(face: Face, renderer: Renderer) -> None:
    corner = face.landmarks_px.min(0) * [1, 1, 0]
    large = ((face.landmarks_px - corner) * 12).astype(np.float32)
    found, small = renderer(replace(face, landmarks_px=large), 4096, 4096), renderer(face, *SIZE)
    assert max(found.mask.shape) > 1024
    assert found.mask.mean() == pytest.approx(small.mask.mean(), abs=0.02)
    assert found.depth_px.min() == pytest.approx(large[:, 2].min(), abs=20)
    x, y, z = large[NOSE_TIP]
    assert abs(found.depth_px[int(y) - found.y_px, int(x) - found.x_px] - z) < 20


def test_a_message_without_landmarks_has_no_pictures(face: Face, renderer: Renderer) -> None:
    none = replace(face, landmarks_px=np.full_like(face.landmarks_px, np.nan))
    assert renderer(none, *SIZE).mask.size == 0


def test_another_kind_is_named(face: Face, renderer: Renderer) -> None:
    with pytest.raises(SettingsError, match="render 'albedo'; valid: mask, depth, normals, regions"):
        renderer(face, *SIZE).picture("albedo")

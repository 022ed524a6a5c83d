"""A face as pictures: where it lies, what is in them, and what is in none."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import av
import numpy as np
import pytest

from tracker import Face, Tracker
from tracker.cli import cli
from tracker.errors import SettingsError
from tracker.face.camera import Camera
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.topology import CHIN, LEFT_CHEEK, LEFT_EYE_RING, NOSE_TIP, RIGHT_EYE_RING
from tracker.render import KINDS, Render, Renderer

SIZE = (640, 480)


def first_picture() -> av.VideoFrame:
    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height) == SIZE
    return picture


def placed(face: Face, width_px: float, left_px: float, top_px: float) -> Face:
    """The face that wide, its box's upper left corner there."""
    low = face.landmarks_px.min(0) * [1, 1, 0]
    scale = width_px / np.ptp(face.landmarks_px[:, 0])
    return replace(face, landmarks_px=((face.landmarks_px - low) * scale + [left_px, top_px, 0]).astype(np.float32))


def in_picture(found: Render, size: tuple[int, int]) -> np.ndarray:
    """Mask, region and depth, 0 where no face is: float [H, W, 3]."""
    whole = np.zeros((size[1], size[0], 3))
    tall, wide = found.mask.shape
    maps = np.stack([found.mask, found.regions + 1, np.where(found.mask, found.depth_px, 0)], 2)
    whole[found.y_px : found.y_px + tall, found.x_px : found.x_px + wide] = maps
    return whole


@pytest.fixture(scope="module")
def face() -> Face:
    (found,) = Tracker().track(first_picture())
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


def test_normals_and_depth_are_those_of_the_mesh_before_the_camera(renderer: Renderer) -> None:
    """Of a real estimate, far from the middle of the picture, where the viewing ray is turned by 25 degrees."""
    wide, tall = 1280, 960
    canvas = np.full((tall, wide, 3), 128, np.uint8)
    canvas[tall - SIZE[1] :, : SIZE[0]] = first_picture().to_ndarray(format="rgb24")
    (seen,) = Tracker().track(canvas)
    model, camera = FaceModel.load(), Camera.from_fov(wide, tall)
    head = model.mean_mm + np.tensordot(seen.identity, model.identity_mm, 1)
    cam = (head + np.tensordot(seen.blendshapes, model.expression_mm, 1)) @ seen.rotation.T + seen.translation_mm
    corners = cam[model.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(cam)
    for corner in range(3):
        np.add.at(normals, model.triangles[:, corner], across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    ray = seen.translation_mm / np.linalg.norm(seen.translation_mm)
    assert np.degrees(np.arccos(ray[2])) > 25
    found = renderer(seen, wide, tall)
    x, y = np.floor(seen.landmarks_px[:, :2] - [found.x_px, found.y_px]).astype(int).T
    plain = np.flatnonzero((normals @ ray < -0.7) & (np.arange(478) < 468))
    plain = plain[found.mask[y[plain], x[plain]]]
    off_deg = np.degrees(np.arccos(np.clip((found.normals[y[plain], x[plain]] * normals[plain]).sum(1), -1, 1)))
    assert np.median(off_deg) < 2 and np.quantile(off_deg, 0.95) < 8, "lips are creased: a pixel is far there"
    depth_mm = found.depth_px[y[plain], x[plain]] * seen.translation_mm[2] / camera.fx
    assert np.abs(depth_mm - (cam[plain] - seen.translation_mm) @ ray).max() < 2


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


@pytest.mark.parametrize(("left_px", "top_px"), [(-400, 20), (600, 100), (150, -500), (-300, 300)])
def test_a_large_face_that_is_cut_shows_what_the_whole_one_does(
    left_px: int, top_px: int, face: Face, renderer: Renderer
) -> None:
    cut = in_picture(renderer(placed(face, 800, left_px, top_px), *SIZE), SIZE)
    whole = in_picture(renderer(placed(face, 800, left_px + 600, top_px + 600), 2000, 2000), (2000, 2000))
    same = whole[600 : 600 + SIZE[1], 600 : 600 + SIZE[0]]
    assert (cut[:, :, 0] > 0).mean() > 0.02
    assert (np.abs(cut - same).max(2) < 1).mean() > 0.999


def test_no_place_or_size_is_refused(face: Face, renderer: Renderer) -> None:
    """However far triangles overhang a box, on any side, they are brought within the rasterizer's guard band."""
    random = np.random.default_rng(5)
    seen = 0
    for wide, tall in ((640, 480), (30, 1020), (1020, 30), (1030, 1024), (3, 2)) * 25:
        reach = np.exp(random.uniform(np.log(2), np.log(8000), 3))
        points = ((random.uniform(-1, 1, (478, 3)) + random.uniform(-1, 1, 3)) * reach).astype(np.float32)
        seen += renderer(replace(face, landmarks_px=points), wide, tall).mask.any()
    assert seen > 50


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e6, 1e7, 1e20, 3e38])
@pytest.mark.parametrize("where", [np.s_[:], np.s_[5], np.s_[5, 2]])
def test_landmarks_that_are_none_or_nowhere_have_no_pictures(
    value: float, where: object, face: Face, renderer: Renderer
) -> None:
    landmarks = face.landmarks_px.copy()
    landmarks[where] = value
    assert renderer(replace(face, landmarks_px=landmarks), *SIZE).mask.size == 0
    assert renderer(replace(face, landmarks_px=landmarks), 2**40, 2**40).mask.size == 0


def test_eyes_and_mouth_are_open(face: Face, renderer: Renderer) -> None:
    found = renderer(placed(face, 600, 0, 0), 700, 900)
    where = placed(face, 600, 0, 0).landmarks_px
    for ring in (LEFT_EYE_RING, RIGHT_EYE_RING):
        x, y = where[list(ring), :2].mean(0).astype(int)
        assert not found.mask[y, x] and found.regions[y, x] == -1


def test_a_face_that_stands_nowhere_is_seen_from_straight_ahead(face: Face, renderer: Renderer) -> None:
    aside = replace(face, translation_mm=np.array([400, 0, 700], np.float32))
    nowhere, ahead, turned = (
        renderer(replace(face, translation_mm=np.array(place, np.float32)), *SIZE).normals
        for place in ([0, 0, 0], [0, 0, 500], aside.translation_mm)
    )
    assert (nowhere == ahead).all()
    assert np.abs(turned - ahead).max() > 0.3


def test_another_kind_is_named(face: Face, renderer: Renderer) -> None:
    with pytest.raises(SettingsError, match="render 'albedo'; valid: mask, depth, normals, regions"):
        renderer(face, *SIZE).picture("albedo")


def test_the_command_line_offers_every_kind() -> None:
    (option,) = (option for option in cli.commands["run"].params if option.name == "render")
    assert tuple(option.type.choices) == KINDS

"""The demo clip's renderer: triangles without gaps, nearer before farther, and a person who follows the script."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tracker.distill import clip, head
from tracker.distill.corpus import Corpus
from tracker.distill.raster import Canvas, Mesh
from tracker.distill.texture import learn_texture, texel_triangles
from tracker.errors import SourceError
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel

CAMERA = Camera(100.0, 100.0, 32.0, 24.0)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


@pytest.fixture(scope="module")
def performer(model: FaceModel) -> clip.Performer:
    return clip.Performer(model, np.full((64, 64, 3), (205, 160, 138), np.uint8))


def square(depth_mm: float, rgb: tuple[float, float, float]) -> Mesh:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]]) * depth_mm * 0.15 + [0, 0, depth_mm]
    return head.flat(corners, np.array([[0, 1, 2], [1, 3, 2]], np.int32), rgb, lit=False)


def test_triangles_leave_no_gap_and_the_nearer_is_seen() -> None:
    canvas = Canvas(64, 48, CAMERA)
    canvas.clear(np.zeros((48, 64, 3), np.float32))
    canvas.paint(square(100, (0, 200, 0)))
    canvas.paint(square(300, (200, 0, 0)))  # as large in the picture, and behind
    picture = canvas.picture()
    assert (picture[10:38, 18:46] == (0, 200, 0)).all()
    assert (picture[:, :15] == 0).all()


def test_what_is_pushed_back_can_be_painted_over() -> None:
    canvas = Canvas(64, 48, CAMERA)
    canvas.clear(np.zeros((48, 64, 3), np.float32))
    hole = head.flat(
        square(100, (9, 9, 9)).vertices_mm, np.array([[0, 1, 2]], np.int32), (9, 9, 9), lit=False, push_mm=50
    )
    canvas.paint(hole)
    canvas.paint(square(120, (250, 250, 250)))
    assert (canvas.picture()[15, 20] == 250).all()


def test_script_says_what_the_face_does() -> None:
    assert clip.expression_at(0.55)[ARKIT_INDEX["eyeBlinkLeft"]] == 1
    assert clip.expression_at(1.9)[ARKIT_INDEX["jawOpen"]] == 1
    looks = clip.expression_at(4.2)
    assert looks[ARKIT_INDEX["eyeLookOutLeft"]] == looks[ARKIT_INDEX["eyeLookInRight"]] == 1
    assert looks[ARKIT_INDEX["eyeLookOutRight"]] == 0
    assert clip.at(2.95, "yaw") == 30
    assert clip.at(3.5, "yaw") == -30


def test_person_moves_in_the_picture_and_leaves_it(performer: clip.Performer) -> None:
    rest, jaw, gone = (performer.picture(seconds).astype(int) for seconds in (0.1, 1.9, 5.9))
    mouth = np.s_[290:370, 280:360]
    dark = [(picture[mouth].max(-1) < 110).sum() for picture in (rest, jaw)]
    assert dark[1] > dark[0] + 300  # it is dark between open lips
    skin = (rest[..., 0] > rest[..., 2] + 40) & (rest[..., 0] > 150)
    assert skin[150:380, 240:400].mean() > 0.5
    assert not ((gone[..., 0] > gone[..., 2] + 40) & (gone[..., 0] > 150))[:, :560].any()


def test_clip_is_an_ordinary_video(model: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "SECONDS", 0.2)
    path = clip.render_clip(model, np.full((64, 64, 3), 180, np.uint8), tmp_path / "clip.mp4")
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert [(f.width, f.height, f.format.name) for f in frames] == [(640, 480, "yuv420p")] * 6


def test_texture_is_what_the_people_share(model: FaceModel) -> None:
    """Faces painted in one colour, each at its own place and brightness: the texture is that colour."""
    random = np.random.default_rng(2)
    count, colour = 24, np.array([180.0, 130.0, 110.0])
    landmarks = np.empty((count, 478, 3), np.float32)
    patches = np.zeros((count, 224, 224, 3), np.uint8)
    for index in range(count):
        landmarks[index] = model.mean_mm * random.uniform(0.6, 0.75) + [*random.uniform(100, 124, 2) - [0, 20], 0]
        patches[index] = np.clip(colour * random.uniform(0.7, 1.2) + random.normal(0, 6, (224, 224, 3)), 0, 255)
    people = np.arange(count, dtype=np.int32)
    none = np.zeros(count, bool)
    corpus = Corpus(
        patches, landmarks, np.zeros((count, 52), np.float32), people, people, people.astype(np.int8), none, none
    )
    texture = learn_texture(corpus, model, people=20, size_px=64).astype(float)
    covered = texel_triangles(model, 64)[0] >= 0
    hue = texture[covered] / texture[covered].sum(1, keepdims=True)
    assert np.abs(hue - colour / colour.sum()).max() < 0.02
    assert texture[covered].std(0).max() < 4  # noise is averaged away
    with pytest.raises(SourceError, match="at least 10"):
        learn_texture(corpus, model, people=5)

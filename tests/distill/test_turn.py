"""Faces turned out of plane: pixels move where the landmarks say, flags are inherited, a cut run goes on."""

import shutil

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")
pytest.importorskip("torch", reason="training code needs torch, which comes with the train extra")

from tracker.distill import turn  # noqa: E402
from tracker.distill.bust import (  # noqa: E402
    DEPTH_SHARE,
    Frame,
    angles_of,
    contour_of,
    drawn_out,
    mould,
    rotation_of,
    shown,
    turned,
)
from tracker.distill.corpus import digest_of, load  # noqa: E402
from tracker.errors import SettingsError, SourceError  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402

SCALE = 0.7
# Nose tip and bridge, chin, and what is on the subject's left: eye corner, mouth corner, cheek.
SEEN = (4, 6, 152, 263, 291, 280)


@pytest.fixture(scope="module")
def model():
    return FaceModel.load()


@pytest.fixture(scope="module")
def frame(model):
    return Frame(model)


def flat_face(model, yaw_deg=0.0, pitch_deg=0.0):
    """A grey patch with a green dot at each landmark of `SEEN`, the landmarks, and how the head is held."""
    rotation = rotation_of(np.radians(pitch_deg), np.radians(yaw_deg), 0.0)
    landmarks = model.mean_mm @ rotation.T * SCALE
    landmarks -= landmarks.mean(0) - [112, 112, 0]
    patch = np.full((224, 224, 3), 90, np.uint8)
    for x, y in landmarks[list(SEEN), :2]:
        cv2.circle(patch, (round((x - 0.5) * 16), round((y - 0.5) * 16)), 40, (90, 250, 90), -1, cv2.LINE_AA, 4)
    return patch, landmarks.astype(np.float32), rotation.astype(np.float32)


def test_angles_read_back():
    for angles in ((0.2, -1.4, 0.3), (-0.5, 0.9, -0.1)):
        assert np.allclose(angles_of(rotation_of(*angles)), angles)


def test_the_contour_is_closed_and_goes_once_around(model):
    contour = contour_of(model.triangles)
    assert len(set(contour.tolist())) == len(contour) and {10, 152, 234, 454} <= set(contour.tolist())
    middle = model.mean_mm[contour, :2].mean(0)
    angle = np.unwrap(np.arctan2(*(model.mean_mm[np.append(contour, contour[0]), :2] - middle).T))
    assert np.isclose(abs(angle[-1] - angle[0]), 2 * np.pi)


@pytest.mark.parametrize("yaw_deg, pitch_deg", [(35, 0), (60, 0), (78, 0), (50, 25), (45, -25)])
def test_pixels_move_with_the_landmarks(model, frame, yaw_deg, pitch_deg):
    patch, landmarks, rotation = flat_face(model, yaw_deg=5)
    aim = rotation_of(np.radians(pitch_deg), np.radians(yaw_deg), 0.1)
    picture, moved = turned(mould(patch, landmarks, rotation, SCALE, frame), aim, frame)
    green = np.clip(picture[:, :, 1].astype(float) - picture[:, :, 0], 0, None)
    centres = np.arange(224) + 0.5
    for vertex in SEEN[:1] + SEEN[3:]:
        x, y = moved[vertex, :2]
        near = green * (np.hypot(centres[None] - x, centres[:, None] - y) < 4)
        assert near.sum() > 200, f"vertex {vertex} left no dot"
        at = np.array([(near.sum(0) * centres).sum(), (near.sum(1) * centres).sum()]) / near.sum()
        assert np.linalg.norm(at - [x, y]) < 1.6, f"vertex {vertex}"


def test_a_turned_face_is_the_same_face_centred(model, frame):
    patch, landmarks, rotation = flat_face(model)
    _, moved = turned(mould(patch, landmarks, rotation, SCALE, frame), rotation_of(0, 1.2, 0), frame)
    flattened = landmarks * [1, 1, DEPTH_SHARE]
    gaps = [np.linalg.norm(points[:, None] - points[None, :50], axis=2) for points in (flattened, moved)]
    assert np.allclose(*gaps, atol=1e-2)
    assert np.allclose((moved[:, :2].min(0) + moved[:, :2].max(0)) / 2, 112, atol=1e-3)
    assert abs(moved[:, 2].mean()) < 1e-3
    assert moved[4, 0] < moved[263, 0], "a positive yaw looks to the picture's left"


def test_a_far_contour_that_slid_is_put_back(model, frame):
    patch, landmarks, rotation = flat_face(model, yaw_deg=38)
    slid = landmarks.copy()
    far = [234, 93, 132]
    slid[far, 0] += 6
    _, right = turned(mould(patch, landmarks, rotation, SCALE, frame), rotation_of(0, 1.2, 0), frame)
    _, put_back = turned(mould(patch, slid, rotation, SCALE, frame), rotation_of(0, 1.2, 0), frame)
    apart = np.linalg.norm((put_back - put_back[4]) - (right - right[4]), axis=1)
    assert apart[far].max() < 1.5


def test_no_hole_where_the_head_is(model, frame):
    patch, landmarks, rotation = flat_face(model)
    bust = mould(patch, landmarks, rotation, SCALE, frame)
    picture, moved = turned(bust, rotation_of(0, np.radians(70), 0), frame, np.zeros_like(patch))
    hull = cv2.convexHull(moved[frame.contour, :2].astype(np.int32))
    inside = cv2.erode(cv2.fillConvexPoly(np.zeros((224, 224), np.uint8), hull, 1), np.ones((5, 5)))
    assert picture[inside > 0].min() > 60


def test_the_black_around_a_picture_is_drawn_over():
    patch = np.zeros((224, 224, 3), np.uint8)
    patch[30:200, 41:] = 120
    top, bottom, left, right = shown(patch)
    assert (top, bottom, left, right) == (31, 199, 42, 224)
    assert (drawn_out(patch) == 120).all()
    assert drawn_out(np.zeros_like(patch)).shape == patch.shape


def test_heads_are_turned_on_never_back():
    rng = np.random.default_rng(0)
    for start in (-40, -12, 12, 40):
        drawn = np.degrees([angles_of(turn.aim(rotation_of(0.1, np.radians(start), 0.2), rng))[:2] for _ in range(300)])
        pitch, yaw = drawn.T
        assert (np.sign(start) * yaw >= abs(start) - 1e-6).all() and np.abs(drawn).max() <= 90 + 1e-6
        assert np.abs(pitch).max() <= 35 + 1e-6 and (np.abs(yaw) > 60).mean() > 0.3


def packed(folder, model, yaws_deg=(0, 10, -15, 20, -30, 0)):
    """A corpus of one face each of six people, two of every kind, the last two for validation."""
    faces = [flat_face(model, yaw_deg) for yaw_deg in yaws_deg]
    count = len(faces)
    number = np.arange(count, dtype=np.int32)
    (folder / "corpus").mkdir(parents=True)
    np.stack([patch for patch, _, _ in faces]).tofile(folder / "corpus/patches.raw")
    np.savez(
        folder / "corpus/labels.npz", landmarks=np.stack([landmarks for _, landmarks, _ in faces]),
        scores=np.zeros((count, 52), np.float32) + number[:, None] / 1000, person=number, clip=number,
        kind=(number // 2).astype(np.int8), validation=number >= count - 2, open_licence=number == 0,
    )  # fmt: skip
    return folder


def test_the_shard_inherits_from_the_corpus(tmp_path, model):
    cache = packed(tmp_path, model)
    folder = turn.turn_faces(cache, 24, progress=lambda line: None)
    corpus = load(cache, in_memory=False)
    with np.load(folder / "labels.npz") as archive:
        labels = {name: archive[name] for name in archive}
    assert np.allclose(np.linalg.det(labels.pop("rotation")), 1, atol=1e-4)
    assert str(labels.pop("of")) == digest_of(corpus)
    assert set(labels) == {name for name in corpus.__slots__ if name != "patches"}
    for name, column in labels.items():
        assert len(column) == 24 and column.dtype == getattr(corpus, name).dtype, name
        assert name in ("landmarks", "kind") or (column == getattr(corpus, name)[labels["person"]]).all(), name
    assert (labels["kind"] == turn.TURNED).all() and (labels["person"][::2] == labels["person"][1::2]).all()
    assert 0 < labels["validation"].sum() < 24
    assert (folder / "patches.raw").stat().st_size == 24 * 224 * 224 * 3
    same = (labels["landmarks"] == corpus.landmarks[labels["person"]]).all((1, 2))
    assert 0 < same[::2].sum() < 12 and not same[1::2].any(), "some pairs start with the face as it is"


def test_a_run_cut_midway_goes_on(tmp_path, model, monkeypatch):
    monkeypatch.setattr(turn, "CHUNK_PAIRS", 2)
    whole = turn.turn_faces(packed(tmp_path / "whole", model), 10, seed=3, progress=lambda line: None)
    cache = packed(tmp_path / "cut", model)

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        turn.turn_faces(cache, 10, seed=3, progress=stop)
    with (cache / "turned/patches.raw").open("ab") as stream:
        stream.write(b"half a patch")
    said: list[str] = []
    again = turn.turn_faces(cache, 10, seed=3, progress=said.append)
    assert said == ["turned 8 of 10 faces", "turned 10 of 10 faces"]
    assert (again / "patches.raw").read_bytes() == (whole / "patches.raw").read_bytes()
    with np.load(again / "labels.npz") as cut, np.load(whole / "labels.npz") as plain:
        assert all((cut[name] == plain[name]).all() for name in plain)


def test_another_corpus_is_turned_anew(tmp_path, model):
    cache, said = packed(tmp_path, model), []
    turn.turn_faces(cache, 6, progress=said.append)
    turn.turn_faces(cache, 6, progress=said.append)
    assert said == ["turned 6 of 6 faces"]
    shutil.rmtree(cache / "corpus")  # its people are numbered anew, and some may be gone
    folder = turn.turn_faces(packed(tmp_path, model, (0, 10)), 4, progress=said.append)
    assert said[1:] == ["turned 4 of 4 faces"]
    with np.load(folder / "labels.npz") as labels:
        assert len(labels["person"]) == 4 and labels["person"].max() <= 1
    assert (folder / "patches.raw").stat().st_size == 4 * 224 * 224 * 3


def test_what_cannot_be_turned_is_said(tmp_path, model):
    with pytest.raises(SettingsError, match="count 7 .* even"):
        turn.turn_faces(tmp_path, 7)
    with pytest.raises(SourceError, match="holds no corpus"):
        turn.turn_faces(tmp_path, 2)
    with pytest.raises(SourceError, match="none of the 2 faces"):
        turn.turn_faces(packed(tmp_path / "aside", model, (60, -70)), 2)

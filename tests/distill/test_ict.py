"""The ICT head in our axes: on a small stand-in of its file, and on the real one where the data folder has it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tracker.distill.ict import EYES, LOOK_DEG, PARTS, Ict, looking
from tracker.errors import AssetError
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES, ICT_NAMES


def ball(centre: tuple[float, float, float], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A sphere in ICT's axes, counter-clockwise seen from outside."""
    lift, turn = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 9), np.linspace(0, 2 * np.pi, 12, endpoint=False))
    points = np.stack([np.sin(lift) * np.sin(turn), np.cos(lift), np.sin(lift) * np.cos(turn)], -1).reshape(-1, 3)
    row, column = np.meshgrid(np.arange(12), np.arange(8), indexing="ij")
    a, b = row * 9 + column, (row + 1) % 12 * 9 + column
    triangles = np.concatenate([np.stack([a, a + 1, b], -1), np.stack([a + 1, b + 1, b], -1)]).reshape(-1, 3)
    return points * radius + centre, triangles


def write_stand_in(folder: Path, without: str = "") -> Path:
    """A head of seven balls with every expression, each moving the face ball by its own distance."""
    centres = {"M_ScleraLeft": (3.0, 3.6, 8.0), "M_ScleraRight": (-3.0, 3.6, 8.0)}
    vertices, triangles, material = [], [], []
    for number, part in enumerate(PARTS):
        points, faces = ball(centres.get(part, (0.0, 0.0, -1.0 * number)), 1.5 if part in EYES else 9.0)
        triangles.append(faces + sum(map(len, vertices)))
        vertices.append(points)
        material.append(np.full(len(faces), number, np.uint8))
    neutral, faces = np.concatenate(vertices).astype(np.float32), np.concatenate(triangles).astype(np.int32)
    names = [name for parts in ICT_NAMES.values() for name in parts if name != without]
    expression = np.zeros((len(names), len(neutral), 3), np.float16)
    expression[:, : len(vertices[0]), 1] = np.arange(1, len(names) + 1)[:, None] / 64
    identity = np.random.default_rng(0).normal(0, 0.01, (5, len(neutral), 3)).astype(np.float16)
    np.savez(
        folder / "ict_facekit_light.npz", neutral=neutral, triangles=faces, uv=np.zeros((len(neutral), 2), np.float32),
        uv_triangles=faces, triangle_material=np.concatenate(material), materials=np.array(PARTS), identity=identity,
        expression=expression, expression_names=np.array(names),
    )  # fmt: skip
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": list(range(68))}))
    return folder


def test_every_arkit_shape_but_the_tongue_has_its_like() -> None:
    assert list(ICT_NAMES) == list(ARKIT_NAMES)
    used = [name for parts in ICT_NAMES.values() for name in parts]
    assert len(used) == len(set(used)) == 53
    assert ICT_NAMES["tongueOut"] == ()
    assert ICT_NAMES["browInnerUp"] == ("browInnerUp_L", "browInnerUp_R")
    assert ICT_NAMES["mouthLeft"] == ("mouthLeft",)
    assert ICT_NAMES["eyeLookInLeft"] == ("eyeLookIn_L",)


def test_our_axes_and_the_origin_between_the_eyes(tmp_path: Path) -> None:
    ict = Ict.load(write_stand_in(tmp_path))
    left, right = ict.eyeballs_mm(ict.neutral_mm)
    assert np.allclose(left, [30, 0, 0], atol=1e-3) and np.allclose(right, [-30, 0, 0], atol=1e-3)
    # Up in ICT is up in the picture: y falls.
    assert (ict.expression_mm[ARKIT_INDEX["jawOpen"], ict.vertices_of("M_Face"), 1] < 0).all()
    person = ict.person(np.ones(5))
    assert np.allclose(ict.eyeballs_mm(person).mean(0), 0, atol=1e-4)


def test_the_split_shapes_are_one(tmp_path: Path) -> None:
    ict = Ict.load(write_stand_in(tmp_path))
    with np.load(tmp_path / "ict_facekit_light.npz") as archive:
        names = list(archive["expression_names"])
    parts = [(names.index(f"cheekPuff_{side}") + 1) / 64 for side in "LR"]
    moved = ict.expression_mm[ARKIT_INDEX["cheekPuff"], ict.vertices_of("M_Face"), 1]
    assert np.allclose(moved, -10 * sum(parts), rtol=1e-3)


def test_eyes_turn_with_the_look(tmp_path: Path) -> None:
    ict = Ict.load(write_stand_in(tmp_path))
    weights = np.zeros(52, np.float32)
    weights[ARKIT_INDEX["eyeLookOutLeft"]] = 1.0
    vertices, gaze = ict.act(ict.neutral_mm, weights)
    angle = np.radians(LOOK_DEG["Out"])
    assert np.allclose(gaze, [[np.sin(angle), 0, -np.cos(angle)], [0, 0, -1]])
    eye = ict.span_of("M_ScleraLeft")
    pole = int(ict.neutral_mm[eye, 2].argmin())
    before, after = (np.asarray(v[eye][pole], float) - [30, 0, 0] for v in (ict.neutral_mm, vertices))
    assert np.degrees(np.arccos(before @ after / (before @ before))) == pytest.approx(LOOK_DEG["Out"], abs=2)
    assert np.allclose(np.linalg.norm(vertices[eye] - [30, 0, 0], axis=1), 15, atol=0.01)


def test_down_is_down_and_left_is_the_subjects() -> None:
    weights = np.zeros(52)
    weights[[ARKIT_INDEX["eyeLookDownRight"], ARKIT_INDEX["eyeLookInRight"]]] = 0.5
    left, right = looking(weights)
    assert right[1] > 0 and right[0] > 0  # in, for the right eye, is towards the subject's left
    assert np.allclose(left, [0, 0, -1])
    assert np.linalg.norm(right) == pytest.approx(1)


def test_what_is_no_such_model_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no file at"):
        Ict.load(tmp_path)
    write_stand_in(tmp_path, without="jawOpen")
    with pytest.raises(AssetError, match="jawOpen"):
        Ict.load(tmp_path)
    (tmp_path / "ict_facekit_light.npz").write_bytes(b"no archive")
    with pytest.raises(AssetError, match="is not an ICT-FaceKit model"):
        Ict.load(tmp_path)


def test_the_real_head_lies_as_ours_does(data_dir: Path) -> None:
    ict = Ict.load(data_dir / "ict")
    eyes = ict.eyeballs_mm(ict.neutral_mm)
    assert np.allclose(eyes, [[31.1, 0, 0], [-31.1, 0, 0]], atol=0.3)
    nose, chin = ict.neutral_mm[ict.points_68[[30, 8]]]
    assert nose[2] < -40 and chin[1] > 90
    lid = ict.expression_mm[ARKIT_INDEX["eyeBlinkLeft"]]
    moved = ict.neutral_mm[np.linalg.norm(lid, axis=1) > 4]
    assert (moved[:, 0] > 0).all(), "the left lid is at +x"

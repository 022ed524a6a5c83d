"""The file: what is written is read again, people may edit it, and whatever is wrong with one is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.calibrate import Profile, ShapeRange, read_profile, require_place, write_profile
from tracker.errors import OutputError, ProfileError

MODEL = bytes.fromhex("0011223344556677")
SHAPES = tuple(ShapeRange(k / 200, 0.01, None if k % 3 else 0.9) for k in range(52))
ANNA = Profile("Anna", MODEL, np.linspace(-2, 2, 64).round(4).astype(np.float32), SHAPES, 12.3, True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "people" / "anna.json"
    write_profile(ANNA, written)
    return written


def edited(path: Path, **change: object) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ProfileError) as caught:
        read_profile(path, MODEL, 64)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_written_is_read_again(path: Path) -> None:
    got = read_profile(path, MODEL, 64)
    assert (got.name, got.model_hash, got.seconds, got.guided) == ("Anna", MODEL, 12.3, True)
    assert got.shapes == ANNA.shapes and np.array_equal(got.identity, ANNA.identity)
    assert got.id == ANNA.id and len(got.id) == 8
    assert [file.name for file in path.parent.iterdir()] == ["anna.json"], "nothing is left beside it"


def test_a_name_that_is_no_text_can_be_read_again(path: Path) -> None:
    write_profile(replace(ANNA, name="caf\udce9"), path)  # the bytes of a file's name in an older encoding
    assert read_profile(path, MODEL, 64).name == "caf?"


def test_people_can_read_it(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert '    "eyeBlinkLeft": {"neutral": 0.0, "noise": 0.01, "range": 0.9},' in lines and len(lines) < 70


def test_an_editor_may_have_put_a_byte_order_mark_there(path: Path) -> None:
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_profile(path, MODEL, 64).id == ANNA.id


def test_the_id_is_of_what_matters(path: Path) -> None:
    assert read_profile(edited(path, name="Anna B.", note="new glasses")).id == ANNA.id
    other = replace(ANNA, shapes=(replace(SHAPES[0], neutral=0.01), *SHAPES[1:]))
    assert len({ANNA.id, other.id, replace(ANNA, identity=ANNA.identity + 1).id}) == 3


def test_nothing_there(tmp_path: Path) -> None:
    assert "facewire calibrate" in complaint(tmp_path / "nobody.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "damaged"), ("{", "damaged"), ("[]", "damaged"), ("\x00\xff", "damaged"), ("{}", "no facewire_profile"),
        ('{"facewire_profile": 2}', "format 2"), ('{"facewire_profile": "x"}', "format 'x'"),
        ('{"facewire_profile": 1}', "name"), ("[" * 5000, "damaged"),
    ],
)  # fmt: skip
def test_other_files(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="latin-1")
    assert says in complaint(path)


def test_a_video_is_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "take.mp4"
    path.write_bytes(bytes(2_000_000))
    assert "too large" in complaint(path)


def test_another_face_model(path: Path) -> None:
    said = complaint(edited(path, face_model="8899aabbccddeeff"))
    assert "8899aabbccddeeff" in said and MODEL.hex() in said and "calibrate again" in said
    assert "damaged" in complaint(edited(path, face_model="not hex"))


def test_identities_that_do_not_fit(path: Path) -> None:
    assert "63 identity" in complaint(edited(path, identity=[0.0] * 63))
    assert "beyond 100" in complaint(edited(path, identity=[1e9] * 64))
    assert "identity" in complaint(edited(path, identity="?"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"neutral": 1.5}, "neutral of jawOpen is 1.5"), ({"noise": -1}, "noise of jawOpen"),
        ({"range": 0.01}, "below its neutral"), ({"range": 2}, "range of jawOpen"), ({"neutral": "much"}, "neutral"),
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be(path: Path, change: dict, says: str) -> None:
    shapes = json.loads(path.read_text())["shapes"]
    shapes["jawOpen"] |= change
    assert says in complaint(edited(path, shapes=shapes))


def test_shapes_missing_and_unknown(path: Path) -> None:
    shapes = json.loads(path.read_text())["shapes"]
    assert "unknown shape 'jawWide'" in complaint(edited(path, shapes=shapes | {"jawWide": shapes["jawOpen"]}))
    shapes.pop("jawOpen")
    assert "no shape 'jawOpen'" in complaint(edited(path, shapes=shapes))


def test_what_is_no_profile_is_not_replaced(tmp_path: Path, path: Path) -> None:
    precious = tmp_path / "notes.json"
    precious.write_text('{"do": "not lose"}')
    with pytest.raises(OutputError, match="no profile"):
        write_profile(ANNA, precious)
    assert "not lose" in precious.read_text()
    write_profile(replace(ANNA, name="Bea"), path)
    assert read_profile(path).name == "Bea"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--out"):
        write_profile(ANNA, tmp_path / "file" / "anna.json")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"), ("folder.json", "is a folder"), ("file/anna.json", "cannot write"),
        ("new/anna", r"anna\.json.*NAME\.json"), ("anna.txt", r"anna\.txt\.json"), ("file.json", "no profile"),
        ("x" * 300 + ".json", "cannot write"), ("x" * 248 + ".json", "cannot write"),
    ],
)  # fmt: skip
def test_a_place_where_no_profile_can_be_is_known_beforehand(tmp_path: Path, name: str, says: str) -> None:
    for folder in ("folder", "folder.json"):
        (tmp_path / folder).mkdir()
    for file in ("file", "file.json"):
        (tmp_path / file).write_text("precious")
    before = sorted(tmp_path.iterdir())
    for asked in (require_place, lambda path: write_profile(ANNA, path)):
        with pytest.raises(OutputError, match=says) as caught:
            asked(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "file.json").read_text() == "precious"


def test_a_place_is_left_as_it_is(tmp_path: Path, path: Path) -> None:
    written = path.read_bytes()
    require_place(path)
    assert path.read_bytes() == written
    require_place(tmp_path / "new" / "bea.json")
    assert list((tmp_path / "new").iterdir()) == []

"""Whose profile is applied, what it changes and what not, and how an edit takes effect while frames go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.calibrate import CalibrateSettings, Calibrator, Profile, ShapeRange, write_profile
from tracker.calibrate.calibrator import MATCH_EVERY
from tracker.calibrate.shelf import LOOK_SECONDS, Shelf, metric
from tracker.errors import ProfileError, SettingsError
from tracker.face.model import FaceModel
from tracker.wire import decode

GOLDEN = decode((Path(__file__).resolve().parents[1] / "golden" / "frame_v1_0.bin").read_bytes()).faces[0]
MODEL = FaceModel.load()
TO_MM = metric(MODEL.identity_mm)
LATER_NS = int(2 * LOOK_SECONDS * 1e9)


def person(name: str, seed: int, neutral: float = 0.1) -> Profile:
    identity = np.random.default_rng(seed).normal(0, 1, 64).round(4).astype(np.float32)
    return Profile(name, MODEL.hash, identity, (ShapeRange(neutral, 0.0, None),) * 52, 10.0, False)


ANNA, BEA = person("Anna", 1), person("Bea", 2, neutral=0.3)


def face_of(profile: Profile, away_mm: float = 0.0, **known: object):  # type: ignore[no-untyped-def]
    """A face so far from the profile's, all of whose shapes read 0.4."""
    step = np.random.default_rng(9).normal(0, 1, 64)
    identity = profile.identity + away_mm * step / np.linalg.norm(step @ TO_MM)
    shapes = np.full(52, 0.4, np.float32)
    fields = {"identity": identity.astype(np.float32), "blendshapes": shapes} | known
    return replace(GOLDEN, **fields)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_profile(ANNA, tmp_path / "anna.json")
    write_profile(BEA, tmp_path / "bea.json")
    return tmp_path


def test_distance_is_that_of_the_faces_at_rest() -> None:
    apart = np.einsum("i,ivx->vx", ANNA.identity - BEA.identity, MODEL.identity_mm.astype(np.float64))
    wanted = np.sqrt((apart**2).sum(1).mean())
    assert np.linalg.norm((ANNA.identity - BEA.identity) @ TO_MM) == pytest.approx(wanted, rel=1e-6)
    assert wanted > 1.2, "they are two people to the calibrator"


def test_without_a_profile_nothing_changes() -> None:
    face = face_of(ANNA)
    assert Calibrator(CalibrateSettings(), MODEL)(face) is face


def test_each_gets_the_profile_that_is_theirs(folder: Path) -> None:
    calibrator = Calibrator(CalibrateSettings(folder), MODEL)
    anna = calibrator(face_of(ANNA, 0.5, track_id=1))
    bea = calibrator(face_of(BEA, 0.5, track_id=2))
    stranger = calibrator(face_of(ANNA, 1.5, track_id=3))
    assert (anna.profile_id, bea.profile_id, stranger.profile_id) == (ANNA.id, BEA.id, b"")
    assert 0.3 < anna.blendshapes[0] < 0.36 and 0.1 < bea.blendshapes[0] < 0.2 and stranger.blendshapes[0] > 0.39


def test_only_the_filtered_shapes_are_touched(folder: Path) -> None:
    given = face_of(ANNA)
    before = given.blendshapes.copy()
    got = Calibrator(CalibrateSettings(folder), MODEL)(given)
    assert got.blendshapes is not given.blendshapes and np.array_equal(given.blendshapes, before)
    for name in ("blendshapes_raw", "landmarks_px", "rotation", "gaze", "identity", "deviation", "region_confidence"):
        assert getattr(got, name) is getattr(given, name)


def test_the_distance_can_be_set(folder: Path) -> None:
    anybody = Calibrator(CalibrateSettings(folder / "anna.json", float("inf")), MODEL)
    assert anybody(face_of(BEA)).profile_id == ANNA.id
    strict = Calibrator(CalibrateSettings(folder, 0.2), MODEL)
    assert strict(face_of(ANNA, 0.3)).profile_id == b""
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingsError, match="profile_distance_mm"):
            CalibrateSettings(folder, wrong)


def test_a_profile_stays_with_its_track_but_not_for_ever(folder: Path) -> None:
    """The identity is a running mean: at the edge it must not go to and fro."""
    calibrator = Calibrator(CalibrateSettings(folder), MODEL)
    assert calibrator(face_of(ANNA, 0.9)).profile_id == ANNA.id
    for _ in range(2 * MATCH_EVERY):
        assert calibrator(face_of(ANNA, 1.1)).profile_id == ANNA.id
    last = [calibrator(face_of(ANNA, 1.5)).profile_id for _ in range(MATCH_EVERY + 1)]
    assert last[-1] == b""
    assert calibrator(face_of(ANNA, 1.1)).profile_id == b"", "and it does not come back from there"
    calibrator.drop(GOLDEN.track_id)
    assert calibrator(face_of(ANNA, 0.9)).profile_id == ANNA.id


def between(one: Profile, other: Profile, share: float):  # type: ignore[no-untyped-def]
    """A face so far on the way from one profile's to another's."""
    return face_of(replace(one, identity=one.identity + share * (other.identity - one.identity)))


def test_two_profiles_that_are_about_as_near_do_not_take_turns(tmp_path: Path) -> None:
    """Such as two takes of one person: each has its own zero, and the shapes would jump from one to the other."""
    apart_mm = np.linalg.norm((BEA.identity - ANNA.identity) @ TO_MM)
    again = replace(BEA, identity=ANNA.identity + (BEA.identity - ANNA.identity) * np.float32(0.8 / apart_mm))
    for name, profile in (("anna", ANNA), ("again", again)):
        write_profile(profile, tmp_path / f"{name}.json")
    calibrator = Calibrator(CalibrateSettings(tmp_path), MODEL)
    first = calibrator(between(ANNA, again, 0.45)).profile_id
    shares = np.repeat([0.55, 0.45, 0.52], MATCH_EVERY + 1)
    assert {calibrator(between(ANNA, again, share)).profile_id for share in shares} == {first}
    last = [calibrator(between(ANNA, again, 0.7)).profile_id for _ in range(MATCH_EVERY + 1)]
    assert last[-1] != first, "who is clearly the other one gets the other one's"


def test_what_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no profile in the folder"):
        Calibrator(CalibrateSettings(tmp_path), MODEL)
    with pytest.raises(ProfileError, match=r"nobody\.json"):
        Calibrator(CalibrateSettings(tmp_path / "nobody.json"), MODEL)
    write_profile(replace(ANNA, model_hash=b"another."), tmp_path / "foreign.json")
    with pytest.raises(ProfileError, match="made with face model"):
        Calibrator(CalibrateSettings(tmp_path), MODEL)


class Looks:
    """A shelf over a path, looked at again and again as time goes on, and what it complained of."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.shelf = Shelf(path, MODEL, self.said.append)
        self._now_ns = 10**18

    def __call__(self) -> dict[str, bytes]:
        self._now_ns += LATER_NS
        self.shelf.refresh(self._now_ns)
        return {path.name: held.id for path, held in self.shelf.held.items()}


def test_an_edit_is_applied_to_tracks_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10**18]
    monkeypatch.setattr("tracker.calibrate.shelf.monotonic_ns", lambda: now[0])
    calibrator = Calibrator(CalibrateSettings(folder), MODEL)
    assert calibrator(face_of(ANNA)).profile_id == ANNA.id
    again = replace(ANNA, shapes=(ShapeRange(0.2, 0.0, None),) * 52)
    write_profile(again, folder / "anna.json")
    assert calibrator(face_of(ANNA)).profile_id == ANNA.id, "nobody looks at every frame"
    now[0] += LATER_NS
    assert calibrator(face_of(ANNA)).profile_id == again.id


def test_a_broken_edit_leaves_the_last_good_one_and_is_told_once(folder: Path) -> None:
    looks, path = Looks(folder), folder / "anna.json"
    good = path.read_text()
    path.write_text(good[:300])
    for _ in range(3):
        assert looks()["anna.json"] == ANNA.id
    assert len(looks.said) == 1 and "anna.json" in looks.said[0] and "stays in use" in looks.said[0]
    path.write_text(good[:200])  # another way to be broken; what is wrong with it may read the same
    assert looks()["anna.json"] == ANNA.id and len(looks.said) <= 2
    path.write_text(good.replace('"range": null', '"range": 0.9'))
    assert looks()["anna.json"] != ANNA.id


def test_files_come_and_go_in_a_folder(folder: Path) -> None:
    looks = Looks(folder)
    write_profile(person("Cleo", 3), folder / "cleo.json")
    (folder / "notes.txt").write_text("not a profile")
    assert set(looks()) == {"anna.json", "bea.json", "cleo.json"}
    (folder / "anna.json").unlink()
    assert set(looks()) == {"bea.json", "cleo.json"}
    (folder / "new.json").write_text("{}")
    assert set(looks()) == {"bea.json", "cleo.json"} and "not used" in looks.said[0]
    for path in folder.glob("*.json"):
        path.unlink()
    assert looks() == {} and len(looks.said) == 1


def test_a_folder_that_is_gone_leaves_what_was_read(folder: Path) -> None:
    looks = Looks(folder)
    folder.rename(folder.with_name("elsewhere"))
    assert set(looks()) == {"anna.json", "bea.json"} and not looks.said


def test_a_single_file_that_is_gone_stays_in_use(folder: Path) -> None:
    looks = Looks(folder / "anna.json")
    (folder / "anna.json").unlink()
    assert looks() == looks() == {"anna.json": ANNA.id} and len(looks.said) == 1
    write_profile(replace(ANNA, seconds=99.0), folder / "anna.json")
    assert looks() == {"anna.json": ANNA.id} and looks.shelf.held[folder / "anna.json"].profile.seconds == 99


def test_without_profiles_left_faces_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10**18]
    monkeypatch.setattr("tracker.calibrate.shelf.monotonic_ns", lambda: now[0])
    calibrator = Calibrator(CalibrateSettings(folder), MODEL)
    for path in folder.glob("*.json"):
        path.unlink()
    now[0] += LATER_NS
    assert calibrator(face_of(ANNA)).profile_id == b""

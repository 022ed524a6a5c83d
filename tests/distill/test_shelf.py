"""A label counts for the file it was made of, and the corpus holds what the data holds now."""

import shutil

import numpy as np
import pytest

pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.corpus import KINDS, People, load, pack  # noqa: E402
from tracker.distill.label import Labelled, save  # noqa: E402
from tracker.distill.shelf import Shelf, digest  # noqa: E402
from tracker.errors import AssetError, SourceError  # noqa: E402

TEACHER = "a" * 64


def _labelled(value):
    return Labelled(
        np.full((1, 224, 224, 3), value, np.uint8), np.zeros((1, 478, 3), np.float32),
        np.full((1, 52), value, np.float32), np.zeros(1, np.int32), np.zeros((1, 3), np.float32),
    )  # fmt: skip


def _write(data, cache, *names, kind="clips"):
    """Files of different content, labelled; the value of a label is its file's number."""
    for value, name in enumerate(names):
        path = data / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        save(_labelled(value), Shelf.of(data, cache, kind).place(path), digest(path), TEACHER)


@pytest.fixture
def places(tmp_path):
    return tmp_path / "data", tmp_path / "cache"


def test_files_that_share_a_stem_keep_their_own_labels_and_are_other_people(places):
    data, cache = places
    _write(data, cache, "talk.mov", "talk.mp4", "anna/take1.mp4", "bob/take1.mp4")
    _write(data, cache, "me.jpeg", "me.jpg", kind="images")
    corpus = pack(cache, data)
    assert sorted(corpus.scores[corpus.kind == 0, 0]) == [0, 1, 2, 3]
    assert sorted(corpus.scores[corpus.kind == 1, 0]) == [0, 1]
    assert len(np.unique(corpus.person)) == len(np.unique(corpus.clip)) == 6


def test_what_was_replaced_is_labelled_anew_and_what_was_deleted_is_gone(places):
    data, cache = places
    _write(data, cache, "a.mp4", "b.mp4", "c.mp4")
    shelf, paths = Shelf.of(data, cache, "clips"), [data / "clips" / f"{name}.mp4" for name in "abc"]
    assert all(shelf.find(path, TEACHER) == shelf.place(path) for path in paths)
    assert shelf.find(paths[0], "b" * 64) is None, "another teacher is asked again"
    paths[0].write_text("another clip")
    paths[1].unlink()
    assert shelf.find(paths[0]) is None
    assert pack(cache, data).scores[:, 0].tolist() == [2]
    with pytest.raises(SourceError, match="no labels of"):
        pack(cache, data.parent / "other data")


def test_early_labels_count_where_they_can_be_of_one_file_only(places):
    data, cache = places
    _write(data, cache, "one.mp4", "two.mp4", "two.mov")
    labels = cache / "labels/clips"
    for name in ("one", "two"):
        shutil.move(labels / f"{name}.mp4.npz", labels / f"{name}.npz")
    shelf = Shelf.of(data, cache, "clips")
    assert shelf.find(data / "clips/one.mp4", TEACHER) == labels / "one.npz"
    assert shelf.find(data / "clips/two.mp4") is None and shelf.find(data / "clips/two.mov") is not None
    (labels / "one.npz").write_bytes(b"")
    assert shelf.find(data / "clips/one.mp4") is None


@pytest.mark.parametrize("keep", [0, 100, -300])
def test_a_damaged_label_is_labelled_anew(places, keep):
    data, cache = places
    _write(data, cache, "a.mp4")
    label = cache / "labels/clips/a.mp4.npz"
    label.write_bytes(label.read_bytes()[:keep])
    assert Shelf.of(data, cache, "clips").find(data / "clips/a.mp4") is None


def test_a_label_with_flipped_bits_is_named(places):
    data, cache = places
    _write(data, cache, "a.mp4")
    label = cache / "labels/clips/a.mp4.npz"
    content = bytearray(label.read_bytes())
    content[5000:5100] = bytes(100 * [7])
    label.write_bytes(content)
    with pytest.raises(AssetError, match=r"a\.mp4\.npz is damaged.*distill label"):
        pack(cache, data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_manifest_from_a_spreadsheet_is_read_or_refused(tmp_path, encoding):
    (tmp_path / "manifest.csv").write_text("file,identity,open\nclips/a.mp4,André,1\n", encoding=encoding)
    if encoding == "utf-8-sig":
        assert People(tmp_path).name(tmp_path / "clips/a.mp4") == "André"
        return
    with pytest.raises(SourceError, match="save it as CSV in UTF-8"):
        People(tmp_path)


def test_a_user_s_own_files_are_open_and_listed_ones_as_they_are_listed(places):
    data, cache = places
    _write(data / "train", cache, "listed.mp4", "free.mp4", "own.mp4")
    rows = "train/clips/listed.mp4,anna,0\ntrain/clips/free.mp4,bob,1\n"
    (data / "manifest.csv").write_text(f"file,identity,open\n{rows}")
    pack(cache, data)
    assert sorted(load(cache, open_only=True, in_memory=False).scores[:, 0]) == [1, 2]
    people = People(data)
    assert people.name(data / "train/clips/free.mp4") == "bob"
    assert not people.open(data / "train/aflw_crops/own.jpg", KINDS[2]), "AFLW is research material"
    (data / "manifest.csv").write_text("words\n")
    with pytest.raises(SourceError, match="no column file"):
        People(data)

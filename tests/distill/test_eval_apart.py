"""Nothing that judges the student has taught it: no file and no picture of the eval folders is among what is learned.

Files are compared by SHA-256. All stills, and the key frames of all clips, are compared by a hash of what they show,
which knows a whole picture again after scaling and re-encoding; a part cut out of one, a mirrored one, and other
moments of a clip it does not. AFLW's crops of single faces are compared as faces, whatever their framing. What the
training set holds of eval all the same, under other names, is left out (`distill.apart`), and that is tested.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="reading images needs OpenCV, which comes with the train extra")

from tracker.distill.apart import FLAT, POINTS_68, eval_faces, shown_in_eval, whole_pictures  # noqa: E402
from tracker.distill.copies import SAME_BITS, bits_apart, copies, framed, picture_hash  # noqa: E402

STILLS = ("aflw2000", "w300")


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".jpg", ".png"))


def _key_frames(folder):
    """Paths and hashes of the clips' key frames."""
    import av

    shown = []
    for path in _files(folder):
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.skip_frame = "NONKEY"
            greys = (np.ascontiguousarray(frame.to_ndarray(format="gray")) for frame in container.decode(video=0))
            shown += [(path, picture_hash(grey)) for grey in greys if grey.std() > FLAT]
    return [path for path, _ in shown], np.array([bits for _, bits in shown])


@pytest.fixture(scope="module")
def judges(data_dir):
    """Eval's stills and key frames, and their hashes."""
    stills, hashes = whole_pictures([path for name in STILLS for path in _files(data_dir / "eval" / name)])
    frames, moving = _key_frames(data_dir / "eval/clips")
    return [*stills, *frames], np.concatenate([hashes, moving])


def test_no_file_is_in_both(data_dir):
    def by_size(folder):
        found = {}
        for path in _files(folder):
            found.setdefault(path.stat().st_size, []).append(path)
        return found

    train, judge = by_size(data_dir / "train"), by_size(data_dir / "eval")
    assert train and judge
    for size in train.keys() & judge.keys():  # files of unlike size are unlike
        ours, theirs = (
            {hashlib.sha256(path.read_bytes()).hexdigest() for path in by[size]} for by in (train, judge)
        )  # fmt: skip
        assert not ours & theirs, f"files of {size} bytes are in both train and eval"


def test_no_picture_that_teaches_is_in_both(data_dir, judges):
    theirs, judge = judges
    left_out = shown_in_eval(data_dir)
    learned = [path for path in _files(data_dir / "train/images") if f"images/{path.name}" not in left_out]
    (stills, hashes), (frames, moving) = whole_pictures(learned), _key_frames(data_dir / "train/clips")
    ours, train = [*stills, *frames], np.concatenate([hashes, moving])
    assert len(ours) > 1900 and len(theirs) > 1200
    bits = bits_apart(train, judge)
    row, column = np.unravel_index(bits.argmin(), bits.shape)
    assert bits[row, column] > SAME_BITS, f"{ours[row].name} shows what {theirs[column].name} shows"


def test_a_picture_of_eval_among_the_training_would_be_seen(judges, tmp_path):
    theirs, judge = judges
    planted = [path for path in theirs if path.suffix != ".mp4"][::60]
    for path in planted:
        picture = cv2.imread(str(path))
        small = cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(tmp_path / path.name), small, [cv2.IMWRITE_JPEG_QUALITY, 70])
    _, hashes = whole_pictures(_files(tmp_path))
    assert len(hashes) == len(planted) > 15
    assert (bits_apart(hashes, judge).min(1) <= SAME_BITS).all()
    strangers = picture_hash(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8))
    assert bits_apart(strangers[None], judge).min() > SAME_BITS


def test_no_crop_that_teaches_shows_a_face_of_eval(data_dir):
    from tracker.distill.corpus import aflw_truth

    left_out = {name for name in shown_in_eval(data_dir) if name.startswith("aflw_crops/")}
    assert 50 < len(left_out) < 150, "AFLW holds photographs of eval under other numbers"
    taught = aflw_truth(data_dir)
    assert not {f"aflw_crops/{stem}.jpg" for stem in taught} & left_out
    assert len(taught) + len(left_out) == len(_files(data_dir / "train/aflw_crops"))


def test_a_face_of_eval_among_the_crops_would_be_seen(data_dir):
    """Cropped as AFLW's are, at another size, re-encoded, the points set a little differently."""
    rng, folder, planted = np.random.default_rng(0), data_dir / "eval/aflw2000", []
    with np.load(folder / "truth.npz") as truth:
        names, points = truth["image"][::50], truth["points_68_px"][::50, :2].transpose(0, 2, 1).astype(float)
    for name, face in zip(names, points, strict=True):
        low, high = face.min(0), face.max(0)
        side = float((high - low).max()) * 1.5
        corner = (low + high) / 2 - side / 2
        warp = np.column_stack([np.eye(2) * side / 120, corner])
        crop = cv2.warpAffine(cv2.imread(str(folder / str(name)), 0), warp, (120, 120), flags=_FROM)
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], 0)
        ends = (face[list(POINTS_68)] - corner) * 120 / side + rng.normal(0, 1.5, (2, 2))
        planted.append(framed(crop, *ends))
    faces = eval_faces(data_dir / "eval")
    assert copies(np.array(planted), faces).mean() >= 0.85
    mirrored = np.ascontiguousarray(faces[::60, :, ::-1])  # a face the other way round is no copy
    assert copies(mirrored, faces).mean() <= 0.1


def test_what_shows_eval_is_not_packed(tmp_path, monkeypatch):
    from tracker.distill import corpus
    from tracker.distill.label import Labelled, save
    from tracker.distill.shelf import Shelf, digest

    one = Labelled(
        np.zeros((1, 224, 224, 3), np.uint8), np.zeros((1, 478, 3), np.float32), np.zeros((1, 52), np.float32),
        np.zeros(1, np.int32), np.ones((1, 3), np.float32),
    )  # fmt: skip
    cache, data = tmp_path / "cache", tmp_path / "data"
    shelf = Shelf(data / "images", cache / "labels/images")
    for name in ("mine", "copy"):
        path = data / f"images/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        save(one, shelf.place(path), digest(path), "a" * 64)
    assert len(corpus.pack(cache, data)) == 2
    monkeypatch.setattr(corpus, "shown_in_eval", lambda data: frozenset({"images/copy.jpg"}))
    assert len(corpus.pack(cache, data)) == 1


_FROM = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP

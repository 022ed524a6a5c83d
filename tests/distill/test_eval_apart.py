"""Nothing that judges the student has taught it: no file and no picture of the eval folders is among the training's.

Files are compared by SHA-256, pictures by a hash of what they show: 12 x 12 means, each brighter or darker than its
neighbour. A sample of each folder, spread evenly; two pictures of one talk that differ by more than re-encoding pass.
"""

from __future__ import annotations

import hashlib
from itertools import islice

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="reading images needs OpenCV, which comes with the train extra")

FILES = 100
"""Looked at per folder."""
FRAMES = 2
"""Looked at per clip."""
BITS = 2 * 12 * 11
SAME_BITS = 24
"""Re-encoding a picture at another size flips a few bits (13 at most of those tried); unrelated pictures differ in
about 127, the nearest two of eval and train in 52."""
FLAT = 8.0
"""Grey levels: a black frame shows nothing that could be known again."""


def _hash(rgb: np.ndarray) -> np.ndarray:
    """bool [BITS]: gradients of a small grey copy, along and down."""
    small = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (12, 12), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.concatenate([(np.diff(small, axis=1) > 0).ravel(), (np.diff(small, axis=0) > 0).ravel()])


def _pictures(path):
    if path.suffix != ".mp4":
        image = cv2.imread(str(path))
        return [] if image is None else [image]
    import av

    with av.open(str(path)) as container:
        frames = islice(container.decode(video=0), 0, FRAMES * 12, 12)
        return [np.ascontiguousarray(frame.to_ndarray(format="rgb24")) for frame in frames]


def _sample(folder, most):
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".jpg", ".png"))
    return files[:: max(1, -(-len(files) // most))]


def _hashes(paths):
    shown = (picture for path in paths for picture in _pictures(path))
    pictures = [_hash(picture) for picture in shown if picture.std() > FLAT]
    return np.array(pictures).reshape(-1, BITS)


def test_the_hash_knows_a_picture_again_and_no_other(data_dir):
    files = _sample(data_dir / "train/images", 12)
    pictures = [cv2.imread(str(path)) for path in files]
    hashes = [_hash(picture) for picture in pictures]
    for number, picture in enumerate(pictures):
        again = cv2.imencode(".jpg", cv2.resize(picture, None, fx=0.7, fy=0.7), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        apart = [int((_hash(cv2.imdecode(again, cv2.IMREAD_COLOR)) != other).sum()) for other in hashes]
        assert apart[number] <= SAME_BITS < min(apart[:number] + apart[number + 1 :])


def test_no_file_is_in_both(data_dir):
    def digests(folder):
        found = (path for path in folder.rglob("*") if path.suffix in (".mp4", ".jpg", ".png"))
        by_size = {}
        for path in found:
            by_size.setdefault(path.stat().st_size, []).append(path)
        return by_size

    train, judge = digests(data_dir / "train"), digests(data_dir / "eval")
    assert train and judge
    for size in train.keys() & judge.keys():  # files of unlike size are unlike
        ours, theirs = (
            {hashlib.sha256(path.read_bytes()).hexdigest() for path in by[size]} for by in (train, judge)
        )  # fmt: skip
        assert not ours & theirs, f"files of {size} bytes are in both train and eval"


def test_no_picture_is_in_both(data_dir):
    train = np.concatenate([_hashes(_sample(data_dir / "train" / name, FILES)) for name in ("clips", "images")])
    judge = np.concatenate(
        [_hashes(_sample(data_dir / "eval" / name, FILES)) for name in ("clips", "aflw2000", "w300")]
    )
    assert len(train) > FILES and len(judge) > FILES
    apart = (train[:, None] != judge[None]).sum(2)
    assert apart.min() > SAME_BITS, f"a picture of eval differs from one of train in {apart.min()} of {BITS} bits"

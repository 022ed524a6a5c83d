"""Made faces on disk: what was cut goes on, what is damaged or cannot be written is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="training code needs OpenCV, which comes with the train extra")

from tracker.distill.shard import Shard  # noqa: E402
from tracker.errors import AssetError, OutputError, SourceError  # noqa: E402


def append(shard: Shard, *values: int) -> None:
    shard.append([np.full((224, 224, 3), value, np.uint8) for value in values], {"person": np.array(values)})


def test_a_shard_that_was_cut_goes_on(tmp_path: Path) -> None:
    append(Shard(tmp_path / "made"), 0, 1, 2, 3)
    with (tmp_path / "made/patches.raw").open("ab") as stream:
        stream.write(b"half a face")  # killed while it wrote the next chunk
    again = Shard(tmp_path / "made")
    assert len(again) == 4
    append(again, 9)
    with np.load(tmp_path / "made/labels.npz") as labels:
        assert labels["person"].tolist() == [0, 1, 2, 3, 9]
    patches = np.fromfile(tmp_path / "made/patches.raw", np.uint8).reshape(-1, 224, 224, 3)
    assert patches[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 9]


def test_labels_without_their_pictures_are_refused(tmp_path: Path) -> None:
    append(Shard(tmp_path), 0)
    (tmp_path / "patches.raw").write_bytes(b"")
    with pytest.raises(SourceError, match="delete the folder"):
        Shard(tmp_path)
    (tmp_path / "labels.npz").write_bytes(b"words")
    with pytest.raises(AssetError, match=f"delete {tmp_path}"):
        Shard(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("a file")
    with pytest.raises(OutputError, match="is a file"):
        append(Shard(tmp_path / "made"), 0)

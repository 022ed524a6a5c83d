"""Where faces may be: asked once, asked again when the image changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import sightings
from tracker.bench.sightings import Sightings
from tracker.errors import AssetError


class Counting:
    """A lookout that sees one box and counts how often it looks."""

    looks = 0

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        Counting.looks += 1
        return np.array([[1, 2, 3, 4]], np.float32)

    def close(self) -> None:
        pass


def test_an_image_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "Lookout", Counting)
    Counting.looks = 0
    seen, rgb = Sightings(tmp_path / "none.task", tmp_path / "cache"), np.zeros((8, 9, 3), np.uint8)
    for _ in range(3):
        assert seen(tmp_path / "a/b.jpg", rgb).tolist() == [[1, 2, 3, 4]]
    assert Counting.looks == 1
    again = Sightings(tmp_path / "none.task", tmp_path / "cache")
    again(tmp_path / "a/b.jpg", rgb)
    assert Counting.looks == 1
    again(tmp_path / "a/b.jpg", rgb + 1)
    assert Counting.looks == 2
    again.close()


def test_without_a_cache_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "Lookout", Counting)
    Counting.looks = 0
    seen = Sightings(tmp_path / "none.task")
    for _ in range(2):
        seen(tmp_path / "b.jpg", np.zeros((8, 9, 3), np.uint8))
    assert Counting.looks == 2 and not list(tmp_path.iterdir())


def test_damaged_boxes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "Lookout", Counting)
    rgb = np.zeros((8, 9, 3), np.uint8)
    Sightings(tmp_path / "none.task", tmp_path / "cache")(tmp_path / "a/b.jpg", rgb)
    (entry,) = tmp_path.glob("cache/a/*.npy")
    entry.write_bytes(b"")
    with pytest.raises(AssetError, match=f"{entry.name} is damaged .*delete it"):
        Sightings(tmp_path / "none.task", tmp_path / "cache")(tmp_path / "a/b.jpg", rgb)

"""Where in an image a face may be, computed once and kept beside the teacher's answers, since it costs dozens of looks.

Given an image it returns what the lookout sees. An entry's name holds a hash of the image, of the teacher's bundle and
of how the lookout looks, so that a change of any asks again. It does not know what is done with the boxes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tracker.distill.archive import DAMAGED
from tracker.distill.lookout import CONFIDENCE, PAD_SHARE, TILE_SHARES, TILE_STEP, Lookout
from tracker.distill.whole import whole
from tracker.errors import AssetError


class Sightings:
    """Boxes from the cache where they are, from the lookout where they are not; it opens at the first that is not.

    `cache=None` keeps nothing.
    """

    def __init__(self, teacher: str | Path, cache: str | Path | None = None) -> None:
        self._teacher = Path(teacher)
        self._cache = None if cache is None else Path(cache)
        self._lookout: Lookout | None = None
        self._key: bytes | None = None

    def __call__(self, path: Path, rgb: np.ndarray) -> np.ndarray:
        """float32 [F, 4] in the image `rgb` read from `path`. Raises AssetError, BackendUnavailable or OutputError."""
        if self._cache is None:
            return self._ask(rgb)
        entry = self._cache / path.parent.name / f"{path.stem}-{self._name_of(rgb)}.npy"
        if entry.is_file():
            try:
                kept: np.ndarray = np.load(entry, allow_pickle=False)
            except DAMAGED as error:
                raise AssetError(f"{entry} is damaged ({error}); delete it, and it is asked again") from error
            return kept
        boxes = self._ask(rgb)
        with whole(entry) as part, part.open("wb") as stream:
            np.save(stream, boxes)
        return boxes

    def _name_of(self, rgb: np.ndarray) -> str:
        if self._key is None:
            how = f"lookout {CONFIDENCE} {PAD_SHARE} {TILE_SHARES} {TILE_STEP}"
            teacher = self._teacher.read_bytes() if self._teacher.is_file() else b""
            self._key = hashlib.sha256(teacher + how.encode()).digest()
        return hashlib.sha256(self._key + str(rgb.shape).encode() + rgb.tobytes()).hexdigest()[:16]

    def _ask(self, rgb: np.ndarray) -> np.ndarray:
        if self._lookout is None:
            self._lookout = Lookout(self._teacher)
        return self._lookout(rgb)

    def close(self) -> None:
        """Free the model, if one was opened."""
        if self._lookout is not None:
            self._lookout.close()
            self._lookout = None

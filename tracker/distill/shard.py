"""Made faces on disk, laid out like the corpus: `patches.raw` and `labels.npz` in a folder, appended to in chunks.

Given patches and columns of labels it writes patches first and then, whole or not at all, the labels that make them
count: who cuts it loses the last chunk. It does not know how the faces came about.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tracker.distill import archive
from tracker.distill.label import PATCH_PX
from tracker.distill.whole import whole, writing
from tracker.errors import SourceError

BYTES_OF_PATCH = PATCH_PX * PATCH_PX * 3


class Shard:
    """The labels say how many faces there are."""

    def __init__(self, folder: Path, of: str = "") -> None:
        """`of` names what the faces are made of: those of something else do not count, and are written over.

        Raises SourceError where fewer patches than labels are there, AssetError for labels that are damaged.
        """
        self.folder, self._raw, self._path = folder, folder / "patches.raw", folder / "labels.npz"
        self._of = {"of": np.array(of)} if of else {}
        self._labels: dict[str, np.ndarray] = {}
        if self._path.is_file():
            self._labels = archive.read(self._path, f"delete {folder} and run the step again, which makes it anew")
        if str(self._labels.pop("of", "")) != of:
            self._labels = {}
        have = self._raw.stat().st_size // BYTES_OF_PATCH if self._raw.is_file() else 0
        if have < len(self):
            raise SourceError(f"{self._raw} holds {have} faces, {len(self)} are labelled; delete the folder")

    def __len__(self) -> int:
        return len(self._labels["person"]) if self._labels else 0

    def append(self, patches: Sequence[np.ndarray], labels: dict[str, np.ndarray]) -> None:
        """Add faces: uint8 [224, 224, 3] RGB each, and a row in every column of `labels`, `person` among them.

        Raises OutputError where the disk refuses.
        """
        size = len(self) * BYTES_OF_PATCH
        with writing(self._raw):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._labels:  # those that do not count must not meet new patches
                self._path.unlink(missing_ok=True)
            self._write(patches, size)
        if self._labels:
            labels = {name: np.concatenate([self._labels[name], column]) for name, column in labels.items()}
        with whole(self._path) as part, part.open("wb") as stream:
            np.savez(stream, **labels, **self._of)  # type: ignore[arg-type]
        self._labels = labels

    def _write(self, patches: Sequence[np.ndarray], size: int) -> None:
        """Patches from `size` bytes on."""
        with self._raw.open("r+b" if self._raw.is_file() else "w+b") as stream:
            # Whole patches at any moment, since a reader maps the file as such; and no more of a chunk that was cut.
            os.truncate(stream.fileno(), size + len(patches) * BYTES_OF_PATCH)
            stream.seek(size)
            for patch in patches:
                stream.write(patch.tobytes())

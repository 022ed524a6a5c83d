"""Where the teacher's answers for a folder's files are kept, and whether they are these files' answers.

Given a folder of clips or images and one for labels it says which file has which label: under the file's path, suffix
and all, and good only while the file's content, and the teacher where it is known, are those that were asked. It does
not know what the answers are.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from tracker.distill.archive import DAMAGED
from tracker.errors import SourceError

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
LONGEST_NAME_BYTES = 230
"""Of a file: its label's name is longer, and file systems end at 255."""
FOLDERS = {"clips": "clips", "images": "images", "aflw": "aflw_crops"}
"""Kind of label -> folder of the data."""


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises SourceError for one that cannot be read, or is no longer there."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); put it back, or take it away") from error


def files_in(folder: Path) -> list[Path]:
    """Every video and image in a folder and those within it, sorted; none where there is no folder.

    Raises SourceError for a name that is not UTF-8, on which OpenCV crashes, or too long for a label to have it, too.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES and p.is_file())
    for path in found:
        try:
            length = len(path.name.encode())
        except UnicodeEncodeError as error:
            raise SourceError(f"the name of {path} is not UTF-8; rename it") from error
        if length > LONGEST_NAME_BYTES:
            raise SourceError(f"the name of {path} is {length} bytes long; rename it to {LONGEST_NAME_BYTES} at most")
    return found


def taught(data: Path) -> Path:
    """The folder that holds clips/, images/ and aflw_crops/: DATA/train, or DATA where there is none."""
    return data / "train" if (data / "train").is_dir() else data


class Shelf:
    """The labels of one folder."""

    def __init__(self, folder: Path, labels: Path) -> None:
        """A folder that is not there has no files."""
        self.folder, self.labels = folder, labels
        self.files = files_in(folder)
        self._namesakes = Counter(map(self._old_place, self.files))

    @staticmethod
    def of(data: Path, cache: Path, kind: str) -> Shelf:
        """That of one of `FOLDERS`."""
        return Shelf(taught(data) / FOLDERS[kind], cache / "labels" / kind)

    def place(self, path: Path) -> Path:
        """Where the label of a file belongs."""
        name = path.relative_to(self.folder)
        return self.labels / name.with_name(f"{name.name}.npz")

    def find(self, path: Path, teacher: str | None = None) -> Path | None:
        """The label of a file as it is now, by the teacher of that digest, or by any; None where there is none.

        Early labels are named without a suffix and say neither: one counts where no other file has its name.
        """
        place, old = self.place(path), self._old_place(path)
        if place.is_file():
            return place if _is_of(place, digest(path), teacher) else None
        return old if self._namesakes[old] == 1 and zipfile.is_zipfile(old) else None

    def _old_place(self, path: Path) -> Path:
        return self.labels / path.relative_to(self.folder).with_suffix(".npz")


def _is_of(label: Path, source: str, teacher: str | None) -> bool:
    """Whether a label is whole and for that content."""
    try:
        with np.load(label, allow_pickle=False) as archive:
            return str(archive["source"]) == source and teacher in (None, str(archive["teacher"]))
    except DAMAGED:
        return False

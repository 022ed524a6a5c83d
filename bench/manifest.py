"""What `manifest.csv` says of a file: who is in it, what was noted, and whether it may be looked at before the end.

Given a folder of data it finds the manifest in it or above it and answers file by file; without one every file is a
person of its own, with nothing noted. It opens no clip and no image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracker.distill.corpus import listed

FILE = "manifest.csv"
# Where a file came from says nothing of the face in it.
_ORIGINS = ("git history", "mirror", "truth.npz", "youtube faces")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    person: str
    """The same label is the same person; the file's stem where the manifest names nobody."""
    split: str
    """`train`, `eval`, or empty where the manifest does not say."""
    notes: tuple[str, ...]
    """What was noted of the picture, as it is spelled there, origins left out."""


class Manifest:
    """Entries by the path of a file under the manifest's own folder."""

    def __init__(self, root: Path | None, rows: dict[str, Entry]) -> None:
        self._root, self._rows = root, rows

    @classmethod
    def near(cls, folder: Path) -> Manifest:
        """The manifest in `folder` or up to two folders above it; an empty one where there is none. Raises SourceError
        for one that lists no files, or is not UTF-8."""
        here = Path(folder).absolute()
        for root in (here, *here.parents[:2]):
            if (root / FILE).is_file():
                return cls(root, {row["file"]: _entry(row) for row in listed(root / FILE)})
        return cls(None, {})

    def __call__(self, path: Path) -> Entry:
        """What is known of the file at `path`."""
        there = Path(path).absolute()
        inside = self._root is not None and there.is_relative_to(self._root)
        known = self._rows.get(there.relative_to(self._root).as_posix()) if inside and self._root else None
        return known or Entry(there.stem, "", ())


def _entry(row: dict[str, str]) -> Entry:
    notes = (note.strip() for note in (row.get("notes") or "").split(";"))
    kept = tuple(note for note in notes if note and not any(word in note.lower() for word in _ORIGINS))
    return Entry(row.get("identity") or Path(row["file"]).stem, row.get("split") or "", kept)

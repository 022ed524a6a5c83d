"""The profiles in a file or folder, kept up to date while it changes.

Given a path and the face model in use it holds every profile there, ready to apply, and says how far each one's face is
from that of an identity. It looks at most twice a second whether a file has changed; what cannot be read any more
stays as it was, with one complaint. It does not know tracks or frames.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.calibrate.curve import Curve
from tracker.calibrate.profile import Profile, read_profile
from tracker.clock import monotonic_ns
from tracker.errors import ProfileError
from tracker.face.model import FaceModel

LOOK_SECONDS = 0.5
"""Between two looks at the files."""
Stamp = tuple[int, int, int]
"""Modification time in ns, size and inode: an editor that replaces the file changes at least the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A profile with what is needed to apply it."""

    file: Path
    profile: Profile
    id: bytes
    curve: Curve
    place: np.ndarray
    """float64 [I]: the identity where distances are mm, see `metric`."""


def complain(text: str) -> None:
    """One line on stderr, as the command line writes them."""
    print("facewire:", " ".join(text.split()), file=sys.stderr, flush=True)


def metric(identity_mm: np.ndarray) -> np.ndarray:
    """float64 [I, I]: identities times this lie as far apart as their faces at rest, in mm, root mean square over the
    vertices of the basis [I, V, 3]."""
    flat = identity_mm.reshape(len(identity_mm), -1).astype(np.float64)
    squares, directions = np.linalg.eigh(flat @ flat.T / identity_mm.shape[1])
    found: np.ndarray = directions * np.sqrt(np.maximum(squares, 0))
    return found


class Shelf:
    """Profiles by file. Every profile of a folder is a `*.json` in it."""

    def __init__(self, path: Path, model: FaceModel, complain: Callable[[str], None] = complain) -> None:
        """Read them. Raises ProfileError for one that is broken or foreign, and for a folder without any."""
        self.held: dict[Path, Held] = {}
        """By file."""
        self.edition = 0
        """Grows whenever `held` changes."""
        self._path, self._model, self._complain = path, model, complain
        self._is_folder = path.is_dir()
        self._metric = metric(model.identity_mm)
        self._stamps: dict[Path, Stamp | None] = {}
        self._complaints: dict[Path, str] = {}
        self._next_ns = 0
        for file, stamp in self._files().items():
            self._put(file, stamp)
        if not self.held:
            raise ProfileError(f"no profile in the folder {path}; make one: facewire calibrate --out {path}/NAME.json")
        self._next_ns = monotonic_ns() + int(LOOK_SECONDS * 1e9)

    def refresh(self, now_ns: int | None = None) -> None:
        """Read what has changed, if it is time to look; a file that cannot be read leaves what was read before."""
        now_ns = monotonic_ns() if now_ns is None else now_ns
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + int(LOOK_SECONDS * 1e9)
        try:
            files = self._files()
        except OSError:  # the folder cannot be read for now: nothing has changed
            return
        for gone in self._stamps.keys() - files.keys():  # taken out of the folder on purpose
            self._stamps.pop(gone)
            self._complaints.pop(gone, None)
            self.edition += self.held.pop(gone, None) is not None
        for file, stamp in files.items():
            if file not in self._stamps or stamp != self._stamps[file]:
                try:
                    self._put(file, stamp)
                except ProfileError as error:
                    self._keep(file, stamp, str(error))

    def distances_mm(self, identity: np.ndarray) -> list[tuple[float, Held]]:
        """How far each profile's face is from that of `identity` [I]."""
        place = identity @ self._metric
        return [(float(np.linalg.norm(held.place - place)), held) for held in self.held.values()]

    def _files(self) -> dict[Path, Stamp | None]:
        """Files and their stamps; None for the one file asked for when it is not there."""
        if not self._is_folder:
            return {self._path: _stamp(self._path)}
        files = sorted(path for path in self._path.iterdir() if path.suffix == ".json")
        return {path: stamp for path in files if (stamp := _stamp(path)) is not None}

    def _put(self, file: Path, stamp: Stamp | None) -> None:
        profile = read_profile(file, self._model.hash, len(self._model.identity_mm))
        self.held[file] = Held(file, profile, profile.id, Curve(profile.shapes), profile.identity @ self._metric)
        self._stamps[file] = stamp
        self._complaints.pop(file, None)
        self.edition += 1

    def _keep(self, file: Path, stamp: Stamp | None, why: str) -> None:
        """Remember that this state of the file was looked at, and say so unless it was said."""
        self._stamps[file] = stamp
        if self._complaints.get(file) != why:
            self._complaints[file] = why
            kept = "the profile read before stays in use" if file in self.held else "it is not used"
            self._complain(f"{why}; {kept}")


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

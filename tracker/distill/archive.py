"""Arrays read back from an `.npz` that an earlier step wrote, or a clear word that it is damaged.

Given a path, the names that are wanted and how to get the file anew it returns the arrays. It does not know what they
mean.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tracker.errors import AssetError

DAMAGED = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise on a file that was cut, overwritten or never an archive."""


def read(path: Path, remedy: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of those names, or all. Raises AssetError, which ends in `remedy`, for a file that has them not."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in (archive if names is None else names)}
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise AssetError(f"{path} is damaged ({reason}); {remedy}") from error

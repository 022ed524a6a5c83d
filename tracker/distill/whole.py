"""A file is written whole or not at all.

Given the path a file will have it hands out one to write to, beside it, and puts that in place at the end; or a folder
for several files that belong together. Whoever stops midway leaves what stood there before; a disk that is full is one
clear error. It knows nothing of contents.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tracker.errors import FacewireError, OutputError

# Libraries that write by themselves do not say why they failed: a disk with less than this left is called full.
FULL_BYTES = 1 << 20


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` on success and is removed otherwise.

    Each process has its own, so that of two that write the same file at once the later one counts; what a killed one
    left is removed. Raises OutputError where writing failed because of the disk or the folder; other errors pass.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path.parent, path.name)
            yield part
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def together(folder: Path) -> Iterator[Path]:
    """An empty folder to write files into; they are put into `folder` only when all of them are there.

    Raises OutputError where writing failed because of the disk or the folder; other errors pass. Either way `folder` is
    then as it was.
    """
    stage = folder / f".{os.getpid()}.part"
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder, "")
            stage.mkdir()
            yield stage
            made = sorted(stage.iterdir())
            for path in made:
                if (folder / path.name).is_dir():
                    raise IsADirectoryError(errno.EISDIR, "a folder has that name", str(folder / path.name))
            for path in made:  # on one disk, where a rename needs no room
                path.replace(folder / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises OutputError where writing `path` failed because of the disk or the folder; other errors pass."""
    try:
        yield
    except FacewireError:
        raise
    except (OSError, RuntimeError) as error:
        reason = _reason(error, path.parent)
        if reason is None:
            raise
        raise OutputError(f"cannot write {path}: {reason}; nothing was changed, so the command can be run again") from (
            error
        )


def _sweep(folder: Path, name: str) -> None:
    """Remove what processes that are gone left of a file."""
    for left in folder.glob(f"{glob.escape(name)}.*.part"):
        owner = left.name.removeprefix(f"{name}.").removesuffix(".part")
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                left.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


def _reason(error: BaseException, folder: Path) -> str | None:
    """Why the disk refused, or None where it did not."""
    if isinstance(error, OSError) and error.errno in _REASONS:
        return _REASONS[error.errno]
    full = folder.is_dir() and shutil.disk_usage(folder).free < FULL_BYTES
    return _REASONS[errno.ENOSPC] if full else None


_REASONS = {
    errno.ENOSPC: "no space left on the disk; free some, or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some, or choose another folder",
    errno.EACCES: "permission denied; choose a folder of your own",
    errno.EPERM: "permission denied; choose a folder of your own",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOTDIR: "a part of the path is a file; choose another folder",
    errno.EEXIST: "a part of the path is a file; choose another folder",
    errno.EISDIR: "a folder has that name; choose another",
    errno.ENAMETOOLONG: "the name is too long; shorten it, or that of the file it is made from",
}

"""Where figures stand in a text: blocks between two marks, each made anew from the benches' results.

Given a text with marks such as `<!-- figures:begin -->` and `<!-- figures:end -->` it replaces what is between them. It
does not know what the figures say.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tracker.bench.figures import figures
from tracker.bench.report import put
from tracker.bench.sizes import sizes
from tracker.errors import OutputError, SettingsError

BLOCKS: dict[str, Callable[[Path], str]] = {"figures": figures, "sizes": sizes}
"""Name in the marks -> what stands between them, from the folder of results."""


def marks(name: str) -> tuple[str, str]:
    """Those around a block."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def rewrite(text: Path, results: Path) -> bool:
    """Make each block of `text` anew; returns whether that changed anything. Raises SettingsError for a text without
    marks or that cannot be written, SourceError where what a block shows was never measured."""
    first, last = marks("figures")
    if not text.is_file():
        raise SettingsError(f"no file {text}; give a text with {first} and {last} in it, such as README.md")
    try:
        whole = new = text.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {text} ({error}); give a text in UTF-8, such as README.md") from error
    found = [name for name in BLOCKS if any(mark in whole for mark in marks(name))]
    if not found:
        raise SettingsError(f"{text} lacks {first} and, below it, {last}; put both where the figures shall stand")
    for name in found:
        begin, end = marks(name)
        if new.count(begin) != 1 or new.count(end) != 1 or new.index(begin) > new.index(end):
            raise SettingsError(f"{text} lacks {begin} and, below it, {end}, once each; put both around one block")
        new = f"{new[: new.index(begin)]}{begin}\n{BLOCKS[name](results)}\n{new[new.index(end) :]}"
    if new != whole:
        try:
            put(text, new)
        except OutputError:
            raise
        except OSError as error:
            raise SettingsError(f"cannot write {text} ({error.strerror}); give one that you may change") from error
    return new != whole

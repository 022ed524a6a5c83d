"""Kept machine code: what joins others is compiled anew when they have changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

from tracker.kernels.compiled import sources

JOINED = """
from numba import int64
from tracker.kernels.compiled import compiled, was_compiled


def joined(stamp):
    @compiled(int64(int64))
    def double(value):
        stamp
        return 2 * value

    return double


def made(stamp):
    double = joined(stamp)
    return double(21), was_compiled(double)
"""


def module(path: Path, text: str) -> ModuleType:
    path.write_text(text)
    found = ModuleType(path.stem)
    found.__file__ = str(path)
    return found


def test_the_digest_is_of_every_source(tmp_path: Path) -> None:
    one, other = module(tmp_path / "one.py", "x = 1"), module(tmp_path / "other.py", "y = 1")
    before = sources(one, other)
    assert sources(one, other) == before != sources(one)
    module(tmp_path / "other.py", "y = 2")
    assert sources(one, other) != before


def test_kept_code_is_of_the_sources_it_was_made_of(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(JOINED)

    def made(stamp: str) -> str:
        script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from double import made; print(*made({stamp!r}))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert [made(stamp) for stamp in ("old", "old", "new", "new")] == ["42 True", "42 False", "42 True", "42 False"]

"""Large pages: memory keeps what is in it, and where nothing can be done nothing is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracker import large_pages

IN_USE = """
import hashlib, os, pathlib
from tracker import large_pages

def large_kib():
    rows = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("AnonHugePages"))

held = [bytearray(os.urandom(4000)) for _ in range(5000)]
wanted, before = hashlib.sha256(b"".join(held)).digest(), large_kib()
moved = large_pages.collapse()
assert hashlib.sha256(b"".join(held)).digest() == wanted
print(moved, before, large_kib())
"""
"""Twenty megabytes in small pieces, which nobody has put into large pages; in a process of its own."""


@pytest.mark.skipif(not large_pages.MAPS.is_file(), reason="no Linux")
def test_memory_in_use_moves_and_keeps_what_is_in_it() -> None:
    done = subprocess.run([sys.executable, "-c", IN_USE], capture_output=True, text=True, timeout=60, check=True)
    moved, before_kib, after_kib = map(int, done.stdout.split())
    assert moved % large_pages.LARGE == 0
    if not moved:
        pytest.skip("this kernel has no large pages, or none left")
    assert after_kib - before_kib > 8 << 10 and after_kib << 10 >= moved


HARDLY = """
import ctypes, mmap, pathlib
from tracker import large_pages

def resident_kib(at):
    inside = False
    for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            low, high = (int(text, 16) for text in head.split("-"))
            inside = low <= at < high
        elif inside and head == "Rss:":
            return int(line.split()[1])

sparse = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(sparse))
for place in range(0, 64 << 20, 1 << 20):
    sparse[place] = 1
before = resident_kib(at)
large_pages.collapse()
print(before, resident_kib(at))
"""


@pytest.mark.skipif(not large_pages.MAPS.is_file(), reason="no Linux")
def test_what_is_hardly_used_stays_small() -> None:
    done = subprocess.run([sys.executable, "-c", HARDLY], capture_output=True, text=True, timeout=60, check=True)
    before_kib, after_kib = map(int, done.stdout.split())
    assert before_kib > 0
    if before_kib > 8 << 10:
        pytest.skip("this kernel takes large pages for whatever is touched")
    assert after_kib < before_kib + (8 << 10)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert large_pages.collapse() == 0
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(large_pages, "MAPS", tmp_path / "none")
    assert large_pages.collapse() == 0

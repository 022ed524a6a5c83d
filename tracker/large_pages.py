"""Large pages for the memory that a process already uses: less to look up when a frame comes after a pause.

While a tracker sleeps between two frames its core forgets where pages of 4 KiB lie; finding each again takes a walk
through tables, in a virtual machine through two of them. Linux (from 6.1 on, where its large pages are not switched
off) moves memory into pages of 2 MiB when asked. Nothing else changes, and elsewhere nothing happens at all. It does
not know what is in the memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE, LARGE = 4096, 2 << 20
COLLAPSE = 25
"""MADV_COLLAPSE of Linux's <linux/mman.h>."""
LEAST_SHARE = 0.5
"""Of a large page: where less is in use it would cost memory."""
MAPS = Path("/proc/self/maps")


def collapse() -> int:
    """Move what fits; returns how many bytes lie there now. Takes some milliseconds per large page, once."""
    if not sys.platform.startswith("linux") or not MAPS.is_file():
        return 0
    library, moved = ctypes.CDLL(None), 0
    used = (ctypes.c_ubyte * (LARGE // PAGE))()
    for start, end in _private():
        for at in range(-(-start // LARGE) * LARGE, end - LARGE + 1, LARGE):
            where = ctypes.c_void_p(at), ctypes.c_size_t(LARGE)
            if library.mincore(*where, used) == 0 and sum(used) >= LEAST_SHARE * len(used):
                moved += LARGE * (library.madvise(*where, COLLAPSE) == 0)
    return moved


def _private() -> Iterator[tuple[int, int]]:
    """Where anonymous memory that can be written begins and ends."""
    for line in MAPS.read_text().splitlines():
        span, rights, _, _, node, *name = line.split()
        if rights == "rw-p" and node == "0" and name not in (["[stack]"], ["[vvar]"]):
            start, end = (int(text, 16) for text in span.split("-"))
            yield start, end

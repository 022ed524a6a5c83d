"""Scratch memory on a device: arrays by name that grow to what was asked for most, and are never given back.

A captured CUDA graph holds the addresses it was captured with, so an array that has become too small is kept beside
the larger one. It does not know what the arrays are for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracker.kernels.interop import full


class Scratch:
    """The arrays of one operator."""

    def __init__(self, full: Callable[[int, int, str, Any], Any] = full) -> None:
        """`full` makes an array of a size, value and type where another lies."""
        self._full = full
        self._room: dict[str, int] = {}
        self._arrays: dict[str, list[Any]] = {}

    def __call__(self, name: str, size: int, kind: str, like: Any, value: int = 0) -> Any:
        """The array of that name, of at least that size and never empty; made full of `value`."""
        size = max(size, 1)
        if self._room.get(name, 0) < size:
            self._room[name] = size
            self._arrays.setdefault(name, []).append(self._full(size, value, kind, like))
        return self._arrays[name][-1]

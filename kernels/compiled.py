"""How every numba kernel here is compiled: ahead of its first call, for exact types, kept between processes.

Given the signatures of a plain function it returns the compiled one. Numba keeps machine code beside the source; where
that folder is read-only, in the user's cache folder; where neither can be written, in memory, so that every process
compiles anew. It does not know what the kernels do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

_NOT_COMPILED = ("_triton", "_cupy", "reference", "cases")
_NOBODY_ELSE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
part = numba.njit(error_model="numpy", **_NOBODY_ELSE)
"""Decorator of functions that are called by compiled ones only, and become part of them."""


def compiled(*signatures: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile for `signatures` now, or load what an earlier process compiled.

    No threads (waking them costs more than one face's work), no fast math (results are the same on every machine),
    the interpreter lock is released, division by zero gives infinity instead of raising.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        kernel: Any = numba.njit(nogil=True, error_model="numpy")(function)
        try:
            kernel._cache = _Kept(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
        for signature in signatures:
            kernel.compile(signature)
        kernel.disable_compile()
        return kernel

    return decorate


class _Kept(FunctionCache):
    """Machine code that is kept for as long as no kernel's source changes.

    Numba by itself looks at the function's own file only, though constants and functions of others become part of it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, _sources())


@cache
def _sources() -> str:
    """A digest of everything that may become machine code here."""
    folder, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if not path.name.startswith(_NOT_COMPILED):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_folder(kernel: Any) -> str | None:
    """Where a compiled kernel's machine code is kept; None when only in memory."""
    path = getattr(getattr(kernel, "_cache", None), "cache_path", None)
    return None if path is None else str(path)


def was_compiled(kernel: Any) -> bool:
    """True when this process had to compile; False when everything came from the cache."""
    stats = kernel.stats
    return cache_folder(kernel) is None or bool(sum(stats.cache_misses.values()))

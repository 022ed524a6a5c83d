"""How every numba kernel here is compiled: ahead of its first call, for exact types, kept between processes.

Given the signatures of a plain function it returns the compiled one. Numba keeps machine code beside the source; where
that folder is read-only, in the user's cache folder; where neither can be written, in memory, so that every process
compiles anew. It does not know what the kernels do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba

_NOBODY_ELSE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
part = numba.njit(error_model="numpy", **_NOBODY_ELSE)
"""Decorator of functions that are called by compiled ones only, and become part of them."""


def compiled(*signatures: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile for `signatures` now, or load what an earlier process compiled.

    No threads (waking them costs more than one face's work), no fast math (results are the same on every machine),
    the interpreter lock is released, division by zero gives infinity instead of raising.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
        try:
            return numba.njit(list(signatures), cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(list(signatures), **options)(function)

    return decorate


def sources(*modules: ModuleType) -> str:
    """A digest of what these modules say.

    Numba keeps a function's machine code for as long as its own file is the same, though the code of others has become
    part of it. Beside that it looks at what a closure holds: there such a function should have this.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def cache_folder(kernel: Any) -> str | None:
    """Where a compiled kernel's machine code is kept; None when only in memory."""
    path = getattr(getattr(kernel, "_cache", None), "cache_path", None)
    return None if path is None else str(path)


def was_compiled(kernel: Any) -> bool:
    """True when this process had to compile; False when everything came from the cache."""
    stats = kernel.stats
    return cache_folder(kernel) is None or bool(sum(stats.cache_misses.values()))

"""What an operator asks of all its numpy arrays at once, and who looks first: this or the implementation.

Given names, types and shapes it lets arrays pass in one stroke, and looks at them one by one only where something is
wrong. A call of the live loop takes a dozen arrays, a fifth of a microsecond each, and several times that when caches
are cold; so what numba has compiled sees misfits itself: it takes arrays of its own types only, and compares shapes
before it reads or writes, which costs nothing there. It does not know what the arrays are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from tracker.kernels.interop import require

MISFIT = -1
"""What an implementation that sees misfits returns for shapes that do not fit each other, having touched nothing."""
_Implementation = TypeVar("_Implementation")


def sees_misfits(implementation: _Implementation) -> _Implementation:
    """Mark what gets its arrays unchecked: it raises TypeError for other types than its own, and returns `MISFIT`."""
    cast(Any, implementation).sees_misfits = True
    return implementation


def wants_checked(implementation: Any) -> bool:
    """Does it trust that its arrays have been checked?"""
    return not getattr(implementation, "sees_misfits", False)


class Form(NamedTuple):
    """What one array must be."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


class Forms:
    """What the arrays of one call must be: first those that are read, then those that are filled as well."""

    def __init__(self, given: Sequence[Form], filled: Sequence[Form]) -> None:
        self._forms = [*((form, False) for form in given), *((form, True) for form in filled)]
        self._given = [(form.shape, form.dtype, True, True) for form in given]
        self._filled = [(form.shape, form.dtype, True) for form in filled]

    def check(self, given: Sequence[Any], filled: Sequence[Any]) -> None:
        """Raise SettingsError, naming the first of these that is not as it must be."""
        try:
            if [
                (array.shape, array.dtype, (flags := array.flags).c_contiguous, flags.aligned) for array in given
            ] == self._given and [(array.shape, array.dtype, array.flags.carray) for array in filled] == self._filled:
                return
        except AttributeError:  # something is no array
            pass
        for (form, is_filled), array in zip(self._forms, (*given, *filled), strict=True):
            require(form.name, array, form.dtype, form.shape, filled=is_filled)

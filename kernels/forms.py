"""What an operator asks of all its numpy arrays at once: a call of the live loop takes a dozen of them.

Given names, types and shapes it lets arrays pass in one stroke, a fifth of a microsecond each, and looks at them one by
one only where something is wrong. Compiled code does not look at lengths: what passes here it reads and writes from end
to end, so nothing else may reach it. It does not know what the arrays are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tracker.kernels.interop import require


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

"""An operator's cases as every bench takes them: arguments, which of them a device can take, how far apart two are.

Given a row of the table of backends it finds the operator's own `cases`, so that what is a gate in one bench is the
same comparison in another. It times nothing, and knows an operator by nothing but its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from tracker.bench.places import bytes_of
from tracker.errors import SettingsError

DEVICES = ("triton", "cupy")
Move = Callable[[Any], Any]
# Row -> the module with its cases and the case's method that gives its arguments, the last of which is filled in.
# A module's own `difference` of two such tuples, in the terms of its tolerance, comes before the plain one; so does its
# `bytes_moved` of one, where a kernel reads only a part of what it is given.
_WHERE = {
    "project": ("project", "arguments"),
    "morph": ("morph", "arguments"),
    "lift": ("lift", "arguments"),
    "align": ("align", "arguments"),
    "locate": ("locate", "arguments"),
    "imm": ("imm", "arguments"),
    "portray": ("portray", "arguments"),
    "crop_luma": ("crop_roi", "luma_arguments"),
    "crop_roi": ("crop_roi", "arguments"),
    "halve": ("halve", "arguments"),
    "normals": ("normals", "arguments"),
    "relight": ("relight", "arguments"),
    "rasterize": ("rasterize", "arguments"),
    "shade": ("shade", "arguments"),
    "shade_gradient": ("shade_gradient", "arguments"),
    "linearize": ("linearize", "arguments"),
    "gauss_newton": ("gauss_newton", "arguments"),
    "resemble": ("resemble", "arguments"),
    "reorient": ("reorient", "arguments"),
    "crop_nv12": ("crop_nv12", "arguments"),
    "heads": ("heads", "arguments"),
    "follow": ("follow", "arguments"),
}
ROWS = tuple(_WHERE)
"""Every operator that has cases: all of them."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Of one operator."""

    row: str
    module: Any
    method: str

    @property
    def tolerance(self) -> float:
        """What the operator's tests allow."""
        return float(self.module.TOLERANCE)

    def arguments(self, case: Any) -> tuple[Any, ...]:
        """Fresh ones; what is filled in is full of rubbish."""
        found: tuple[Any, ...] = getattr(case, self.method)()
        return found

    def timed_on(self, backend: str) -> tuple[Any, ...]:
        """Sizes that are worth timing there; the tests' cases where the operator names none."""
        here = getattr(self.module, "BENCH_CASES", self.module.CASES)
        return tuple(getattr(self.module, "DEVICE_CASES", here) if backend in DEVICES else here)

    def for_device(self) -> tuple[Any, ...]:
        """The tests' cases that have their faces in front, as a device always wants them, and those timed there."""
        in_front = [case for case in self.module.CASES if getattr(case, "faces", True)]
        return (*in_front, *getattr(self.module, "DEVICE_CASES", ()))

    def named(self, name: str) -> list[Any]:
        """The one of the tests' cases that is called so."""
        return [case for case in self.module.CASES if case.name == name]

    def bytes_moved(self, arguments: tuple[Any, ...]) -> int:
        """What has to be read and written whatever the method."""
        return int(getattr(self.module, "bytes_moved", bytes_of)(arguments))

    def apart(self, found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
        """The largest difference between what two calls filled in; NaN or infinite where one left something out."""
        return float(getattr(self.module, "difference", _difference)(found, wanted))

    def compared(
        self, case: Any, operator: Callable[..., object], base: Callable[..., object], there: Move, back: Move
    ) -> tuple[float, tuple[Any, ...]]:
        """How far the operator's answer is from the base's after one call each, and its arguments, moved `there`."""
        wanted, given = self.arguments(case), there(self.arguments(case))
        base(*wanted)
        operator(*given)
        return self.apart(back(given), wanted), given


def cases_of(row: str) -> Cases:
    """Raises SettingsError for no operator of that name."""
    if row not in _WHERE:
        raise SettingsError(f"kernel {row!r}; valid: {', '.join(ROWS)}")
    name, method = _WHERE[row]
    return Cases(row, import_module(f"tracker.kernels.{name}.cases"), method)


def _difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    return float(np.abs(np.asarray(found[-1], np.float64) - wanted[-1]).max())

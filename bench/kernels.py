"""`facewire bench kernels [NAME]`: every operator's backends on the operator's own cases.

Given the table of backends it times reference and numba, and Triton or CuPy where there is a GPU, on the same
arguments and compares what they fill in: a speed counts only beside the tolerance it was reached within, and beside
how long copying as many bytes takes in the same place. It knows no operator but by its row and its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from tracker.bench.measure import Spread
from tracker.bench.places import bytes_of, on_the_clock, place_of
from tracker.bench.report import percent, table
from tracker.errors import BackendUnavailable, SettingsError

BASE = "reference"
DEVICES = ("triton", "cupy")
Progress = Callable[[int, int, str], None]
# Row -> the module with its cases and the case's method that gives its arguments, the last of which is filled in.
# A module's own `difference` of two such tuples, in the terms of its tolerance, comes before the plain one; so does its
# `bytes_moved` of one, where a kernel reads only a part of what it is given.
_CASES = {
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
    "crop_nv12": ("crop_nv12", "arguments"),
    "heads": ("heads", "arguments"),
    "follow": ("follow", "arguments"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What to time."""

    name: str | None = None
    """One operator; all by default."""
    backend: Literal["auto", "numba", "triton", "cupy"] = "auto"
    """What to compare with the reference: auto is numba, and triton and cupy beside it where a GPU is."""
    repeats: int = 100
    """Most timed calls of each; slow ones stop sooner."""

    def __post_init__(self) -> None:
        if self.name is not None and self.name not in _CASES:
            raise SettingsError(f"kernel {self.name!r}; valid: {', '.join(_CASES)}")
        if self.repeats < 1:
            raise SettingsError(f"repeats {self.repeats}; give 1 or more")


@dataclass(frozen=True, slots=True)
class Row:
    """One case of one operator."""

    kernel: str
    case: str
    backend: str
    """What was compared with the reference."""
    reference: Spread
    spread: Spread
    speedup: float
    """The reference's median by the backend's."""
    largest_difference: float
    """Between what the two filled in; NaN or infinite where one left something unfilled."""
    tolerance: float
    """What the operator's tests allow."""
    bytes_moved: int
    """What it has to read and write whatever the method: its arrays, once each."""
    copy: Spread
    """Copying as many bytes in the same place, just after."""
    roofline: float
    """That copy's median by the backend's: the share of what the memory could do that is used."""

    @property
    def within(self) -> bool:
        """Whether the difference is one that the tests allow; NaN is not."""
        return self.largest_difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Result:
    """All rows, and why each backend was taken."""

    rows: tuple[Row, ...]
    reasons: dict[str, str]
    """Kernel -> backend and reason."""


def _row(kernel: str, case: Any, operators: dict[str, Callable[..., object]], tolerance: float, repeats: int) -> Row:
    name, operator = next((name, one) for name, one in operators.items() if name != BASE)
    method, module, place = _CASES[kernel][1], _cases(kernel), place_of(name)
    wanted, given = getattr(case, method)(), getattr(case, method)()
    base = on_the_clock(lambda: operators[BASE](*wanted), repeats)
    there = place.there(given)
    ours = place.time(lambda: operator(*there), repeats)
    found = place.back(there)
    size = getattr(module, "bytes_moved", bytes_of)(wanted)
    copy = place.time(place.copier(size), repeats)
    apart = getattr(module, "difference", _difference)(found, wanted)
    speedup, roofline = base.p50_ns / ours.p50_ns, copy.p50_ns / ours.p50_ns
    return Row(kernel, case.name, name, base, ours, speedup, apart, tolerance, size, copy, roofline)


def _difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(np.asarray(found[-1], np.float64) - wanted[-1]).max())


def _cases(kernel: str) -> Any:
    return import_module(f"tracker.kernels.{_CASES[kernel][0]}.cases")


def _cases_for(module: Any, backend: str) -> Any:
    """An operator may name cases whose sizes are worth timing, here or on a device; its tests' cases do otherwise."""
    here = getattr(module, "BENCH_CASES", module.CASES)
    return getattr(module, "DEVICE_CASES", here) if backend in DEVICES else here


def _backends(kernel: str, name: str) -> list[tuple[Any, Any]]:
    """What to compare with the reference, each with its choice; with "auto" everything that works here."""
    from tracker.kernels.backend import operator

    chosen = [operator(kernel, name)]
    if name == "auto":
        for column in DEVICES:
            with suppress(BackendUnavailable):
                chosen.append(operator(kernel, column))
    return chosen


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Time the chosen operators. Raises BackendUnavailable where the backend does not work here."""
    from tracker.kernels.backend import operator

    rows, reasons = [], {}
    for kernel in [settings.name] if settings.name else list(_CASES):
        reference = operator(kernel, BASE)[0]
        module = _cases(kernel)
        chosen = _backends(kernel, settings.backend)
        reasons[kernel] = "; ".join(f"{choice.backend}: {choice.reason}" for _, choice in chosen)
        timed = [(case, *one) for one in chosen for case in _cases_for(module, one[1].backend)]
        for number, (case, found, choice) in enumerate(timed):
            if progress:
                progress(number, len(timed), f"{kernel}: {case.name}")
            if choice.backend == BASE:  # auto fell back, and says why
                continue
            operators = {BASE: reference, choice.backend: found}
            rows.append(_row(kernel, case, operators, module.TOLERANCE, settings.repeats))
    return Result(tuple(rows), reasons)


def report(result: Result) -> str:
    """One row a case."""
    rows = [
        [f"{row.kernel} {row.case}", row.backend, f"{row.reference.p50_ns / 1e6:.4f}",
         *(f"{ns / 1e6:.4f}" for ns in (row.spread.p50_ns, row.spread.p20_ns, row.spread.p80_ns, row.spread.p99_ns)),
         f"{row.speedup:.0f} x", f"{row.bytes_moved / 1e3:.1f}", percent(row.roofline, 0),
         f"{row.largest_difference:.1e}",
         "yes" if row.within else f"NO ({row.tolerance:.0e})"]
        for row in result.rows
    ]  # fmt: skip
    headers = ("kernel", "backend", "reference p50 ms", "p50 ms", "p20 ms", "p80 ms", "p99 ms", "speed", "kB moved",
               "roofline", "difference", "within tolerance")  # fmt: skip
    reasons = "\n".join(f"{name}: {reason}" for name, reason in result.reasons.items())
    roofline = "roofline: how long copying as many bytes takes in the same place, by p50; 100% is the memory's speed"
    return f"{table(headers, rows)}\n{roofline}\n{reasons}"


def status(result: Result) -> int:
    """The command's exit code: 1 where a backend does not compute what the reference does."""
    return int(not all(row.within for row in result.rows))

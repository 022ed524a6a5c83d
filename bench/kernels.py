"""`facewire bench kernels [NAME]`: every operator's backends on the operator's own cases.

Given the table of backends it times reference and numba on the same arguments and compares what they fill in: a speed
counts only beside the tolerance it was reached within. It knows no operator but by its row and its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.bench.report import table
from tracker.clock import monotonic_ns
from tracker.errors import SettingsError

BASE = "reference"
# A call that takes long is not repeated for more than this.
_LONGEST_NS = 400_000_000
Progress = Callable[[int, int, str], None]
# Row -> the module with its cases and the case's method that gives its arguments, the last of which is filled in.
_CASES = {
    "project": ("project", "arguments"),
    "morph": ("morph", "arguments"),
    "lift": ("lift", "arguments"),
    "align": ("align", "arguments"),
    "one_euro": ("one_euro", "arguments"),
    "portray": ("portray", "arguments"),
    "crop_luma": ("crop_roi", "luma_arguments"),
    "crop_roi": ("crop_roi", "arguments"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What to time."""

    name: str | None = None
    """One operator; all by default."""
    backend: Literal["auto", "numba"] = "auto"
    """What to compare with the reference."""
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


@dataclass(frozen=True, slots=True)
class Result:
    """All rows, and why each backend was taken."""

    rows: tuple[Row, ...]
    reasons: dict[str, str]
    """Kernel -> backend and reason."""


def _time(call: Callable[[], object], repeats: int) -> Spread:
    """Durations of `call`, after two that are not counted (they compile and fill caches)."""
    call()
    call()
    samples: list[int] = []
    while len(samples) < repeats and sum(samples) < _LONGEST_NS:
        begin = monotonic_ns()
        call()
        samples.append(monotonic_ns() - begin)
    return spread(samples)


def _row(kernel: str, case: Any, operators: dict[str, Callable[..., object]], tolerance: float, repeats: int) -> Row:
    name, operator = next((name, one) for name, one in operators.items() if name != BASE)
    method = _CASES[kernel][1]
    wanted, found = getattr(case, method)(), getattr(case, method)()
    base = _time(lambda: operators[BASE](*wanted), repeats)
    ours = _time(lambda: operator(*found), repeats)
    difference = float(np.abs(np.asarray(found[-1], np.float64) - wanted[-1]).max())
    return Row(kernel, case.name, name, base, ours, base.p50_ns / ours.p50_ns, difference, tolerance)


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Time the chosen operators. Raises BackendUnavailable where the backend does not work here."""
    from tracker.kernels.backend import choose

    reference, chosen = choose(BASE), choose(settings.backend)
    choices = {choice.row: choice for choice in chosen.choices}
    names = [settings.name] if settings.name else list(_CASES)
    rows = []
    for kernel in names:
        module = import_module(f"tracker.kernels.{_CASES[kernel][0]}.cases")
        # An operator may name cases whose sizes are worth timing; its tests' cases do otherwise.
        cases = getattr(module, "BENCH_CASES", module.CASES)
        operators = {BASE: getattr(reference, kernel), choices[kernel].backend: getattr(chosen, kernel)}
        if len(operators) < 2:  # auto fell back, and says why
            continue
        for number, case in enumerate(cases):
            if progress:
                progress(number, len(cases), f"{kernel}: {case.name}")
            rows.append(_row(kernel, case, operators, module.TOLERANCE, settings.repeats))
    return Result(tuple(rows), {name: f"{choices[name].backend}: {choices[name].reason}" for name in names})


def report(result: Result) -> str:
    """One row a case."""
    rows = [
        [f"{row.kernel} {row.case}", row.backend, f"{row.reference.p50_ns / 1e6:.4f}", f"{row.spread.p50_ns / 1e6:.4f}",
         f"{row.spread.p99_ns / 1e6:.4f}", f"{row.speedup:.0f} x", f"{row.largest_difference:.1e}",
         "yes" if row.largest_difference <= row.tolerance else f"NO ({row.tolerance:.0e})"]
        for row in result.rows
    ]  # fmt: skip
    headers = ("kernel", "backend", "reference p50 ms", "p50 ms", "p99 ms", "speed", "difference", "within tolerance")
    reasons = "\n".join(f"{name}: {reason}" for name, reason in result.reasons.items())
    return f"{table(headers, rows)}\n{reasons}"

"""`facewire bench kernels [NAME]`: every operator's backends on the operator's own cases.

Given the table of backends it times reference and numba, and Triton or CuPy where there is a GPU, on the same
arguments and compares what they fill in: a speed counts only beside the tolerance it was reached within. It knows no
operator but by its row and its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.bench.report import table
from tracker.clock import monotonic_ns
from tracker.errors import BackendUnavailable, SettingsError

BASE = "reference"
# A call that takes long is not repeated for more than this.
_LONGEST_NS = 400_000_000
# Calls on a device between two looks at its clock.
_QUEUED = 20
Progress = Callable[[int, int, str], None]
# Row -> the module with its cases and the case's method that gives its arguments, the last of which is filled in.
# A module's own `difference` of two such tuples, in the terms of its tolerance, comes before the plain one.
_CASES = {
    "project": ("project", "arguments"),
    "morph": ("morph", "arguments"),
    "lift": ("lift", "arguments"),
    "align": ("align", "arguments"),
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
    "crop_nv12": ("crop_nv12", "arguments"),
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
    method, compare = _CASES[kernel][1], getattr(_cases(kernel), "difference", _difference)
    wanted, found = getattr(case, method)(), getattr(case, method)()
    base = _time(lambda: operators[BASE](*wanted), repeats)
    if name == "cupy":
        ours, found = _on_cupy(operator, found, repeats)
    elif name == "triton":
        ours, found = _on_torch(operator, found, repeats)
    else:
        ours = _time(lambda: operator(*found), repeats)
    return Row(kernel, case.name, name, base, ours, base.p50_ns / ours.p50_ns, compare(found, wanted), tolerance)


def _difference(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> float:
    """The largest between what two calls filled in."""
    return float(np.abs(np.asarray(found[-1], np.float64) - wanted[-1]).max())


def _on_cupy(operator: Callable[..., object], arguments: tuple[Any, ...], repeats: int) -> tuple[Spread, Any]:
    """Times of the device's work by its own clock, per call of `_QUEUED` that are queued together so that the time to
    queue them does not count, and what it filled in, back here."""
    import cupy

    there = _moved(arguments, cupy.asarray, np.ndarray)
    operator(*there)
    begin, end, samples = cupy.cuda.Event(), cupy.cuda.Event(), list[int]()
    while len(samples) < repeats and sum(samples) * _QUEUED < _LONGEST_NS:
        begin.record()
        for _ in range(_QUEUED):
            operator(*there)
        end.record()
        end.synchronize()
        samples.append(round(cupy.cuda.get_elapsed_time(begin, end) * 1e6 / _QUEUED))
    return spread(samples), _moved(there, cupy.asnumpy, cupy.ndarray)


def _on_torch(operator: Callable[..., object], arguments: tuple[Any, ...], repeats: int) -> tuple[Spread, Any]:
    """Times with the device's work waited for, and what it filled in, back here."""
    import torch

    there = _moved(arguments, lambda array: torch.from_numpy(array).cuda(), np.ndarray)

    def call() -> None:
        operator(*there)
        torch.cuda.synchronize()

    return _time(call, repeats), _moved(there, lambda array: array.cpu().numpy(), torch.Tensor)


def _moved(value: Any, move: Callable[[Any], Any], kind: type) -> Any:
    """A tuple or a dataclass of arrays of one kind with each array moved; all else as it is."""
    if isinstance(value, kind):
        return move(value)
    if isinstance(value, tuple):
        return tuple(_moved(one, move, kind) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _moved(getattr(value, one.name), move, kind) for one in fields(value)})
    return value


def _cases(kernel: str) -> Any:
    return import_module(f"tracker.kernels.{_CASES[kernel][0]}.cases")


def _backends(kernel: str, name: str) -> list[tuple[Any, Any]]:
    """What to compare with the reference, each with its choice; with "auto" everything that works here."""
    from tracker.kernels.backend import operator

    chosen = [operator(kernel, name)]
    if name == "auto":
        for column in ("triton", "cupy"):
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
        # An operator may name cases whose sizes are worth timing; its tests' cases do otherwise.
        cases = getattr(module, "BENCH_CASES", module.CASES)
        chosen = _backends(kernel, settings.backend)
        reasons[kernel] = "; ".join(f"{choice.backend}: {choice.reason}" for _, choice in chosen)
        for number, case in enumerate(cases):
            if progress:
                progress(number, len(cases), f"{kernel}: {case.name}")
            for found, choice in chosen:
                if choice.backend == BASE:  # auto fell back, and says why
                    continue
                operators = {BASE: reference, choice.backend: found}
                rows.append(_row(kernel, case, operators, module.TOLERANCE, settings.repeats))
    return Result(tuple(rows), reasons)


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

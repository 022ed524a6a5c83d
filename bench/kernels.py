"""`facewire bench kernels [NAME]`: every operator's backends on the operator's own cases, compared first, then timed.

Given the table of backends it compares numba, and Triton or CuPy where there is a GPU, with the reference on the same
arguments; only what agrees is timed, beside the reference and beside how long copying as many bytes takes in the same
place. What could not be compared is listed with the reason. It knows no operator but by its row and its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tracker.bench.bars import Bar, bars_table, picture_bars
from tracker.bench.cases import ROWS, cases_of
from tracker.bench.measure import Spread
from tracker.bench.places import on_the_clock, place_of
from tracker.bench.rasterizers import Beside, beside_here, peers_table
from tracker.bench.report import Progress, percent, said, table
from tracker.errors import SettingsError

BASE = "reference"
PICTURES = ("rasterize", "shade")
"""What a picture takes; together they have bars of their own."""
HOT = 10
"""Times as many calls for the bars, of some 100 us each: a core takes milliseconds to come up to speed."""
ALL_AGREE, ONE_DIFFERS, NOTHING_COMPARED = 0, 1, 3
"""Exit codes; 2 is a mistake in what was asked."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to time."""

    name: str | None = None
    """One operator; all by default."""
    backend: Literal["auto", "numba", "triton", "cupy"] = "auto"
    """What to compare with the reference, of the operators that have it: auto is numba, and triton and cupy beside it
    where a GPU is."""
    repeats: int = 100
    """Most timed calls of each; slow ones stop sooner."""
    peers: bool = False
    """With rasterize: time other people's rasterizers on the same meshes too, those that are installed and run here."""

    def __post_init__(self) -> None:
        if self.name is not None:
            cases_of(self.name)
        if self.repeats < 1:
            raise SettingsError(f"repeats {self.repeats}; give 1 or more")
        if self.peers and self.name not in (None, "rasterize"):
            raise SettingsError(f"peers with {self.name}; they only rasterize: bench kernels rasterize --peers")


@dataclass(frozen=True, slots=True)
class Timed:
    """How fast one is that agrees."""

    reference: Spread
    spread: Spread
    speedup: float
    """The reference's median by the backend's."""
    copy: Spread
    """Copying as many bytes in the same place, just after."""
    roofline: float
    """That copy's median by the backend's: the share of what the memory could do that is used."""


@dataclass(frozen=True, slots=True)
class Row:
    """One case of one operator."""

    kernel: str
    case: str
    backend: str
    """What was compared with the reference."""
    largest_difference: float
    """Between what the two filled in; NaN or infinite where one left something unfilled, or broke off."""
    tolerance: float
    """What the operator's tests allow."""
    bytes_moved: int
    """What it has to read and write whatever the method: its arrays, once each."""
    timed: Timed | None
    """None where the two differ: no speed counts for a wrong answer."""
    broke: str = ""
    """What was raised, if anything."""

    @property
    def agrees(self) -> bool:
        """Within the tolerance, and nothing broke off."""
        return self.largest_difference <= self.tolerance and not self.broke


@dataclass(frozen=True, slots=True)
class Result:
    """All rows, and why each backend was taken or not."""

    rows: tuple[Row, ...]
    reasons: dict[str, str]
    """Kernel -> backends that were compared, each with its reason."""
    not_compared: dict[str, str]
    """Kernel -> its other backends, each with what stands in the way."""
    bars: tuple[Bar, ...] = ()
    peers: tuple[Beside, ...] = ()


def _row(kernel: str, case: Any, operators: dict[str, Callable[..., object]], repeats: int) -> Row:
    """Compare, then time where the two agree. Whatever a compiler or a driver raises is this row's alone."""
    name, operator = next((name, one) for name, one in operators.items() if name != BASE)
    cases, place, apart, timed, broke = cases_of(kernel), place_of(name), float("inf"), None, ""
    wanted = cases.arguments(case)
    try:
        apart, given = cases.compared(case, operator, operators[BASE], place.there, place.back)
        if apart <= cases.tolerance:
            base = on_the_clock(lambda: operators[BASE](*wanted), repeats)
            ours = place.time(lambda: operator(*given), repeats)
            copy = place.time(place.copier(cases.bytes_moved(wanted)), repeats)
            timed = Timed(base, ours, base.p50_ns / ours.p50_ns, copy, copy.p50_ns / ours.p50_ns)
    except Exception as error:
        broke = said(error)
    return Row(kernel, case.name, name, apart, cases.tolerance, cases.bytes_moved(wanted), timed, broke)


def _backends(kernel: str, name: str) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """What to compare with the reference, each with its choice; with "auto" everything that works here, and of the rest
    the choices, which say why not."""
    from tracker.kernels.backend import device_columns, operator, tried

    if name != "auto":
        return [operator(kernel, name)], []
    both = [tried(kernel, column) for column in ("numba", *device_columns(kernel))]
    return [one for one in both if one[0]], [choice for found, choice in both if not found]


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Compare and time the chosen operators. Raises BackendUnavailable where a backend that was asked for does not work
    here."""
    from tracker.kernels.backend import columns, operator

    rows, reasons, not_compared = list[Row](), dict[str, str](), dict[str, str]()
    every = [row for row in ROWS if settings.backend == "auto" or settings.backend in columns(row)]
    for kernel in [settings.name] if settings.name else every:
        reference, cases = operator(kernel, BASE)[0], cases_of(kernel)
        chosen, missed = _backends(kernel, settings.backend)
        for found, choices in ((reasons, [choice for _, choice in chosen]), (not_compared, missed)):
            if choices:
                # Where machine code is kept concerns nobody elsewhere.
                found[kernel] = "; ".join(f"{c.backend}: {c.reason.partition(', code kept')[0]}" for c in choices)
        timed = [(case, *one) for one in chosen for case in cases.timed_on(one[1].backend)]
        for number, (case, call, choice) in enumerate(timed):
            if progress:
                progress(number, len(timed), f"{kernel}: {case.name}")
            rows.append(_row(kernel, case, {BASE: reference, choice.backend: call}, settings.repeats))
    drawn = any(row.kernel in PICTURES and row.backend == "numba" for row in rows)
    bars = picture_bars(HOT * settings.repeats) if drawn else ()
    peers = beside_here(settings.repeats) if settings.peers else ()
    return Result(tuple(rows), reasons, not_compared, bars, peers)


def report(result: Result) -> str:
    """One row a case; then what pictures take together, other people's rasterizers, and what was not compared."""
    headers = ("kernel", "backend", "difference", "within tolerance", "reference p50 ms", "p50 ms", "p20 ms", "p80 ms",
               "p99 ms", "speed", "kB moved", "roofline")  # fmt: skip
    parts = [table(headers, [_cells(row) for row in result.rows])] if result.rows else ["nothing could be compared"]
    if result.rows:
        parts.append("roofline: how long copying as many bytes takes in the same place, by p50; 100% is the memory's "
                     "speed. Compared first: what differs has no speed")  # fmt: skip
    parts += [f"{row.kernel} {row.case} on {row.backend} broke off: {row.broke}" for row in result.rows if row.broke]
    parts += [bars_table(result.bars)] if result.bars else []
    parts += [peers_table(result.peers)] if result.peers else []
    parts += _together(result.reasons)
    return "\n".join(parts + [f"NOT compared: {line}" for line in _together(result.not_compared)])


def _together(reasons: dict[str, str]) -> list[str]:
    """One line for all kernels that say the same."""
    names = dict[str, list[str]]()
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(kernels)}: {why}" for why, kernels in names.items()]


def _cells(row: Row) -> list[object]:
    head = [f"{row.kernel} {row.case}", row.backend, f"{row.largest_difference:.1e}",
            "yes" if row.agrees else f"NO ({row.tolerance:.0e})"]  # fmt: skip
    size = f"{row.bytes_moved / 1e3:.1f}"
    if row.timed is None:
        return [*head, *["-"] * 6, size, "-"]
    one = row.timed.spread
    times = (row.timed.reference.p50_ns, one.p50_ns, one.p20_ns, one.p80_ns, one.p99_ns)
    return [*head, *(f"{ns / 1e6:.4f}" for ns in times), f"{row.timed.speedup:.0f} x", size,
            percent(row.timed.roofline, 0)]  # fmt: skip


def status(result: Result) -> int:
    """The command's exit code: speeds do not count, answers do."""
    if not all(row.agrees for row in result.rows) or any(bar.spread is None for bar in result.bars):
        return ONE_DIFFERS
    return ALL_AGREE if result.rows else NOTHING_COMPARED

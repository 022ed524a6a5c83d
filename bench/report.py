"""How a bench speaks: plain-text tables for a person, then one JSON line for a program.

Given headers, rows and result dataclasses it formats them; it measures nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np

from tracker.bench.measure import Spread, machine
from tracker.errors import SettingsError

SPREAD_HEADERS = ("n", "p50 ms", "p95 ms", "p99 ms", "mean ms", "max ms")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> str:
    """Columns two spaces apart: the first to the left, the others to the right. Floats come ready as text, or with
    three digits after the point; NaN and None as `-`."""
    shown = [[_cell(value) for value in row] for row in (headers, *rows)]
    for row in shown:
        if len(row) != len(headers):
            raise SettingsError(f"a row of {len(row)} cells under {len(headers)} headers: {row}")
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [title] if title else []
    for row in shown:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
    lines.insert(2 if title else 1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def percent(share: float, digits: int = 2) -> str:
    """`0.0271` as `2.71%`; NaN as `-`."""
    return "-" if math.isnan(share) else f"{share * 100:.{digits}f}%"


def spread_cells(spread: Spread) -> list[object]:
    """The cells under `SPREAD_HEADERS`."""
    times = (spread.p50_ns, spread.p95_ns, spread.p99_ns, spread.mean_ns, spread.max_ns)
    return [spread.count, *(f"{ns / 1e6:.3f}" for ns in times)]


def plain(value: object) -> object:
    """Dataclasses, arrays and numpy numbers as what JSON has; NaN and infinity as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def json_line(name: str, result: object) -> str:
    """The result, the bench's name and the machine as one line of JSON."""
    whole = {"bench": name, "machine": plain(machine()), "result": plain(result)}
    return json.dumps(whole, allow_nan=False, separators=(",", ":"))


def emit(name: str, text: str, result: object, out: str | Path | None = None) -> None:
    """Print the tables, the machine and the JSON line; write that line to `out` too where one is given. Raises
    SettingsError where `out` cannot be written."""
    line = json_line(name, result)
    print(text)
    print(f"\non {machine().line()}")
    if out is not None:
        try:
            Path(out).write_text(line + "\n")
        except OSError as error:
            raise SettingsError(
                f"cannot write {out} ({error.strerror}); give a file in a folder that exists"
            ) from error
    print(line, flush=True)

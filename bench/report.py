"""How a bench speaks: how far it is, then plain-text tables for a person and one JSON line for a program.

Given headers, rows and result dataclasses it formats them; it measures nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from tracker.bench.measure import Machine, Spread, machine
from tracker.distill.whole import whole
from tracker.errors import OutputError, SettingsError

Progress = Callable[[int, int, str], None]
"""Called as it goes: how much is done, of how much, and what."""
LONGEST_ERROR = 300
SPREAD_HEADERS = ("n", "p50 ms", "p95 ms", "p99 ms", "mean ms", "max ms")


def quiet(done: int, total: int, text: str) -> None:
    """No progress wanted."""


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


def percent(share: float | None, digits: int = 2) -> str:
    """`0.0271` as `2.71%`; NaN, and what JSON has for it, as `-`."""
    return "-" if share is None or math.isnan(share) else f"{share * 100:.{digits}f}%"


def decimal(value: float | None, digits: int = 2) -> str:
    """`0.7406` as `0.74`; NaN, and what JSON has for it, as `-`."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def spread_cells(spread: Spread) -> list[object]:
    """The cells under `SPREAD_HEADERS`."""
    times = (spread.p50_ns, spread.p95_ns, spread.p99_ns, spread.mean_ns, spread.max_ns)
    return [spread.count, *(f"{ns / 1e6:.3f}" for ns in times)]


def said(error: Exception) -> str:
    """What was raised, on one line: compilers say much."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST_ERROR]}" + ("..." if len(text) > LONGEST_ERROR else "")


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


def json_line(name: str, result: object, on: Machine | None = None) -> str:
    """The result, the bench's name and the machine, as it is now unless told, as one line of JSON."""
    whole = {"bench": name, "machine": plain(on or machine()), "result": plain(result)}
    return json.dumps(whole, allow_nan=False, separators=(",", ":"))


def emit(name: str, text: str, result: object, out: str | Path | None = None, on: Machine | None = None) -> None:
    """Print the tables, the machine, as it was before where that is given, and the JSON line; then write that line to
    `out` where one is given, so that a disk that has filled up meanwhile takes nothing away. Raises SettingsError where
    `out` cannot be written."""
    on = on or machine()
    line = json_line(name, result, on)
    print(text)
    print(f"\non {on.line()}")
    print(line, flush=True)
    if out is not None:
        try:
            put(Path(out), line + "\n")
        except OutputError:
            raise
        except OSError as error:
            raise _unwritable(out, error) from error


def put(path: Path, text: str) -> None:
    """Write `text`; a file that is there becomes that or, where the disk is full, stays what it was. Raises OSError or
    OutputError."""
    target = path.resolve()
    if not target.is_file():  # nothing to lose, or a pipe
        target.write_text(text, encoding="utf-8")
        return
    target.open("ab").close()
    with whole(target) as part:
        part.write_text(text, encoding="utf-8")


def check_writable(path: Path) -> None:
    """Before a bench of an hour: raise SettingsError where its result could not be written. Leaves all as it is."""
    try:
        there = path.exists()
        if not there or path.is_file() or path.is_dir():  # a named pipe would wait for its reader
            path.open("ab").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def open_folder(folder: Path) -> None:
    """Make the folder where it is not there. Raises SettingsError where that, or writing to it, cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"cannot write to the folder {folder} ({error.strerror}); give another") from error


def _unwritable(path: str | Path, error: OSError) -> SettingsError:
    return SettingsError(f"cannot write {path} ({error.strerror}); give a file in a folder that exists")

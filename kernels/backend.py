"""One table of operators and backends, and the choice from it.

Rows are operators, columns backends; `choose` returns one callable per row, importing only what it picks, and says
per row what was taken and why. An explicit choice works or raises; only "auto" may fall back. It does not know what
the operators are used for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels.align import Align
from tracker.kernels.crop_roi import CropLuma, CropRoi
from tracker.kernels.lift import Lift
from tracker.kernels.morph import Morph
from tracker.kernels.one_euro import OneEuro
from tracker.kernels.portray import Portray
from tracker.kernels.project import Project

COLUMNS = ("reference", "numba")
PREFERRED = ("numba", "reference")
"""The order in which "auto" tries."""

_CONTRACTS: dict[str, Callable[[Any], Any]] = {
    "project": Project, "morph": Morph, "lift": Lift, "align": Align, "one_euro": OneEuro,
    "portray": Portray, "crop_luma": CropLuma, "crop_roi": CropRoi,
}  # fmt: skip
ROWS = tuple(_CONTRACTS)

# Where each cell lives: module and name. A class is made anew for each choice, because it owns its scratch memory.
_TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "project": {"reference": ("project.reference", "project"), "numba": ("project._numba", "project")},
    "morph": {"reference": ("morph.reference", "morph"), "numba": ("morph._numba", "morph")},
    "lift": {"reference": ("lift.reference", "lift"), "numba": ("lift._numba", "lift")},
    "align": {"reference": ("align.reference", "align"), "numba": ("align._numba", "align")},
    "one_euro": {"reference": ("one_euro.reference", "one_euro"), "numba": ("one_euro._numba", "one_euro")},
    "portray": {"reference": ("portray.reference", "portray"), "numba": ("portray._numba", "portray")},
    "crop_luma": {"reference": ("crop_roi.reference", "crop"), "numba": ("crop_roi._numba", "Crop")},
    "crop_roi": {"reference": ("crop_roi.reference", "crop"), "numba": ("crop_roi._numba", "Crop")},
}
_COMPILED = (
    ("project._numba", "project"), ("morph._numba", "morph"), ("lift._numba", "lift"), ("align._numba", "align"),
    ("one_euro._numba", "one_euro"), ("portray._numba", "portray"), ("crop_roi._numba", "_crop"),
)  # fmt: skip
"""The compiled functions, quickest to compile first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one row uses."""

    row: str
    backend: str
    reason: str


@dataclass(frozen=True, slots=True)
class Kernels:
    """One callable per row; its buffers serve one thread."""

    crop_roi: CropRoi
    crop_luma: CropLuma
    morph: Morph
    project: Project
    lift: Lift
    align: Align
    one_euro: OneEuro
    portray: Portray
    choices: tuple[Choice, ...]
    """Per row, in the order of `ROWS`."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """What `warmup` did."""

    seconds: float
    compiled: int
    """How many of the functions had to be compiled; 0 when all came from the cache."""
    folders: tuple[str, ...]
    """Where machine code is kept; empty when only in memory."""


def _load(module: str, name: str) -> Any:
    return getattr(import_module(f"tracker.kernels.{module}"), name)


def _cell(row: str, column: str) -> tuple[Any, str]:
    """The operator and why it works. Raises BackendUnavailable."""
    try:
        found = _load(*_TABLE[row][column])
        reason = _machine_code(row) if column == "numba" else "plain numpy in float64, slow"
    except (ImportError, OSError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackendUnavailable(f"{row} on {column}: {line}; pip install --upgrade {column}, or use auto") from error
    return _CONTRACTS[row](found() if isinstance(found, type) else found), reason


def _machine_code(row: str) -> str:
    """The version of numba and where it keeps its code."""
    import numba

    from tracker.kernels.compiled import cache_folder

    module = _TABLE[row]["numba"][0]
    folder = cache_folder(next(_load(m, name) for m, name in _COMPILED if m == module))
    return f"numba {numba.__version__}, code kept in {folder or 'memory: no cache folder can be written'}"


def _pick(row: str) -> tuple[Any, Choice]:
    """The first column of `PREFERRED` that works."""
    missed = ""
    for column in PREFERRED:
        try:
            operator, reason = _cell(row, column)
            return operator, Choice(row, column, reason + missed)
        except BackendUnavailable as error:
            missed += f" (not {column}: {error})"
    raise BackendUnavailable(f"{row} has no backend{missed}")


def choose(name: str = "auto") -> Kernels:
    """Operators on one backend, or "auto": numba where it works, else the reference.

    Compiles on first use (see `warmup`). Raises SettingsError for an unknown name, BackendUnavailable when a backend
    that was asked for does not work here.
    """
    if name not in ("auto", *COLUMNS):
        raise SettingsError(f"backend {name!r}; valid: auto, {', '.join(COLUMNS)}")
    operators, choices = {}, []
    for row in ROWS:
        if name == "auto":
            operators[row], choice = _pick(row)
        else:
            operators[row], reason = _cell(row, name)
            choice = Choice(row, name, f"asked for; {reason}")
        choices.append(choice)
    return Kernels(**operators, choices=tuple(choices))


def warmup(progress: Callable[[str], None] | None = None) -> Warmth:
    """Compile every kernel, or load it from the cache.

    `progress` is called with a line for the user only when something has to be compiled or nothing can be kept.
    Raises BackendUnavailable without numba.
    """
    say = progress or (lambda line: None)
    start = time.monotonic()
    _cell("project", "numba")
    from tracker.kernels.compiled import cache_folder, was_compiled

    count, places = 0, set[str | None]()
    for module, name in _COMPILED:
        if count and module == _COMPILED[-1][0]:
            say("compiling the kernels for this machine, once; this takes about ten seconds")
        kernel = _load(module, name)
        count += was_compiled(kernel)
        places.add(cache_folder(kernel))
    folders = tuple(sorted(place for place in places if place))
    if None in places:
        say("no folder for compiled code can be written, so every start compiles anew; set NUMBA_CACHE_DIR to one")
    elif count:
        say(f"compiled {count} kernels in {time.monotonic() - start:.0f} s, kept in {', '.join(folders)}")
    return Warmth(time.monotonic() - start, count, folders)

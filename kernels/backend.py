"""One table of operators and backends, and the choice from it.

Rows are operators, columns backends; `choose` returns one callable for each row of the live loop, importing only what
it picks, and says per row what was taken and why; `operator` returns a single one, of the rows that are loaded only
when asked for as well. An explicit choice works or raises; only "auto" may fall back. It does not know what the
operators are used for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels.align import Align
from tracker.kernels.crop_roi import CropLuma, CropRoi
from tracker.kernels.gauss_newton import GaussNewton
from tracker.kernels.halve import Halve
from tracker.kernels.imm import Imm
from tracker.kernels.lift import Lift
from tracker.kernels.linearize import Linearize
from tracker.kernels.locate import Locate
from tracker.kernels.morph import Morph
from tracker.kernels.normals import Normals
from tracker.kernels.portray import Portray
from tracker.kernels.project import Project
from tracker.kernels.rasterize import Rasterize
from tracker.kernels.relight import Relight
from tracker.kernels.reorient import Reorient
from tracker.kernels.resemble import Resemble
from tracker.kernels.shade import Shade

COLUMNS = ("reference", "numba")
PREFERRED = ("numba", "reference")
"""The order in which "auto" tries: what takes numpy arrays."""

_CONTRACTS: dict[str, Callable[[Any], Any]] = {
    "project": Project, "morph": Morph, "lift": Lift, "align": Align, "locate": Locate, "imm": Imm,
    "portray": Portray, "crop_luma": CropLuma, "crop_roi": CropRoi, "halve": Halve, "normals": Normals,
    "rasterize": Rasterize, "relight": Relight, "shade": Shade, "linearize": Linearize, "gauss_newton": GaussNewton,
    "resemble": Resemble, "reorient": Reorient,
}  # fmt: skip
ROWS = tuple(_CONTRACTS)
"""What the live loop uses."""
_LATER: dict[str, tuple[str, str]] = {
    "shade_gradient": ("shade_gradient", "ShadeGradient"), "crop_nv12": ("crop_nv12", "CropNv12"),
    "heads": ("heads", "Heads"), "follow": ("follow", "Follow"),
}  # fmt: skip
LATER_ROWS = tuple(_LATER)
"""What is loaded, and compiled, only when `operator` is asked for it."""

# Where each cell lives: module and name. A class is made anew for each choice, because it owns its scratch memory.
_TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "project": {
        "reference": ("project.reference", "project"), "numba": ("project._numba", "project"),
        "triton": ("project._triton", "Projector"),
    },
    "morph": {
        "reference": ("morph.reference", "morph"), "numba": ("morph._numba", "morph"),
        "triton": ("morph._triton", "Morpher"),
    },
    "lift": {"reference": ("lift.reference", "lift"), "numba": ("lift._numba", "lift")},
    "align": {"reference": ("align.reference", "align"), "numba": ("align._numba", "align")},
    "locate": {"reference": ("locate.reference", "locate"), "numba": ("locate._numba", "join")},
    "imm": {"reference": ("imm.reference", "imm"), "numba": ("imm._numba", "imm")},
    "portray": {"reference": ("portray.reference", "portray"), "numba": ("portray._numba", "portray")},
    "crop_luma": {"reference": ("crop_roi.reference", "crop"), "numba": ("crop_roi._numba", "Crop")},
    "crop_roi": {"reference": ("crop_roi.reference", "crop"), "numba": ("crop_roi._numba", "Crop")},
    "halve": {
        "reference": ("halve.reference", "halve"), "numba": ("halve._numba", "halve"),
        "triton": ("halve._triton", "Halver"),
    },
    "normals": {
        "reference": ("normals.reference", "normals"), "numba": ("normals._numba", "normals"),
        "triton": ("normals._triton", "VertexNormals"),
    },
    "relight": {
        "reference": ("relight.reference", "relight"), "numba": ("relight._numba", "Relighter"),
        "triton": ("relight._triton", "Relighter"),
    },
    "rasterize": {
        "reference": ("rasterize.reference", "rasterize"), "numba": ("rasterize._numba", "Raster"),
        "triton": ("rasterize._triton", "Raster"),
    },
    "shade": {
        "reference": ("shade.reference", "shade"), "numba": ("shade._numba", "Shader"),
        "triton": ("shade._triton", "Shader"),
    },
    "shade_gradient": {
        "reference": ("shade_gradient.reference", "shade_gradient"),
        "numba": ("shade_gradient._numba", "ShaderGradient"),
        "triton": ("shade_gradient._triton", "ShaderGradient"),
    },
    "linearize": {
        "reference": ("linearize.reference", "linearize"), "numba": ("linearize._numba", "Linearizer"),
        "triton": ("linearize._triton", "Linearizer"),
    },
    "gauss_newton": {
        "reference": ("gauss_newton.reference", "solve"), "numba": ("gauss_newton._numba", "Solve"),
        "cupy": ("gauss_newton._cupy", "Solve"),
    },
    "resemble": {"reference": ("resemble.reference", "join"), "numba": ("resemble._numba", "join")},
    "reorient": {"reference": ("reorient.reference", "reorient"), "numba": ("reorient._numba", "reorient")},
    "crop_nv12": {
        "reference": ("crop_nv12.reference", "crop"), "numba": ("crop_nv12._numba", "Crop"),
        "cupy": ("crop_nv12._cupy", "Crop"),
    },
    "heads": {"reference": ("heads.reference", "heads"), "cupy": ("heads._cupy", "Find")},
    "follow": {"reference": ("follow.reference", "follow"), "cupy": ("follow._cupy", "Filters")},
}  # fmt: skip
_COMPILED = (
    ("project._numba", "project"), ("morph._numba", "morph"), ("lift._numba", "lift"), ("align._numba", "align"),
    ("reorient._numba", "reorient"), ("locate._numba", "locate"), ("imm._numba", "imm"),
    ("portray._numba", "portray"), ("halve._numba", "halve"),
    ("normals._numba", "normals"), ("relight._numba", "relight"), ("rasterize._numba", "rasterize"),
    ("shade._numba", "shade"), ("linearize._numba", "linearize"), ("gauss_newton._numba", "solve"),
    ("resemble._numba", "resemble"), ("crop_roi._numba", "_crop"),
)  # fmt: skip
"""The compiled functions of the live loop, quickest to compile first."""
_COMPILED_LATER = (
    ("shade_gradient._numba", "shade_gradient"), ("crop_nv12._numba", "compiled_crop"),
)  # fmt: skip


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
    locate: Locate
    imm: Imm
    portray: Portray
    halve: Halve
    normals: Normals
    rasterize: Rasterize
    relight: Relight
    shade: Shade
    linearize: Linearize
    gauss_newton: GaussNewton
    resemble: Resemble
    reorient: Reorient
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
    if column not in _TABLE[row]:
        raise BackendUnavailable(f"{row} has no {column}; it has {', '.join(_TABLE[row])}")
    try:
        found = _load(*_TABLE[row][column])
        # Made first: a class that needs a device says best what is missing.
        implementation = found() if isinstance(found, type) else found
        reason = _REASONS[column](row)
    except (ImportError, OSError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        what = f"--upgrade {column}" if column in PREFERRED else "'facewire[gpu]'"  # triton fails without torch, too
        raise BackendUnavailable(f"{row} on {column}: {line}; pip install {what}, or use auto") from error
    contract = _CONTRACTS[row] if row in _CONTRACTS else _load(*_LATER[row])
    return contract(implementation), reason


def _machine_code(row: str) -> str:
    """The version of numba and where it keeps its code."""
    import numba

    from tracker.kernels.compiled import cache_folder

    module = _TABLE[row]["numba"][0]
    folder = cache_folder(next(_load(m, name) for m, name in (*_COMPILED, *_COMPILED_LATER) if m == module))
    return f"numba {numba.__version__}, code kept in {folder or 'memory: no cache folder can be written'}"


def _device(row: str) -> str:
    """The version of triton and the device. Raises ImportError, or BackendUnavailable where there is no device."""
    import triton

    if triton.knobs.runtime.interpret:
        return f"triton {triton.__version__}, interpreted on the processor: slow"
    import torch

    if not torch.cuda.is_available():
        raise BackendUnavailable(f"{row} on triton: torch {torch.__version__} finds no CUDA device here; use auto")
    return f"triton {triton.__version__} on {torch.cuda.get_device_name()}"


def _cuda_device(row: str) -> str:
    """The version of CuPy and the device, which making the operator has found."""
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return f"CuPy {cupy.__version__} on {name}"


_REASONS: dict[str, Callable[[str], str]] = {
    "reference": lambda row: "plain numpy in float64, slow", "numba": _machine_code, "triton": _device,
    "cupy": _cuda_device,
}  # fmt: skip


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


def columns(row: str) -> list[str]:
    """The backends of a row, whether they work here or not."""
    return list(_TABLE[row])


def device_columns(row: str) -> list[str]:
    """Those that take a device's arrays."""
    return [column for column in columns(row) if column not in PREFERRED]


def operator(row: str, name: str = "auto") -> tuple[Any, Choice]:
    """One row's callable, and what it uses. "auto" takes numba where it works, else the reference.

    Triton's and CuPy's take arrays of a device, so they have to be asked for. Raises SettingsError for an unknown row
    or backend, BackendUnavailable when the row has no such backend or it does not work here.
    """
    if row not in _TABLE:
        raise SettingsError(f"operator {row!r}; valid: {', '.join(_TABLE)}")
    if name == "auto":
        return _pick(row)
    if name not in _REASONS:
        raise SettingsError(f"backend {name!r}; valid: auto, {', '.join(_REASONS)}")
    found, reason = _cell(row, name)
    return found, Choice(row, name, f"asked for; {reason}")


def tried(row: str, name: str) -> tuple[Any, Choice]:
    """As `operator`, but one that does not work here is None, and its choice says why not."""
    try:
        found, choice = operator(row, name)
        return found, Choice(row, name, choice.reason.removeprefix("asked for; "))
    except BackendUnavailable as error:
        return None, Choice(row, name, str(error).removeprefix(f"{row} on {name}: ").removeprefix(f"{row}: "))


def warmup(progress: Callable[[str], None] | None = None) -> Warmth:
    """Compile every kernel of the live loop, or load it from the cache.

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
            say("compiling the kernels for this machine, once; this takes about half a minute")
        kernel = _load(module, name)
        count += was_compiled(kernel)
        places.add(cache_folder(kernel))
    folders = tuple(sorted(place for place in places if place))
    if None in places:
        say("no folder for compiled code can be written, so every start compiles anew; set NUMBA_CACHE_DIR to one")
    elif count:
        say(f"compiled {count} kernels in {time.monotonic() - start:.0f} s, kept in {os.path.commonpath(folders)}")
    return Warmth(time.monotonic() - start, count, folders)

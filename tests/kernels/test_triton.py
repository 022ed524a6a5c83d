"""Triton's kernels without a GPU: interpreted they equal numba's, and for a GPU they compile as they must.

The interpreter needs a process of its own (see `interpreted.py`). For compute capabilities 8.0 and 9.0 the compiler
that comes with Triton makes machine code anywhere: no register spills to memory, registers stay below what leaves
room for enough programs at once, no sum of floats depends on the order of atomics, and outside of divisions nothing is
contracted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed: pip install 'facewire[gpu]'")

from tracker.kernels.halve import _triton as halve  # noqa: E402
from tracker.kernels.linearize import _triton as linearize  # noqa: E402
from tracker.kernels.morph import _triton as morph  # noqa: E402
from tracker.kernels.normals import _triton as normals  # noqa: E402
from tracker.kernels.project import _triton as project  # noqa: E402
from tracker.kernels.rasterize import _triton as rasterize  # noqa: E402
from tracker.kernels.relight import _triton as relight  # noqa: E402
from tracker.kernels.shade import _triton as shade  # noqa: E402
from tracker.kernels.shade_gradient import _triton as gradient  # noqa: E402

HERE = Path(__file__).parent
ARCHITECTURES = (80, 90)
MODULES = (gradient, halve, linearize, morph, normals, project, rasterize, relight, shade)


def test_interpreted_kernels_equal_numba() -> None:
    files = [str(HERE / "interpreted.py"), str(HERE / "interpreted_mesh.py")]
    options = ["-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={HERE}"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1], env=environment)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1]), done.stdout[-500:]


@dataclass(frozen=True)
class Kernel:
    """One compiled variant: arguments by Triton's names of types, constants, and what it may use."""

    name: str
    module: Any
    function: Any
    arguments: dict[str, str]
    constants: dict[str, Any]
    registers: int
    """Most it may use; a few above what it does."""


def floats(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "*fp32")


def whole(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "i32")


_MESH = {"vertices": "*fp32", "triangles": "*i32"}
_SIZES = whole("faces", "corners", "high", "wide")
_COVER = _MESH | {"keys": "*i64", "refused": "*i32"} | whole("first") | _SIZES
_SHADED = _MESH | {"regions": "*i32", "colours": "*fp32", "ids": "*i32", "target": "*u8"}
_COMPARE = _SHADED | floats("image", "part_error", "part_pixels") | _SIZES | whole("places") | {"soft": "fp32"}
_TOTAL = {"part_error": "*fp32", "part_pixels": "*i32", "error": "*fp32", "pixels": "*i32"} | whole("parts", "places")
_LIGHT = floats("normals", "albedo", "lighting", "colours") | whole("corners")
_WEIGH = _MESH | {"ids": "*i32", "barycentrics": "*fp32"} | whole("corners", "high", "wide")
_RESOLVE = {"keys": "*i64", "ids": "*i32", "depth": "*fp32"} | whole("first", "size", "picture")
_MORPH = floats("mean", "basis", "weights", "out") | whole("numbers", "shapes", "stride")
_PROJECT = floats("vertices", "rotation", "scale", "center", "out") | whole("corners", "given")
_NORMALS = _MESH | {"starts": "*i32", "fans": "*i32", "out": "*fp32"} | whole("corners")
_CHUNK = whole("first") | _SIZES | whole("places")
_OUTLINE = _MESH | {"neighbours": "*i32", "ids": "*i32", "weights": "*fp32", "energy": "*fp32", "sums": "*i64"} | _CHUNK
_GATHER = (
    floats("normals", "albedo", "lighting", "weights")
    | {"starts": "*i32", "fans": "*i32", "parts": "*fp32", "sums": "*i64"}
    | floats("lit", "places_out", "normals_out", "albedo_out")
    | whole("first", "faces", "corners", "places")
)
_GATHER_LIGHT = floats("normals", "lit", "lighting_out") | whole("first", "corners")
_LOOK = (
    floats("vertices", "normals", "albedo", "lighting", "depth")
    | {"target": "*u8", "seen": "*fp32", "weight": "*fp32"}
    | whole("corners", "high", "wide")
    | {"slack": "fp32", "soft": "fp32"}
)
_SUM_UP = floats("normals", "albedo", "seen", "weight") | {"sums": "*fp64"} | whole("corners")
_READ = (
    floats("vertices", "colours", "counts")
    | {"target": "*u8", "at": "*i32"}
    | floats("places", "std", "slopes", "residual", "weight")
    | whole("count", "landmarks", "high", "wide")
    | dict.fromkeys(("photometric", "unit", "landmark", "least"), "fp32")
)
_FILL = (
    floats("vertices", "about", "view", "shapes")
    | {"at": "*i32"}
    | floats("std", "slopes", "jacobian")
    | whole("count", "landmarks", "parameters")
    | {"least": "fp32"}
)
_HALVE = {"picture": "*fp32", "out": "*u8"} | whole("high", "wide", "channels")
KERNELS = (
    Kernel("halve", halve, halve.halve, _HALVE, {"BYTES": halve.BYTES}, 32),
    Kernel("read", linearize, linearize.read, _READ, {"ROWS": linearize.ROWS}, 40),
    Kernel("fill", linearize, linearize.fill, _FILL, {"ENTRIES": linearize.ENTRIES}, 48),
    Kernel("look", relight, relight.look, _LOOK, {"VERTICES": relight.VERTICES}, 40),
    Kernel("sum_up", relight, relight.sum_up, _SUM_UP, {"VERTICES": relight.VERTICES}, 64),
    Kernel("solve", relight, relight.solve, {"sums": "*fp64", "lighting": "*fp32"}, {}, 48),
    Kernel("energies", gradient, gradient.energies, _SHADED | floats("weights", "energy") | _CHUNK | {"soft": "fp32"},
           {"PIXELS": gradient.PIXELS}, 40),
    Kernel("inside", gradient, gradient.inside, _SHADED | floats("weights", "parts") | _CHUNK | {"soft": "fp32"},
           {"TRIANGLES": 8}, 88),
    Kernel("outline", gradient, gradient.outline, _OUTLINE, {"PIXELS": gradient.PIXELS}, 56),
    Kernel("gather", gradient, gradient.gather, _GATHER, {"VERTICES": gradient.VERTICES}, 64),
    Kernel("gather_light", gradient, gradient.gather_light, _GATHER_LIGHT, {"SUMMED": gradient.SUMMED}, 48),
    Kernel("morph", morph, morph.morph, _MORPH, {"NUMBERS": morph.NUMBERS, "SHAPES": morph.SHAPES}, 64),
    Kernel("project", project, project.project, _PROJECT, {"VERTICES": project.VERTICES}, 40),
    Kernel("normals", normals, normals.normals, _NORMALS, {"VERTICES": normals.VERTICES}, 72),
    Kernel("cover", rasterize, rasterize.cover, _COVER, {"KEEP_BACK": False, "TRIANGLES": 8}, 48),
    Kernel("cover_with_backs", rasterize, rasterize.cover, _COVER, {"KEEP_BACK": True, "TRIANGLES": 8}, 48),
    Kernel("resolve", rasterize, rasterize.resolve, _RESOLVE, {"PIXELS": rasterize.PIXELS}, 32),
    Kernel("weigh", rasterize, rasterize.weigh, _WEIGH, {"PIXELS": rasterize.PIXELS}, 48),
    Kernel("light", shade, shade.light, _LIGHT, {"VERTICES": shade.VERTICES}, 56),
    Kernel("compare", shade, shade.compare, _COMPARE, {"DRAWN": False, "PIXELS": shade.PIXELS}, 64),
    Kernel("compare_and_draw", shade, shade.compare, _COMPARE, {"DRAWN": True, "PIXELS": shade.PIXELS}, 64),
    Kernel("total", shade, shade.total, _TOTAL, {"PROGRAMS": shade.PROGRAMS}, 32),
)  # fmt: skip


DIVIDING = {
    "cover", "cover_with_backs", "weigh", "compare", "compare_and_draw", "energies", "inside", "outline", "normals",
    "read", "fill", "look", "sum_up", "solve",
}  # fmt: skip
"""Those that divide or take roots, which takes fused multiply-adds; no other has any."""


def test_every_kernel_is_compiled_here() -> None:
    found = {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, triton.runtime.jit.KernelInterface) and not name.startswith("_")
    }
    assert found - {"corner_shares"} == {kernel.function.__name__ for kernel in KERNELS}


def test_no_kernel_is_compiled_anew_when_a_count_changes() -> None:
    for kernel in KERNELS:
        pointers = {name for name, kind in kernel.arguments.items() if kind.startswith("*")}
        assert {one.name for one in kernel.function.params} == {*kernel.arguments, *kernel.constants}
        special = {one.name for one in kernel.function.params if not one.is_constexpr and not one.do_not_specialize}
        assert special == pointers, kernel.name


def test_every_launch_forbids_contraction() -> None:
    for module in MODULES:
        assert module.OPTIONS["enable_fp_fusion"] is False
        text = Path(module.__file__ or "").read_text(encoding="utf-8")
        assert text.count("**OPTIONS") == len(re.findall(r"^\s+\w+\[\(", text, re.MULTILINE)) > 0


def machine_code(kernel: Kernel, capability: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """How much it uses, and its instructions."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(folder))
    signature = kernel.arguments | dict.fromkeys(kernel.constants, "constexpr")
    aligned = {
        (number,): [["tt.divisibility", 16]] for number, kind in enumerate(signature.values()) if kind.startswith("*")
    }
    source = ASTSource(kernel.function, signature, kernel.constants, aligned)
    options = dict(kernel.module.OPTIONS)
    found = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    binary = folder / f"{kernel.name}.cubin"
    binary.write_bytes(found.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    run = [subprocess.run([tool, flag, binary], capture_output=True, text=True, check=True).stdout
           for flag in ("-res-usage", "-sass")]  # fmt: skip
    return run[0], run[1]


@pytest.mark.parametrize("capability", ARCHITECTURES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_compiles_without_spills(
    kernel: Kernel, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, code = machine_code(kernel, capability, tmp_path, monkeypatch)
    registers, stack, local = (int(re.search(rf"{name}:(\d+)", usage)[1]) for name in ("REG", "STACK", "LOCAL"))
    assert (stack, local) == (0, 0), usage
    assert registers <= kernel.registers, f"{registers} registers"
    atomics = set(re.findall(r"\b(?:REDG?|ATOMG?|ATOMS)\.[\w.]+", code))
    assert not [one for one in atomics if re.search(r"F16|F32|F64|BF", one)], atomics
    # Of integers, whose order does not matter: the least key of a pixel, and what a silhouette moves.
    wanted = {"cover": ".MIN.S64", "outline": ".ADD.64"}.get(kernel.function.__name__)
    assert any(wanted in one for one in atomics) if wanted else not atomics, atomics
    if kernel.name not in DIVIDING:
        assert "FFMA" not in code and "DFMA" not in code

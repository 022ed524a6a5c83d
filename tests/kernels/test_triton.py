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

from tracker.kernels.rasterize import _triton as rasterize  # noqa: E402
from tracker.kernels.shade import _triton as shade  # noqa: E402

HERE = Path(__file__).parent
ARCHITECTURES = (80, 90)


def test_interpreted_kernels_equal_numba() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE / "interpreted.py")]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1], env=environment)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1]), done.stdout[-500:]


@dataclass(frozen=True)
class Kernel:
    """One compiled variant: arguments by Triton's names of types, constants, and what it may use."""

    name: str
    function: Any
    arguments: dict[str, str]
    constants: dict[str, Any]
    registers: int
    """Most it may use; a few above what it does."""


_COVER = {"vertices": "*fp32", "triangles": "*i32", "keys": "*i64", "refused": "*i32"} | dict.fromkeys(
    ("first", "faces", "corners", "high", "wide"), "i32"
)
_COMPARE = (
    {"vertices": "*fp32", "triangles": "*i32", "regions": "*i32", "colours": "*fp32", "ids": "*i32", "target": "*u8"}
    | {"image": "*fp32", "part_error": "*fp32", "part_pixels": "*i32"}
    | dict.fromkeys(("faces", "corners", "high", "wide", "places"), "i32")
    | {"soft": "fp32"}
)
_TOTAL = {"part_error": "*fp32", "part_pixels": "*i32", "error": "*fp32", "pixels": "*i32"}
_LIGHT = dict.fromkeys(("normals", "albedo", "lighting", "colours"), "*fp32") | {"corners": "i32"}
_WEIGH = {"vertices": "*fp32", "triangles": "*i32", "ids": "*i32", "barycentrics": "*fp32"}
_RESOLVE = {"keys": "*i64", "ids": "*i32", "depth": "*fp32"} | dict.fromkeys(("first", "size", "picture"), "i32")
KERNELS = (
    Kernel("cover", rasterize.cover, _COVER, {"KEEP_BACK": False, "TRIANGLES": 8}, 48),
    Kernel("cover_with_backs", rasterize.cover, _COVER, {"KEEP_BACK": True, "TRIANGLES": 8}, 48),
    Kernel("resolve", rasterize.resolve, _RESOLVE, {"PIXELS": rasterize.PIXELS}, 32),
    Kernel("weigh", rasterize.weigh, _WEIGH | dict.fromkeys(("corners", "high", "wide"), "i32"),
           {"PIXELS": rasterize.PIXELS}, 48),
    Kernel("light", shade.light, _LIGHT, {"VERTICES": shade.VERTICES}, 56),
    Kernel("compare", shade.compare, _COMPARE, {"DRAWN": False, "PIXELS": shade.PIXELS}, 64),
    Kernel("compare_and_draw", shade.compare, _COMPARE, {"DRAWN": True, "PIXELS": shade.PIXELS}, 64),
    Kernel("total", shade.total, _TOTAL | {"parts": "i32", "places": "i32"}, {"PROGRAMS": shade.PROGRAMS}, 32),
)  # fmt: skip


def test_every_kernel_is_compiled_here() -> None:
    found = {
        name
        for module in (rasterize, shade)
        for name, value in vars(module).items()
        if isinstance(value, triton.runtime.jit.KernelInterface) and not name.startswith("_")
    }
    assert found - {"corner_shares"} == {kernel.function.__name__ for kernel in KERNELS}


def test_every_launch_forbids_contraction() -> None:
    for module in (rasterize, shade):
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
    options = rasterize.OPTIONS
    found = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=dict(options))
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
    if kernel.function is rasterize.cover:
        assert any(".MIN.S64" in one for one in atomics), atomics
    else:
        assert not atomics
    if kernel.name in ("light", "resolve", "total"):  # the others divide, which takes fused multiply-adds
        assert "FFMA" not in code

"""CUDA C of our own: it compiles for GPUs that are not here, within its registers, without atomics; what the launcher
asks of arrays; and what a machine without a device is told."""

from __future__ import annotations

import builtins
import re
import shutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tracker.kernels
from tracker.bench import kernels as bench
from tracker.bench import places
from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels import align, backend, crop_roi, cuda, follow, gauss_newton, heads, imm, lift, portray
from tracker.kernels.crop_nv12 import _cupy as crop_nv12_cupy
from tracker.kernels.follow import _cupy as follow_cupy
from tracker.kernels.gauss_newton import _cupy as gauss_newton_cupy
from tracker.kernels.heads import _cupy as heads_cupy

FOLDER = Path(tracker.kernels.__path__[0])
# Source -> the most registers a thread may use: as many as let so many blocks of 256 threads share a multiprocessor.
MOST_REGISTERS = {
    "gauss_newton/gauss_newton.cu": 80, "crop_nv12/crop_nv12.cu": 64, "heads/heads.cu": 168, "follow/follow.cu": 128,
}  # fmt: skip
TRIGONOMETRY_BYTES = 40

ON_THIS_MACHINE = {"heads": "reference", "follow": "reference"}
"""What joins kernels of the processor for a device has no column of numba's: there they are called one by one."""


def test_every_source_is_looked_at() -> None:
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.cu")} == set(MOST_REGISTERS)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("source", MOST_REGISTERS)
def test_sources_compile_without_spills_or_atomics(nvrtc: Any, source: str, architecture: str) -> None:
    built = nvrtc(FOLDER / source, architecture, (*cuda.OPTIONS, "--ftz=true"))  # CuPy adds the last
    assert f"for '{architecture}'" in built.log, built.log
    # Of the kernel and of what it calls; sine and cosine of doubles need room to reduce large angles.
    used = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", built.log)
    assert used and {one[1:] for one in used} == {("0", "0")}, built.log
    assert max(int(one[0]) for one in used) <= TRIGONOMETRY_BYTES * ("sin(" in (FOLDER / source).read_text()), built.log
    registers = re.search(r"Used (\d+) registers", built.log)
    assert registers and int(registers[1]) <= MOST_REGISTERS[source], built.log
    assert ".entry" in built.ptx and not re.findall(r"^\s*(?:atom|red)\b.*$", built.ptx, re.MULTILINE)


@pytest.mark.parametrize("source,name,value", [
    ("gauss_newton/gauss_newton.cu", "MOST", gauss_newton.MOST_PARAMETERS),
    ("gauss_newton/gauss_newton.cu", "LEAST_PIVOT", gauss_newton.LEAST_PIVOT),
    ("gauss_newton/gauss_newton.cu", "LARGEST", gauss_newton.LARGEST),
    ("gauss_newton/gauss_newton.cu", "THREADS", gauss_newton_cupy.THREADS),
    ("crop_nv12/crop_nv12.cu", "LARGEST_BLOCK", crop_roi.LARGEST_BLOCK),
    ("crop_nv12/crop_nv12.cu", "TILE", crop_nv12_cupy.TILE),
    ("heads/heads.cu", "THREADS", heads_cupy.THREADS),
    ("heads/heads.cu", "MOST_POINTS", heads.MOST_POINTS),
    ("heads/heads.cu", "MOST_COEFFICIENTS", heads.MOST_COEFFICIENTS),
    ("heads/heads.cu", "LEAST_STD", align.LEAST_STD),
    ("heads/heads.cu", "LEAST_SPREAD", align.LEAST_SPREAD),
    ("heads/heads.cu", "STEPS", align.STEPS),
    ("heads/heads.cu", "LOG_SCALE_LIMIT", lift.LOG_SCALE_LIMIT),
    ("heads/heads.cu", "LOG_STD_LOW", lift.LOG_STD_LIMITS[0]),
    ("heads/heads.cu", "LOG_STD_HIGH", lift.LOG_STD_LIMITS[1]),
    ("follow/follow.cu", "THREADS", follow_cupy.THREADS),
    ("follow/follow.cu", "MOST_CHANNELS", follow.MOST_CHANNELS),
    ("follow/follow.cu", "MOST_GROUPS", follow.MOST_GROUPS),
    *(("follow/follow.cu", name, getattr(imm, name)) for name in (
        "MODES", "STARTED", "QUATERNION", "SAMPLE", "TURN", "REST", "WALK", "DENSITY", "MEMORY", "SPEED", "LEAST",
        "MOST", "UNIT", "LEARN_SECONDS", "LEAST_FACTOR", "MOST_FACTOR", "TRUST", "FOLLOW", "MEDIAN_OF_SQUARE",
        "LEAST_SHARE",
    )),
    *(("follow/follow.cu", name, getattr(portray, name))
       for name in ("STEEPEST", "ROTATION", "ROTATION_RAW", "TRANSLATION")),
    *(("follow/follow.cu", name, getattr(portray, name))
       for name in ("TRANSLATION_RAW", "SPREAD", "DIRECTIONS", "AFTER_MESH")),
])  # fmt: skip
def test_sources_have_the_contracts_numbers(source: str, name: str, value: float) -> None:
    found = re.search(rf"^#define {name} +([0-9.e+-]+)", (FOLDER / source).read_text(), re.MULTILINE)
    assert found and float(found[1]) == value


@pytest.mark.parametrize("source", MOST_REGISTERS)
def test_the_offline_compiler_takes_them_too(source: str, tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc here")
    options = ["-cubin", "-arch=sm_90", "-Werror", "all-warnings", *cuda.OPTIONS, "-o", str(tmp_path / "kernel.cubin")]
    done = subprocess.run(["nvcc", *options, str(FOLDER / source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make `import name` fail as where it is not installed."""
    found = builtins.__import__

    def refuse(module: str, *rest: Any, **more: Any) -> Any:
        if module.split(".")[0] == name:
            raise ImportError(f"No module named '{name}'")
        return found(module, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize("row", ["gauss_newton", "crop_nv12", "heads", "follow"])
def test_without_cupy_it_says_so(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cupy")
    with pytest.raises(BackendUnavailable, match=rf"{row}: looked for CuPy \(No module named 'cupy'\); pip install"):
        backend.operator(row, "cupy")
    assert backend.operator(row)[1].backend == ON_THIS_MACHINE.get(row, "numba")


def test_without_a_driver_or_a_device_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nand more")

    runtime = SimpleNamespace(getDeviceCount=fails)
    stand_in = SimpleNamespace(__version__="14", cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    with pytest.raises(BackendUnavailable, match=r"looked for an NVIDIA driver.*insufficient\); use numba") as caught:
        backend.operator("gauss_newton", "cupy")
    assert "\n" not in str(caught.value)
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(BackendUnavailable, match="CuPy 14 sees no CUDA device"):
        backend.operator("gauss_newton", "cupy")


def test_kernels_join_a_stream_that_somebody_else_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By CuPy's own way of its version: the older one is deprecated in 14, and warned about at each call."""
    pytest.importorskip("cupy", reason="CuPy comes with the gpu extra")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = cuda.on_stream(0x5EED)
    assert stream.ptr == 0x5EED
    older = SimpleNamespace(cuda=SimpleNamespace(Stream=object, ExternalStream=lambda address: ("old", address)))
    monkeypatch.setitem(sys.modules, "cupy", older)
    assert cuda.on_stream(3) == ("old", 3)


def test_a_device_is_named_with_the_reason(cuda_on_cpu: Any) -> None:
    assert backend.operator("gauss_newton", "cupy")[1].reason == "asked for; CuPy 0 on this processor"


def test_arrays_are_checked_by_their_interface(cuda_on_cpu: Any) -> None:
    float32 = np.dtype(np.float32)
    there = cuda_on_cpu.asarray(np.zeros((2, 3), np.float32))
    cuda.require("x", there, float32, (2, 3), True)
    cuda.require("x", np.zeros((2, 3), np.float32), float32, (2, 3), False)
    turned = cuda_on_cpu.asarray(np.zeros((2, 3), np.float32), strides=(32, 8))
    for array, dtype, shape, device in (
        (there, float32, (3, 2), True), (there, float32, (2, 3), False), (there, np.dtype(np.int32), (2, 3), True),
        (turned, float32, (2, 3), True), (np.zeros((2, 3), np.float32), float32, (2, 3), True),
        (np.zeros((3, 2), np.float32).T, float32, (2, 3), False), ([0.0], float32, (1,), False),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match="^x is .*; it must be (CUDA|numpy) contiguous"):
            cuda.require("x", array, dtype, shape, device)


def test_an_axis_of_one_element_may_have_any_stride(cuda_on_cpu: Any) -> None:
    there = cuda_on_cpu.asarray(np.zeros((1, 4), np.float32), strides=(400, 4))
    cuda.require("x", there, np.dtype(np.float32), (1, 4), True)


OVERRUN = """
extern "C" __global__ void overrun(float* out, int count) {
    __shared__ float last;
    if (threadIdx.x == 31) last = 1.0f;
    out[threadIdx.x + count] = last;
    __syncthreads();
}
"""


def test_the_stand_in_catches_what_it_is_for(cuda_on_cpu: Any) -> None:
    """Shared memory read before a barrier, a write beyond the end, an argument of the wrong size."""
    run = cuda_on_cpu.RawModule(OVERRUN, cuda.OPTIONS, "nvrtc").get_function("overrun")
    out = cuda_on_cpu.asarray(np.zeros(32, np.float32))
    run((1,), (32,), (cuda.pointer(out), np.int32(0)))
    assert np.isnan(out.array[:31]).all() and out.array[31] == 1
    cuda_on_cpu.order = 1
    run((1,), (32,), (cuda.pointer(out), np.int32(0)))
    assert (out.array == 1).all()
    with pytest.raises(AssertionError, match="beyond an array's end"):
        run((1,), (32,), (cuda.pointer(out), np.int32(1)))
    with pytest.raises(AssertionError):
        run((1,), (32,), (cuda.pointer(out), np.int64(0)))


@pytest.mark.parametrize("row", ["gauss_newton", "crop_nv12", "heads", "follow"])
def test_the_bench_compares_on_a_device(cuda_on_cpu: Any, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = import_module(f"tracker.kernels.{row}.cases")
    monkeypatch.setattr(cases, "BENCH_CASES", cases.CASES[:1])
    monkeypatch.setattr(places, "_QUEUED", 1)
    (found,) = bench.measure(bench.Settings(row, "cupy", 2)).rows
    assert found.agrees and (found.backend, found.timed.spread.count) == ("cupy", 2)
    rows = bench.measure(bench.Settings(row, "auto", 2)).rows
    assert [one.backend for one in rows] == ["numba", "cupy"][row in ON_THIS_MACHINE :]


def test_a_devices_time_is_that_of_a_replay(cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call from Python costs more than a small kernel, so none lies between the two looks at the device's clock."""
    asked, between = [], []
    event = SimpleNamespace(record=lambda: between.append(len(asked)), synchronize=lambda: None)
    monkeypatch.setattr(cuda_on_cpu.cuda, "Event", lambda: event)
    array = cuda_on_cpu.zeros(1, np.uint8)

    def work() -> None:
        array.array[0] += 1

    def call() -> None:
        asked.append(None)
        cuda_on_cpu.launch(work)

    found = places.place_of("cupy").time(call, 3)
    assert found.count == 3 and len(asked) == places._QUEUED + 1, "the first compiles, the others are captured"
    assert set(between[1:]) == {len(asked)}, "nothing is called while the clock runs"
    assert array.array[0] == 1 + 4 * places._QUEUED, "one replay to warm up, and one a sample"

"""What of a GPU is here, part by part: driver, device, packages, compiler and decoder, and what to do about each.

Given nothing it looks the way the device's frame will use each part: the driver is asked for its devices, NVRTC
compiles a kernel, NVDEC decodes the bundled clip. Without a device the packages are only looked up, not loaded, but for
CuPy, whose compiler needs none; so a plain processor is done at once. No part's failure ends it. It repairs nothing.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import as_file, files
from typing import Any

from tracker.device.readiness import INSTALL, why_not_torch
from tracker.errors import BackendUnavailable, SourceError
from tracker.source import SourceSettings, open_source
from tracker.source.hardware import picture_on_device

DISTRIBUTIONS = {
    "torch": ("torch",), "triton": ("triton",), "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"), "onnx": ("onnx",),
}  # fmt: skip
"""Each package may come under several names."""
OPTIONAL = ("nvdec",)
"""Without it the processor decodes, and only crops travel to the device."""
LEAST_CAPABILITY = (8, 0)
"""The oldest that the kernels are compiled and tested for."""
_DRIVER = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR."""
_SOURCE = 'extern "C" __global__ void one(float* at) { at[0] = 1.0f; }'


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a GPU's work needs."""

    name: str
    works: bool
    needed: bool
    """Without the others the processor does their share."""
    found: str
    """What it is; where it does not work, what was looked for and what to try."""


def parts() -> list[Part]:
    """Everything, in the order in which one needs the other."""
    driver: Any = None
    found: list[Part] = []

    def look(name: str, at: Callable[[], str]) -> bool:
        try:
            works, told = True, at()
        except Exception as error:  # whatever a half-installed library or driver raises is what is to be told
            works, told = False, _line(error)
        found.append(Part(name, works, name not in OPTIONAL, told))
        return works

    def start() -> str:
        nonlocal driver
        driver = _driver()
        return f"for CUDA up to {_cuda_version(driver)}"

    there = look("driver", start) and look("device", lambda: _devices(driver))
    for name in DISTRIBUTIONS:
        look(name, lambda name=name: _package(name, there))  # type: ignore[misc]
    look("nvrtc", _compiles)
    if there:
        look("nvdec", _decodes)
    return found


def _driver() -> Any:
    """NVIDIA's driver library, started. Raises BackendUnavailable."""
    name = _DRIVER.get(sys.platform)
    if name is None:
        raise BackendUnavailable(f"NVIDIA has none for {sys.platform}; track on the processor")
    try:
        driver = _library(name)
    except OSError as error:
        raise BackendUnavailable(
            f"no {name}: no NVIDIA GPU, or no driver for it; install NVIDIA's driver, or start the container with "
            "--gpus all"
        ) from error
    if code := driver.cuInit(0):
        raise BackendUnavailable(
            f"{name} does not start (error {code}); check that nvidia-smi lists a GPU, and restart after an update"
        )
    return driver


def _library(name: str) -> Any:
    return ctypes.CDLL(name)


def _cuda_version(driver: Any) -> str:
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def _devices(driver: Any) -> str:
    """Name, memory and capability of each. Raises BackendUnavailable for none, or none that is new enough."""
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        raise BackendUnavailable("the driver lists no device; check nvidia-smi and CUDA_VISIBLE_DEVICES")
    told, newest = [], (0, 0)
    for number in range(count.value):
        device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
        major, minor = ctypes.c_int(), ctypes.c_int()
        driver.cuDeviceGet(ctypes.byref(device), number)
        driver.cuDeviceGetName(name, 256, device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
        driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
        newest = max(newest, (major.value, minor.value))
        told.append(
            f"{name.value.decode()}, {memory.value / 2**30:.0f} GiB, compute capability {major.value}.{minor.value}"
        )
    if newest < LEAST_CAPABILITY:
        raise BackendUnavailable(f"{'; '.join(told)}: the kernels need {'.'.join(map(str, LEAST_CAPABILITY))} or newer")
    return "; ".join(told)


def _package(name: str, there: bool) -> str:
    """The version; with a device `there`, whether torch and CuPy see it. Raises BackendUnavailable."""
    version = next((found for one in DISTRIBUTIONS[name] if (found := _version(one))), None)
    if version is None:
        raise BackendUnavailable(f"not installed; {INSTALL}")
    if name == "torch" and there and (reason := why_not_torch()):
        raise BackendUnavailable(reason)
    if name == "torch" and "+cpu" in version:
        raise BackendUnavailable(f"{version} is built without CUDA; {INSTALL} in an environment without that build")
    if name == "triton" and there:
        _build_launcher(version)
    if name == "cupy" and there:
        import cupy

        cupy.cuda.runtime.getDeviceCount()
    return version


def _build_launcher(version: str) -> None:
    """Triton's, or find it built by an earlier process. Raises BackendUnavailable."""
    try:
        from triton.runtime import driver

        _ = driver.active.utils
    except Exception as error:  # no compiler, none of Python's headers, no folder to keep it in
        raise BackendUnavailable(
            f"{version} cannot build its launcher: {_line(error)}; install gcc and Python's headers (python3-dev)"
        ) from error


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _compiles() -> str:
    """The compiler that CuPy finds, tried on one kernel. Raises BackendUnavailable, or what CuPy raises."""
    if not any(_version(one) for one in DISTRIBUTIONS["cupy"]):
        raise BackendUnavailable(f"not looked for, since CuPy is what calls it; {INSTALL}")
    try:
        from cupy.cuda import nvrtc

        program = nvrtc.createProgram(_SOURCE, "one.cu", (), ())
        nvrtc.compileProgram(program, ("--gpu-architecture=sm_80",))
        nvrtc.destroyProgram(program)
    except Exception as error:  # CuPy's own, or that no library was found
        raise BackendUnavailable(f"{_line(error)}; {INSTALL}, or a CUDA toolkit") from error
    return "CUDA {}.{}, compiles for sm_80".format(*nvrtc.getVersion())


def _decodes() -> str:
    """NVDEC's first picture of the bundled clip. Raises BackendUnavailable."""
    try:
        clip = files("tracker.assets").joinpath("demo.mp4")
        with as_file(clip) as path, open_source(str(path), SourceSettings(decode="cuda")) as source:
            stays = picture_on_device(next(iter(source))) is not None
    except SourceError as error:
        raise BackendUnavailable(
            "PyAV opens no hardware decoder, so the processor decodes and only crops travel; in a container let "
            "NVIDIA_DRIVER_CAPABILITIES include video"
        ) from error
    if not stays:
        raise BackendUnavailable("PyAV decodes with it, but the pictures do not stay on the device; pip install -U av")
    return "decodes H.264, and its pictures stay on the device"


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

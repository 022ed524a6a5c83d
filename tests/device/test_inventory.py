"""What the doctor says of a GPU: without one, quickly and as no problem; with one, by stand-ins for its driver."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracker import doctor
from tracker.device import inventory, readiness
from tracker.device.inventory import Part

ROOT = Path(__file__).resolve().parents[2]


class Driver:
    """NVIDIA's driver with one device, or none, or one that does not start."""

    def __init__(self, count: int = 1, code: int = 0, capability: tuple[int, int] = (9, 0)) -> None:
        self._count, self._code, self._capability = count, code, capability

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._code

    def cuDriverGetVersion(self, into: Any) -> None:  # noqa: N802
        into._obj.value = 13010

    def cuDeviceGetCount(self, into: Any) -> None:  # noqa: N802
        into._obj.value = self._count

    def cuDeviceGet(self, into: Any, number: int) -> None:  # noqa: N802
        into._obj.value = number

    def cuDeviceGetName(self, into: Any, size: int, device: ctypes.c_int) -> None:  # noqa: N802
        into.value = b"A card"

    def cuDeviceTotalMem_v2(self, into: Any, device: ctypes.c_int) -> None:  # noqa: N802
        into._obj.value = 80 << 30

    def cuDeviceGetAttribute(self, into: Any, attribute: int, device: ctypes.c_int) -> None:  # noqa: N802
        into._obj.value = self._capability[attribute - 75]


def by_name(found: list[Part]) -> dict[str, Part]:
    return {part.name: part for part in found}


def with_driver(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> dict[str, Part]:
    """What is found where the driver says this and every package is there and well."""
    monkeypatch.setattr(inventory, "_library", lambda name: driver)
    monkeypatch.setattr(inventory, "_version", lambda distribution: "1.2")
    monkeypatch.setattr(inventory, "why_not_torch", lambda: None)
    monkeypatch.setattr(inventory, "_compiles", lambda: "CUDA 13.0")
    monkeypatch.setattr(inventory, "_decodes", lambda: "decodes")
    monkeypatch.setattr(inventory, "_build_launcher", lambda version: None)
    runtime = SimpleNamespace(getDeviceCount=lambda: 1)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    return by_name(inventory.parts())


def test_without_a_driver_each_part_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(inventory, "_library", missing)
    monkeypatch.setattr(inventory, "_version", lambda distribution: None)
    found = by_name(inventory.parts())
    assert list(found) == ["driver", "torch", "triton", "cupy", "onnx", "nvrtc"]
    assert not any(part.works for part in found.values())
    assert "install NVIDIA's driver" in found["driver"].found or sys.platform not in ("linux", "win32")
    for name in ("torch", "triton", "cupy", "onnx", "nvrtc"):
        assert readiness.INSTALL in found[name].found, name


def test_a_device_is_named_with_memory_and_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    if inventory._DRIVER.get(sys.platform) is None:
        pytest.skip("NVIDIA has no driver for this system")
    found = with_driver(monkeypatch, Driver())
    assert all(part.works for part in found.values()), found
    assert found["device"].found == "A card, 80 GiB, compute capability 9.0"
    assert found["driver"].found == "for CUDA up to 13.1"
    assert not found["nvdec"].needed and found["cupy"].needed


@pytest.mark.parametrize(
    ("driver", "part", "told"),
    [
        (Driver(code=100), "driver", "error 100"),
        (Driver(count=0), "device", "lists no device"),
        (Driver(capability=(7, 5)), "device", "need 8.0 or newer"),
    ],
)
def test_a_driver_that_does_not_serve(driver: Driver, part: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if inventory._DRIVER.get(sys.platform) is None:
        pytest.skip("NVIDIA has no driver for this system")
    found = with_driver(monkeypatch, driver)
    assert not found[part].works and told in found[part].found and "\n" not in found[part].found
    assert "nvdec" not in found and found["onnx"].works  # the rest is looked at all the same


def test_what_a_broken_package_raises_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    if inventory._DRIVER.get(sys.platform) is None:
        pytest.skip("NVIDIA has no driver for this system")

    class Odd(Exception):
        """Such as CuPy's, which derive from nothing of ours."""

    def fails() -> int:
        raise Odd("cudaErrorInsufficientDriver: too old\nand more")

    monkeypatch.setattr(inventory, "_decodes", fails)
    with_driver(monkeypatch, Driver())
    sys.modules["cupy"].cuda.runtime.getDeviceCount = fails
    found = by_name(inventory.parts())
    assert found["cupy"].found == "cudaErrorInsufficientDriver: too old" and not found["cupy"].works


@pytest.mark.parametrize("raised", [
    RuntimeError("Failed to find C compiler. Please specify"),
    subprocess.CalledProcessError(1, ["gcc", "driver.c"]),  # as without Python.h
])  # fmt: skip
def test_a_triton_that_cannot_build_its_launcher_does_not_work(raised: Exception, monkeypatch: Any) -> None:
    if inventory._DRIVER.get(sys.platform) is None:
        pytest.skip("NVIDIA has no driver for this system")

    class Active:
        @property
        def active(self) -> Any:
            raise raised

    builds = inventory._build_launcher
    with_driver(monkeypatch, Driver())
    monkeypatch.setattr(inventory, "_build_launcher", builds)
    for name, found in (("triton", SimpleNamespace()), ("triton.runtime", SimpleNamespace(driver=Active()))):
        monkeypatch.setitem(sys.modules, name, found)
    triton = by_name(inventory.parts())["triton"]
    assert not triton.works and str(raised)[:20] in triton.found and "python3-dev" in triton.found


def test_nvrtc_compiles_here() -> None:
    pytest.importorskip("cupy", reason="CuPy comes with the gpu extra")
    found = by_name(inventory.parts())["nvrtc"]
    assert found.works and "sm_80" in found.found, found.found


def test_a_machine_without_a_gpu_loads_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds to load, and has nothing to say that its version does not."""
    program = (
        "from tracker.device import inventory; found = inventory.parts(); import sys; "
        "print([part.name for part in found if part.works], 'torch' in sys.modules, 'triton' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    if "device" in done.stdout:
        pytest.skip("there is a GPU here")
    assert done.stdout.strip().endswith("False False")


def test_the_report_says_first_that_none_of_it_is_needed() -> None:
    rows = [{"name": "driver", "works": False, "needed": True, "found": "no libcuda.so.1"},
            {"name": "nvdec", "works": False, "needed": False, "found": "no decoder"}]  # fmt: skip
    text = "\n".join(doctor._gpu_lines(doctor.Report(gpu=rows)))
    assert "without --device everything runs on the processor" in text.splitlines()[0]
    assert "driver         missing" in text and "nvdec          without" in text
    assert "ready: run --device cuda" in "\n".join(doctor._gpu_lines(doctor.Report(gpu=rows, gpu_ready=True)))

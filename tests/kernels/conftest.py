"""CUDA C without a GPU: a stand-in for CuPy that runs our kernels' own sources on this processor, and the compiler of
NVIDIA's wheel for the GPUs that are not here."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
GUARD = 4096
"""Bytes before and behind every array."""
Run = Callable[..., None]


class DeviceArray:
    """Memory of this machine that says it is a device's, as CuPy's arrays do, between two guards."""

    def __init__(self, array: np.ndarray, strides: tuple[int, ...] | None = None) -> None:
        """Holds a copy; rows keep `strides`, or stand side by side."""
        array = np.ascontiguousarray(array)
        extent = array.nbytes if strides is None else strides[0] * array.shape[0]
        self._memory = np.full(extent + 2 * GUARD, 0xA5, np.uint8)
        inside = self._memory[GUARD:-GUARD]
        self.array = np.ndarray(array.shape, array.dtype, inside, strides=strides)
        self.array[...] = array
        self.shape, self.dtype = array.shape, array.dtype
        about = {"shape": array.shape, "typestr": array.dtype.str, "data": (self.array.ctypes.data, False)}
        self.__cuda_array_interface__ = {**about, "version": 3, "strides": strides}

    def is_intact(self) -> bool:
        """Whether nobody wrote beyond either end."""
        return bool((self._memory[:GUARD] == 0xA5).all() and (self._memory[-GUARD:] == 0xA5).all())


class OnCpu:
    """What stands in for CuPy. `order` is that of a block's threads: 0 forwards, 1 backwards, else a shuffle."""

    __version__ = "0"
    ndarray, uint8 = DeviceArray, np.uint8

    def __init__(self, folder: Path) -> None:
        self.order = 0
        self._folder, self._kernels = folder, dict[str, Any]()
        self._arrays = weakref.WeakSet[DeviceArray]()
        properties = {"name": b"this processor"}
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(getDeviceCount=lambda: 1, getDeviceProperties=lambda device: properties),
            Device=lambda: SimpleNamespace(id=0), get_elapsed_time=lambda begin, end: 0.001,
            Event=lambda: SimpleNamespace(record=lambda: None, synchronize=lambda: None),
            Stream=lambda non_blocking: Capturing(self),
        )  # fmt: skip
        self.captured: list[Callable[[], None]] | None = None
        """What is launched while a stream captures, which runs when that is replayed."""

    def asarray(self, array: np.ndarray, strides: tuple[int, ...] | None = None) -> DeviceArray:
        found = DeviceArray(array, strides)
        self._arrays.add(found)
        return found

    def zeros(self, size: int, dtype: type) -> DeviceArray:
        return self.asarray(np.zeros(size, dtype))

    def copyto(self, target: DeviceArray, source: DeviceArray) -> None:
        self.launch(lambda: np.copyto(target.array, source.array))

    def launch(self, work: Callable[[], None]) -> None:
        """Now, or later where a stream captures."""
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    @staticmethod
    def asnumpy(array: DeviceArray) -> np.ndarray:
        return array.array

    def RawModule(self, code: str, options: tuple[str, ...], backend: str) -> Any:  # noqa: N802
        assert backend == "nvrtc" and "--fmad=false" in options
        return SimpleNamespace(get_function=lambda name: self._launcher(name, code))

    def _launcher(self, name: str, code: str) -> Run:
        if name not in self._kernels:
            self._kernels[name] = self._compile(name, code)
        library = self._kernels[name]
        sizes = (ctypes.c_int * 64)()
        count = library.parameters(sizes)

        def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            # A launch on a GPU does not notice an argument of another size than its parameter.
            assert [argument.itemsize for argument in arguments] == list(sizes[:count])
            values = [np.array(argument) for argument in arguments]
            pointers = (ctypes.c_void_p * count)(*[value.ctypes.data for value in values])
            extent = (ctypes.c_uint * 5)(*grid, *[1] * (3 - len(grid)), *block, *[1] * (2 - len(block)))

            def work() -> None:
                assert values and library.launch(extent, pointers, self.order) == 0, "threads wait for ever"
                assert all(array.is_intact() for array in self._arrays), "written beyond an array's end"

            self.launch(work)

        return run

    def _compile(self, name: str, code: str) -> ctypes.CDLL:
        source, built = self._folder / f"{name}.cpp", self._folder / f"{name}.so"
        (self._folder / f"{name}.cu").write_text(code)
        source.write_text(f'#include "{HERE / "cuda_on_cpu.h"}"\n#include "{name}.cu"\nCUDA_ON_CPU({name})\n')
        flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC"]
        done = subprocess.run(["g++", *flags, "-o", built, source], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(built))


class Capturing:
    """A stream of CuPy's, for what a bench does with one: it captures, and what it captured is launched."""

    def __init__(self, cupy: OnCpu) -> None:
        self._cupy = cupy

    def __enter__(self) -> Capturing:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._cupy.captured is None, "still capturing"

    def begin_capture(self) -> None:
        self._cupy.captured = []

    def end_capture(self) -> Any:
        captured, self._cupy.captured = self._cupy.captured or [], None

        def launch() -> None:
            for work in captured:
                work()

        return SimpleNamespace(launch=launch)


@pytest.fixture(scope="session")
def _on_cpu(tmp_path_factory: pytest.TempPathFactory) -> OnCpu:
    if shutil.which("g++") is None or sys.platform != "linux":
        pytest.skip("no g++ for Linux here to run CUDA C on the processor with")
    return OnCpu(tmp_path_factory.mktemp("cuda_on_cpu"))


@pytest.fixture
def cuda_on_cpu(_on_cpu: OnCpu, monkeypatch: pytest.MonkeyPatch) -> OnCpu:
    """Imports of CuPy give the stand-in."""
    _on_cpu.order = 0
    monkeypatch.setitem(sys.modules, "cupy", _on_cpu)
    return _on_cpu


@dataclass(frozen=True, slots=True)
class Built:
    """What the compiler made."""

    ptx: str
    log: str
    """With what ptxas says about registers and spills."""


@pytest.fixture(scope="session")
def nvrtc() -> Callable[[Path, str, tuple[str, ...]], Built]:
    """Compiles a source for an architecture; no GPU or driver takes part."""
    found = importlib.util.find_spec("nvidia")
    folders = [Path(place) / "cu13" / "lib" for place in (found and found.submodule_search_locations) or ()]
    libraries = sorted(path for folder in folders for path in folder.glob("libnvrtc*.so*") if ".alt." not in path.name)
    if not libraries:
        pytest.skip("no NVRTC here; pip install nvidia-cuda-nvrtc")
    # The compiler looks for its built-ins by name, which works once they are loaded: "libnvrtc-builtins" sorts first.
    library = [ctypes.CDLL(str(path)) for path in libraries][-1]

    def text(program: ctypes.c_void_p, kind: str) -> str:
        size = ctypes.c_size_t()
        getattr(library, f"nvrtcGet{kind}Size")(program, ctypes.byref(size))
        content = ctypes.create_string_buffer(size.value)
        getattr(library, f"nvrtcGet{kind}")(program, content)
        return content.value.decode()

    def build(source: Path, architecture: str, options: tuple[str, ...]) -> Built:
        program, code = ctypes.c_void_p(), source.read_bytes()
        assert library.nvrtcCreateProgram(ctypes.byref(program), code, source.name.encode(), 0, None, None) == 0
        flags = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", *options]
        array = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
        status, log = library.nvrtcCompileProgram(program, len(flags), array), text(program, "ProgramLog")
        assert status == 0, log
        built = Built(text(program, "PTX"), log)
        library.nvrtcDestroyProgram(ctypes.byref(program))
        return built

    return build

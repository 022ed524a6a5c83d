"""CUDA C of our own through CuPy: what an operator asks of a device's array, and how its source becomes kernels.

Given an array it checks type, shape and place by the CUDA array interface, which CuPy's arrays and PyTorch's tensors
share, so neither is imported for that; given the path of a source it compiles for the device at hand (CuPy keeps the
result in the user's cache), and only then CuPy is loaded. It does not know what the kernels do. They run on CuPy's
current stream; to join PyTorch's, enter `on_stream(stream.cuda_stream)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels.interop import flaw_of

OPTIONS = ("--std=c++17", "--fmad=false")
"""Of the compiler: multiplications are fused with additions only where the source says so, so that a kernel's
bits do not depend on the compiler. CuPy adds that numbers below 1e-38 are flushed to zero."""


def on_device(array: Any) -> bool:
    """Whether `array` lies on a CUDA device."""
    return not isinstance(array, np.ndarray) and hasattr(array, "__cuda_array_interface__")


def pointer(array: Any) -> np.intp:
    """The device address of an array as a kernel takes it."""
    return np.intp(array.__cuda_array_interface__["data"][0])


def strides_of(array: Any) -> tuple[int, ...]:
    """In bytes, of a numpy or a device's array."""
    if isinstance(array, np.ndarray):
        return array.strides
    about = array.__cuda_array_interface__
    given = about.get("strides")
    return tuple(given) if given else _packed_strides(tuple(about["shape"]), np.dtype(about["typestr"]).itemsize)


def require(
    name: str, array: Any, dtype: np.dtype, shape: tuple[int, ...], device: bool, filled: bool = False
) -> None:  # fmt: skip
    """Raise SettingsError unless `array` is contiguous, of `dtype` and `shape`, on the device or not as asked, and can
    be written where it is `filled` and numpy's."""
    found = tuple(getattr(array, "shape", ()))
    if isinstance(array, np.ndarray):
        flaw = flaw_of(array, filled)
        kind, good = f"numpy{flaw}", not device and array.dtype == dtype and not flaw
    elif on_device(array):
        kind = "CUDA"
        good = device and np.dtype(array.__cuda_array_interface__["typestr"]) == dtype and _is_packed(array)
    else:
        kind, good = type(array).__name__, False
    if not good or found != shape:
        about = f" {getattr(array, 'dtype', '')} {list(found)}" if hasattr(array, "shape") else ""
        raise SettingsError(
            f"{name} is {kind}{about}; it must be {'CUDA' if device else 'numpy'} contiguous {dtype.name} {list(shape)}"
            + (" that can be written" if filled and not device else "")
        )


def _packed_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides = [itemsize]
    for size in shape[:0:-1]:
        strides.insert(0, strides[0] * size)
    return tuple(strides[-len(shape) :]) if shape else ()


def _is_packed(array: Any) -> bool:
    """Whether the strides are those of a contiguous array; along an axis of one element any will do."""
    about = array.__cuda_array_interface__
    packed = _packed_strides(tuple(about["shape"]), np.dtype(about["typestr"]).itemsize)
    return all(n == 1 or s == p for n, s, p in zip(about["shape"], strides_of(array), packed, strict=True))


def kernel(source: Path, name: str) -> Any:
    """The kernel `name` of a CUDA C source, compiled for the current device.

    Raises BackendUnavailable where there is no CuPy, no device, or the compiler refuses.
    """
    try:
        import cupy
    except ImportError as error:
        raise BackendUnavailable(f"{name}: looked for CuPy ({error}); pip install 'facewire[gpu]'") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # its own exception types are compiled in, and a missing driver may raise any
        raise BackendUnavailable(
            f"{name}: looked for an NVIDIA driver and a device (CuPy {cupy.__version__}: {_line(error)}); use numba"
        ) from error
    if not count:
        raise BackendUnavailable(f"{name}: CuPy {cupy.__version__} sees no CUDA device; use numba")
    try:
        module = cupy.RawModule(code=source.read_text(encoding="utf-8"), options=OPTIONS, backend="nvrtc")
        return module.get_function(name)
    except Exception as error:
        raise BackendUnavailable(f"{name}: {source.name} does not compile here: {_line(error)}") from error


class _Foreign:
    """A stream by its address, as CUDA's stream protocol has it."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._address


def on_stream(address: int) -> Any:
    """CuPy's context manager for a stream that somebody else made, and keeps: its kernels run there inside it."""
    import cupy

    if hasattr(cupy.cuda.Stream, "from_external"):  # from CuPy 14 on, where the other is deprecated
        return cupy.cuda.Stream.from_external(_Foreign(address))
    return cupy.cuda.ExternalStream(address)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

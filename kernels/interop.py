"""What an operator asks of an array, whether it lies on this machine (numpy) or on a device (torch, or its like).

Given an array and what it must be, it returns nothing or raises one line that names the array. It imports no array
library but numpy, and torch only to make an array of a device: whatever has `data_ptr` counts as a device's array, and
says its own shape, type and place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.errors import SettingsError


def require(name: str, array: Any, dtype: np.dtype, shape: tuple[int, ...], on_device: bool = False) -> None:
    """Raise SettingsError unless `array` is contiguous, of `dtype` and of `shape`, and of the kind a backend takes.

    Numpy's arrays for a backend of this machine; a device's, with `data_ptr`, where `on_device`.
    """
    if isinstance(array, np.ndarray):
        if not on_device and array.shape == shape and array.dtype == dtype and array.flags.c_contiguous:
            return
        kind = "numpy"
    else:
        good = on_device and hasattr(array, "data_ptr") and tuple(array.shape) == shape and array.is_contiguous()
        if good and _type_name(array) == dtype.name:
            return
        kind = type(array).__name__
    wanted = "a device's" if on_device else "numpy"
    raise SettingsError(
        f"{name} is {kind} {_type_name(array)} {list(getattr(array, 'shape', ()))}; "
        f"it must be {wanted} contiguous {dtype.name} {list(shape)}"
    )


def rank(name: str, array: Any, dimensions: int) -> tuple[int, ...]:
    """The shape of `array`, which must have that many dimensions. Raises SettingsError."""
    shape: tuple[int, ...] = getattr(array, "shape", ())
    if len(shape) != dimensions:
        raise SettingsError(f"{name} has shape {list(shape)}; it must have {dimensions} dimensions")
    return shape


def full(size: int, value: int, kind: str, like: Any) -> Any:
    """A device's array [size] of one value and type, where `like` lies: torch makes it."""
    import torch

    return torch.full((size,), value, dtype=getattr(torch, kind), device=like.device)


def placed(array: np.ndarray, like: Any) -> Any:
    """A numpy array as a device's, where `like` lies: torch makes it."""
    import torch

    return torch.from_numpy(array).to(like.device)


def brought(array: Any) -> np.ndarray:
    """A device's array as numpy; waits for the device."""
    found: np.ndarray = array.cpu().numpy()
    return found


def _type_name(array: Any) -> str:
    return str(getattr(array, "dtype", type(array).__name__)).removeprefix("torch.")

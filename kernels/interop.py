"""What an operator asks of an array, whether it lies on this machine (numpy) or on a device (torch, or its like).

Given an array and what it must be, it returns nothing or raises one line that names the array. It imports no array
library but numpy, and torch only to make an array of a device: whatever has `data_ptr` counts as a device's array, and
says its own shape, type and place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.errors import SettingsError

MOST_ON_DEVICE = 65535
"""Faces or pictures in one call: what the second side of a CUDA grid holds."""


def require(
    name: str, array: Any, dtype: np.dtype, shape: tuple[int, ...], on_device: bool = False, filled: bool = False
) -> None:
    """Raise SettingsError unless `array` is contiguous, of `dtype` and of `shape`, and of the kind a backend takes.

    Numpy's arrays for a backend of this machine, which can be written where they are `filled`; a device's, with
    `data_ptr`, where `on_device`.
    """
    if isinstance(array, np.ndarray):
        flags = array.flags
        sound = flags.carray if filled else flags.c_contiguous and flags.aligned
        if sound and array.shape == shape and array.dtype == dtype and not on_device:
            return
        kind = f"numpy{flaw_of(array, filled)}"
    else:
        good = on_device and hasattr(array, "data_ptr") and tuple(array.shape) == shape and array.is_contiguous()
        if good and _type_name(array) == dtype.name:
            return
        kind = type(array).__name__
    about = f" {_type_name(array)} {list(array.shape)}" if hasattr(array, "shape") else ""
    wanted = "a device's" if on_device else "numpy"
    raise SettingsError(
        f"{name} is {kind}{about}; it must be {wanted} contiguous {dtype.name} {list(shape)}"
        + (" that can be written" if filled and not on_device else "")
    )


def require_batch(batch: int, on_device: bool) -> None:
    """Raise SettingsError for more faces than a device takes at once."""
    if on_device and batch > MOST_ON_DEVICE:
        raise SettingsError(
            f"{batch} faces in one call on a device; give at most {MOST_ON_DEVICE}, the others after them"
        )


def flaw_of(array: np.ndarray, filled: bool) -> str:
    """Why compiled code cannot take an array, whatever its type and shape; empty where it can."""
    flags = array.flags
    if not flags.c_contiguous:
        return " strided"
    if not flags.aligned:
        return " unaligned"
    return " read-only" if filled and not flags.writeable else ""


def require_kind(name: str, found: Any, kind: type) -> None:
    """Raise SettingsError unless `found` is of that class, whose own checks its arrays have passed."""
    if not isinstance(found, kind):
        raise SettingsError(f"{name} is {type(found).__name__}; it must be a {kind.__module__}.{kind.__name__}")


def require_numbers(count: int = 1, **given: Any) -> None:
    """Raise SettingsError for what is not a number, or not `count` of them: what an error of arithmetic was about."""
    for name, values in given.items():
        if type(values) is float and count == 1:
            continue
        try:
            numbers = [float(value + 0) for value in (values if count > 1 else [values])]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != count:
            raise SettingsError(f"{name} is {values!r}; it must be {count} numbers" if count > 1 else
                                f"{name} is {values!r}; it must be a number")  # fmt: skip


def rank(name: str, array: Any, dimensions: int) -> tuple[int, ...]:
    """The shape of `array`, which must have that many dimensions. Raises SettingsError."""
    shape: tuple[int, ...] = getattr(array, "shape", ())
    if len(shape) != dimensions:
        found = f"has shape {list(shape)}" if hasattr(array, "shape") else f"is {type(array).__name__}"
        raise SettingsError(f"{name} {found}; it must have {dimensions} dimension{'s' * (dimensions > 1)}")
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

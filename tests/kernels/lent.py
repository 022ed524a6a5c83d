"""A numpy array in the place of a device's, for Triton's interpreter: it is content with whatever has an address.

Given arrays it wraps them, so that no test of a kernel needs torch. Results are written where the array lies.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


class Lent:
    """A numpy array that looks like a device's: what the interpreter asks of a tensor, and no more."""

    device = "here"

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype.name

    def data_ptr(self) -> int:
        return int(self.array.ctypes.data)

    def is_contiguous(self) -> bool:
        return bool(self.array.flags.c_contiguous)

    # The interpreter copies a tensor's storage to the host and back; this one is there already.
    def untyped_storage(self) -> Lent:
        return self

    def cpu(self) -> Lent:
        return self

    def numpy(self) -> np.ndarray:
        return self.array

    def copy_(self, other: Lent) -> None:
        pass

    def new_empty(self, size: int, device: str) -> Lent:
        return Lent(self.array)

    def set_(self, storage: Lent, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.array = storage.array

    def storage_offset(self) -> int:
        return 0

    def size(self) -> tuple[int, ...]:
        return self.shape

    def stride(self) -> tuple[int, ...]:
        return self.array.strides

    def __getitem__(self, at: int) -> Any:
        return self.array[at]

    def __setitem__(self, at: int, value: Any) -> None:
        self.array[at] = value


def full(size: int, value: int, kind: str, like: Lent) -> Lent:
    return Lent(np.full(size, value, kind))


def placed(array: np.ndarray, like: Lent) -> Lent:
    return Lent(array)


def lent(value: Any) -> Any:
    """Every array of a tuple or a dataclass as a device's."""
    if isinstance(value, np.ndarray):
        return Lent(value)
    if isinstance(value, tuple):
        return tuple(lent(one) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(*(lent(getattr(value, field.name)) for field in dataclasses.fields(value)))
    return value

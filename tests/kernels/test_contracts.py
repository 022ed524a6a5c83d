"""Every array of every operator, one at a time spoiled in every way: it is named, and nothing reaches compiled code,
which would read and write beyond its end."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tracker.bench.cases import cases_of
from tracker.errors import SettingsError
from tracker.kernels.backend import LATER_ROWS, ROWS, operator
from tracker.kernels.halve import Halve
from tracker.kernels.interop import MOST_ON_DEVICE
from tracker.kernels.linearize import Balance, Linearize
from tracker.kernels.morph import Morph
from tracker.kernels.normals import Normals
from tracker.kernels.project import Project
from tracker.kernels.shade import Surface

EVERY_ROW = (*ROWS, *LATER_ROWS)
FILLED = {
    "project": "out", "morph": "out", "lift": "coefficients std trust numbers", "align": "pose",
    "locate": "coefficients std trust numbers", "imm": "state out_rotation out_place out_numbers out_std",
    "portray": "out", "crop_luma": "out", "crop_roi": "out", "halve": "out", "normals": "out",
    "rasterize": "ids depth", "relight": "out.lighting out.seen out.weight",
    "shade": "out.colours out.error out.pixels out.image",
    "linearize": "problem.residual problem.jacobian problem.weight",
    "gauss_newton": "solution.step solution.energy solution.decrease solution.solved",
    "resemble": "out.moving out.confidence out.pose", "reorient": "out",
    "shade_gradient": "out.places out.normals out.albedo out.lighting", "crop_nv12": "crops.rgb crops.tensor",
    "heads": "seen.coefficients seen.std seen.trust seen.pose seen.presence seen.plausible",
    "follow": "followed.numbers followed.pose followed.std followed.before followed.state",
}  # fmt: skip
"""What each operator writes to; all else may be read-only, as a decoder's planes are."""
_SIZE = "short of axis 0, long in axis 0, short of axis 1, long in axis 1"
AS_GOOD = {
    "project": {"rotation": "a list, another type, strided, unaligned",
                "center_px": "a list, another type, strided, unaligned, long in axis 0"},
    "lift": {"vector": "long in axis 0", "coefficients": "empty, short of axis 0, long in axis 0",
             "std": "short of axis 0", "trust": "empty, short of axis 0, long in axis 0"},
    "locate": {"vector": "long in axis 0", "std": "short of axis 0, long in axis 0",
               "trust": "empty, short of axis 0, long in axis 0"},
    "crop_luma": {"plane": f"strided, {_SIZE}", "px_from_crop": "strided", "out": _SIZE},
    "crop_roi": {"planes.0": "strided, short of axis 0, short of axis 1", "planes.1": "strided",
                 "planes.2": "strided", "px_from_crop": "strided",
                 "out": "short of axis 1, long in axis 1, short of axis 2, long in axis 2"},
    "normals": {"triangles": "short of axis 0, long in axis 0"},
    "rasterize": {"vertices_px": "short of axis 1, long in axis 1", "triangles": "short of axis 0, long in axis 0"},
    "linearize": {"target": _SIZE}, "shade": {"out.image": "nothing"},
    "shade_gradient": {"weights": "short of axis 1, long in axis 1"},
    "crop_nv12": {"picture.luma": "short of axis 0, short of axis 1", "crops.rgb": "nothing",
                  "crops.tensor": "nothing"},
    "heads": {"vectors": "long in axis 1", "seen.std": "short of axis 1, long in axis 1",
              "seen.trust": "short of axis 1, long in axis 1"},
}  # fmt: skip
"""Lengths that nothing else says, strides that do not matter, and what may be left out."""


def spoiled(array: np.ndarray) -> Iterator[tuple[str, Any]]:
    """What may be given in an array's place, with what is wrong about it."""
    yield "nothing", None
    yield "a word", "word"
    yield "no axis", np.array(1, array.dtype)
    yield "an axis more", array[None].copy()
    yield "another type", array.astype(np.float32 if array.dtype == np.float64 else np.float64)
    if not array.size:
        return
    yield "a list", array.tolist()
    yield "empty", np.zeros(0, array.dtype)
    if array.shape[-1] > 1:
        yield "strided", np.repeat(array, 2, -1)[..., ::2]
    if array.itemsize > 1:
        yield "unaligned", np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    for axis in range(array.ndim):
        yield f"short of axis {axis}", np.delete(array, -1, axis)
        yield f"long in axis {axis}", np.concatenate([array, array.take([0], axis)], axis)


def arrays_of(value: Any, name: str) -> Iterator[tuple[str, np.ndarray, Callable[[Any], Any]]]:
    """Every array in an argument: its name, itself, and what makes the argument anew with another in its place."""
    if isinstance(value, np.ndarray):
        yield name, value, lambda other: other
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            if isinstance(array := getattr(value, part.name), np.ndarray):
                yield (f"{name}.{part.name}", array,
                       lambda other, at=part.name: dataclasses.replace(value, **{at: other}))  # fmt: skip
    elif isinstance(value, tuple):
        for at, array in enumerate(value):
            label = value._fields[at] if hasattr(value, "_fields") else at
            if isinstance(array, np.ndarray):
                yield f"{name}.{label}", array, lambda other, at=at: _anew(value, at, other)


def _anew(value: tuple[Any, ...], at: int, other: Any) -> tuple[Any, ...]:
    parts = (*value[:at], other, *value[at + 1 :])
    return type(value)(*parts) if hasattr(value, "_fields") else parts


class Contract:
    """An operator, whose implementation only notes that it was reached, and what it is called with."""

    def __init__(self, row: str) -> None:
        cases = cases_of(row)
        self._reached = 0
        self._operator = type(operator(row, "reference")[0])(self._reach)
        self.arguments = cases.arguments(cases.module.CASES[0])
        self.names = list(inspect.signature(self._operator).parameters)[: len(self.arguments)]

    def _reach(self, *_: Any) -> int:
        self._reached += 1
        return 0

    def refuses(self, place: int, make: Callable[[], Any]) -> bool:
        """Whether it refuses another argument there, in one line that is not too long; it is reached if not."""
        before = self._reached
        try:
            self._operator(*self.arguments[:place], make(), *self.arguments[place + 1 :])
        except SettingsError as error:
            assert self._reached == before and "\n" not in str(error) and len(str(error)) < 300
            return True
        assert self._reached == before + 1
        return False


@pytest.mark.parametrize("row", EVERY_ROW)
def test_what_is_wrong_with_an_array_is_named_before_it_is_read(row: str) -> None:
    contract, as_good = Contract(row), set()
    for place, name in enumerate(contract.names):
        for at, array, anew in arrays_of(contract.arguments[place], name):
            for how, other in spoiled(array):
                if not contract.refuses(place, lambda anew=anew, other=other: anew(other)):
                    as_good.add((at, how))
    assert as_good == {(at, how) for at, many in AS_GOOD.get(row, {}).items() for how in many.split(", ")}


@pytest.mark.parametrize("row", EVERY_ROW)
def test_what_is_filled_can_be_written_and_nothing_else_has_to(row: str) -> None:
    contract, refused = Contract(row), set()
    for place, name in enumerate(contract.names):
        for at, array, anew in arrays_of(contract.arguments[place], name):
            locked = array.copy()
            locked.flags.writeable = False
            if contract.refuses(place, lambda anew=anew, locked=locked: anew(locked)):
                refused.add(at)
    assert refused == set(FILLED[row].split())


@pytest.mark.parametrize("row", EVERY_ROW)
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_what_is_no_number_and_no_object_of_its_kind_is_named(row: str, backend: str) -> None:
    """These get as far as the implementation, which may be the one to notice."""
    if row in ("heads", "follow") and backend == "numba":
        pytest.skip(f"{row} has no numba")
    found, contract = operator(row, backend)[0], Contract(row)
    for place, value in enumerate(contract.arguments):
        if value is None or isinstance(value, (np.ndarray, bool, str)):
            continue
        for wrong in (None, "word", (1.0, 2.0)):
            with pytest.raises(SettingsError, match="must be|valid|with .* planes"):
                found(*contract.arguments[:place], wrong, *contract.arguments[place + 1 :])


class Shaped:
    """So much of an array as is asked for before it is looked at."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


def on_a_device(*_: Any) -> None:
    """An implementation that must not be reached."""
    raise AssertionError


on_a_device.on_device = True  # type: ignore[attr-defined]


@pytest.mark.parametrize("call", [
    lambda many: Morph(on_a_device)(Shaped(4, 3), Shaped(2, 4, 3), Shaped(many, 2), Shaped(many, 4, 3)),
    lambda many: Project(on_a_device)(
        Shaped(many, 4, 3), Shaped(many, 3, 3), Shaped(many), Shaped(many, 2), Shaped(many, 4, 3)
    ),
    lambda many: Normals(on_a_device)(Shaped(many, 4, 3), Shaped(2, 3), Shaped(many, 4, 3)),
    lambda many: Halve(on_a_device)(Shaped(many, 3, 8, 8), Shaped(many, 4, 4, 3)),
    lambda many: Surface(Shaped(many, 4, 3), Shaped(2, 3), *[Shaped(many, 4, 3)] * 2, Shaped(many, 9, 3), Shaped(2)),
    lambda many: Linearize(on_a_device)(
        Shaped(many, 4, 3), Shaped(many, 3), Shaped(many, 2, 3), Shaped(2, 4, 3), Shaped(many, 4, 3), Shaped(many, 4),
        Shaped(many, 8, 8, 3), Shaped(0), Shaped(many, 0, 2), Shaped(many, 0), Balance(1, 1, 1, 1), None,
    ),
])  # fmt: skip
def test_more_faces_than_a_device_takes_at_once_are_refused(call: Callable[[int], Any]) -> None:
    """A driver would only say that an argument is invalid."""
    with pytest.raises(SettingsError, match=f"{MOST_ON_DEVICE + 1} faces .* at most {MOST_ON_DEVICE}"):
        call(MOST_ON_DEVICE + 1)
    with pytest.raises(SettingsError, match="contiguous float32"):
        call(MOST_ON_DEVICE)

"""`heads`: the CUDA source run on this processor against the reference, whatever the order of threads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.heads import STARTS
from tracker.kernels.heads.cases import CASES, TOLERANCE, Case, difference, filled

REFERENCE = operator("heads", "reference")[0]


def on(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """A case's arguments on what stands in for a device."""

    def there(one: Any) -> Any:
        arrays = {f.name: cupy.asarray(getattr(one, f.name)) for f in fields(one)
                  if isinstance(getattr(one, f.name), np.ndarray)}  # fmt: skip
        return replace(one, **arrays)

    return cupy.asarray(arguments[0]), there(arguments[1]), there(arguments[2])


def back(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    seen = arguments[2]
    return *arguments[:2], _Plain({f.name: cupy.asnumpy(getattr(seen, f.name)) for f in fields(seen)})


class _Plain:
    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.__dict__.update(arrays)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cuda_source_equals_reference(cuda_on_cpu: Any, case: Case) -> None:
    heads, wanted, given = operator("heads", "cupy")[0], case.arguments(), case.arguments()
    REFERENCE(*wanted)
    found, bits = on(cuda_on_cpu, given), set()
    for order in (0, 1, 2):
        cuda_on_cpu.order = order
        heads(*found)
        bits.add(filled(back(cuda_on_cpu, found)).tobytes())
    assert difference(back(cuda_on_cpu, found), wanted) <= TOLERANCE and len(bits) == 1


def test_some_cases_have_a_pose_and_some_have_none() -> None:
    """A regressed pose has the scale that the network says, an aligned one hardly ever."""
    for case in CASES:
        vectors, shape, seen = case.arguments()
        REFERENCE(vectors, shape, seen)
        said = np.exp(np.clip(vectors[:, shape.starts[4]], -1.5, 1.5)) / 224
        regressed = np.isclose(seen.pose[:, 11], said, rtol=1e-5)
        assert regressed.all() == (case.name in ("flat", "mirrored", "two_points")) or case.wild
        rotation = seen.pose[:, :9].reshape(-1, 3, 3)
        np.testing.assert_allclose(
            rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (case.batch, 1, 1)), atol=1e-6
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_makes_a_face_implausible_and_no_other(cuda_on_cpu: Any, bad: float) -> None:
    """In each part of the vector; the last face is as it was."""
    case = Case("", len(STARTS) + 1, 40, error=0.0)
    for backend in ("reference", "cupy"):
        vectors, shape, seen = case.arguments()
        vectors[:, : shape.starts[2]] = 0  # no coefficient moves the points away from where they are seen
        for part, start in enumerate(shape.starts):
            vectors[part, start] = bad
        given = (vectors, shape, seen)
        found = on(cuda_on_cpu, given) if backend == "cupy" else given
        with np.errstate(invalid="ignore"):
            operator("heads", backend)[0](*found)
        plausible = back(cuda_on_cpu, found)[2].plausible if backend == "cupy" else seen.plausible
        assert plausible.tolist() == [0] * len(STARTS) + [1], backend


def test_what_does_not_fit_is_named() -> None:
    vectors, shape, seen = CASES[1].arguments()
    with pytest.raises(SettingsError, match="vectors of 40 numbers; they must hold every part, 195 or more"):
        REFERENCE(vectors[:, :40].copy(), shape, seen)
    with pytest.raises(SettingsError, match="vectors of 194 numbers"):
        REFERENCE(vectors[:, :-1].copy(), shape, seen)
    with pytest.raises(SettingsError, match="begin at .*; none begins before 0"):
        replace(shape, starts=shape.starts - 1)
    with pytest.raises(SettingsError, match="-1 of 13 coefficients"):
        replace(shape, moving=-1)
    with pytest.raises(SettingsError, match="vectors is numpy float64"):
        REFERENCE(vectors.astype(np.float64), shape, seen)
    with pytest.raises(SettingsError, match="at most 128 points"):
        replace(shape, mean=np.zeros((129, 3), np.float32))
    with pytest.raises(SettingsError, match="coefficients for a basis of"):
        REFERENCE(vectors, shape, replace(seen, coefficients=np.zeros((5, 3), np.float32)))

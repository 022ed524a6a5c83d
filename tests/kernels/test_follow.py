"""`follow`: the CUDA source run on this processor against the reference, whatever the order of threads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.follow import Followed
from tracker.kernels.follow.cases import CASES, TOLERANCE, Case, difference, filled

REFERENCE = operator("follow", "reference")[0]


def on(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """A case's arguments on what stands in for a device."""
    return tuple(type(one)(*(cupy.asarray(getattr(one, f.name)) for f in fields(one))) for one in arguments)


def back(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return *arguments[:2], Followed(*(cupy.asnumpy(getattr(arguments[2], f.name)) for f in fields(Followed)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cuda_source_equals_reference(cuda_on_cpu: Any, case: Case) -> None:
    follow, wanted, bits = operator("follow", "cupy")[0], case.arguments(), set()
    REFERENCE(*wanted)
    for order in (0, 1, 2):
        cuda_on_cpu.order = order
        found = on(cuda_on_cpu, case.arguments())
        follow(*found)
        bits.add(filled(back(cuda_on_cpu, found)).tobytes())
        assert difference(back(cuda_on_cpu, found), wanted) <= TOLERANCE
    assert len(bits) == 1


def test_a_state_may_be_brought_up_where_it_lies(cuda_on_cpu: Any) -> None:
    follow, wanted = operator("follow", "cupy")[0], CASES[1].arguments()
    REFERENCE(*wanted)
    filter, sample, followed = CASES[1].arguments()
    filter, sample, followed = on(cuda_on_cpu, (filter, sample, replace(followed, state=sample.state)))
    arguments = filter, replace(sample, state=followed.state), followed
    follow(*arguments)
    assert difference(back(cuda_on_cpu, arguments), wanted) <= TOLERANCE


def test_what_does_not_fit_is_named() -> None:
    filter, sample, followed = CASES[1].arguments()
    _, fewer, _ = CASES[0].arguments()
    with pytest.raises(SettingsError, match="1 and 6 bodies"):
        REFERENCE(filter, fewer, followed)
    with pytest.raises(SettingsError, match="state is numpy float32"):
        replace(followed, state=np.zeros((6, 3), np.float32))
    with pytest.raises(SettingsError, match=r"states \[6, 1124\] and \[6, 3\]; they must be \[B, 1124\] both"):
        REFERENCE(filter, sample, replace(followed, state=np.zeros((6, 3))))
    with pytest.raises(SettingsError, match="59 numbers in 3 groups; give at most 58 in 1 to 16"):
        replace(filter, tilts=np.zeros((59, 4), np.float32))
    with pytest.raises(SettingsError, match="groups of -1 to 2; there are 0 to 2"):
        replace(filter, groups=np.where(np.arange(58) == 5, -1, filter.groups))
    assert sample.numbers.shape == (6, 52)

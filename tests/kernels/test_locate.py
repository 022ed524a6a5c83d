"""`locate`: every implementation against the reference, and the two operators that it joins."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.heads import STARTS
from tracker.kernels.heads.cases import CASES as SHAPES
from tracker.kernels.heads.cases import Case as Many
from tracker.kernels.locate.cases import CASES, TOLERANCE, Case


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    assert choose("numba").locate(*found) == choose("reference").locate(*wanted)
    for a, b in zip(wanted[-4:], found[-4:], strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_lift_and_align_to_the_bit(case: Case) -> None:
    kernels = choose("numba")
    vector, shape, square, presence, *filled = arguments = case.arguments()
    kernels.locate(*arguments)
    coefficients, std, trust, numbers = (np.full_like(array, np.nan) for array in filled)
    moving, lasting, rotation, offset, log_scale, _, log_std, points, points_std = shape.starts.tolist()
    starts, count = np.array([moving, rotation, offset, log_scale, log_std]), len(shape.mean)
    known = (starts, shape.numbers[:5], vector)
    kernels.lift(*known, *square, presence, coefficients[: shape.moving], std, trust, numbers)
    coefficients[shape.moving :] = vector[lasting : lasting + len(coefficients) - shape.moving]
    kernels.align(
        shape.mean, shape.basis, coefficients, shape.rest, vector[points : points + 3 * count],
        vector[points_std : points_std + count], shape.numbers[5], square, numbers[:12],
    )  # fmt: skip
    for mine, theirs in zip((coefficients, std, trust, numbers), filled, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("grown", "moved", "wanted"),
    [(1.0, 0.0, True), (1.5, 0.3, True), (3.0, 0.0, False), (0.3, 0.0, False), (1.0, 0.7, False)],
)
def test_a_body_elsewhere_or_of_another_size_is_not_plausible(
    kernels: Kernels, grown: float, moved: float, wanted: bool
) -> None:  # fmt: skip
    vector, shape, *rest = Case("", SHAPES[0]).arguments()
    anchor, points = shape.numbers[1:4] / 224, shape.starts[7]
    seen = shape.rest.copy()
    seen[:] = (shape.mean / 224 - anchor) * grown + [0.5 + moved, 0.5, 0]
    vector[points : points + 3 * len(seen)] = (seen - shape.rest).reshape(-1)
    vector[: shape.starts[2]] = 0  # no coefficient moves it
    assert kernels.locate(vector, shape, *rest) == wanted


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", STARTS)
def test_one_number_that_is_none_is_not_plausible(kernels: Kernels, part: str, bad: float) -> None:
    case = Case("", Many("", 1, 40, error=0.0))
    vector, shape, *rest = case.arguments()
    vector[: shape.starts[2]] = 0
    assert kernels.locate(vector, shape, *rest)
    vector[shape.starts[STARTS.index(part)]] = bad
    with np.errstate(invalid="ignore"):
        assert not kernels.locate(vector, shape, *rest)


@pytest.mark.parametrize(
    ("index", "says"), [(0, "a vector of 10 numbers, .*491 or more"), (4, "coefficients is"), (7, "numbers is")]
)
def test_other_lengths_are_named(kernels: Kernels, index: int, says: str) -> None:
    arguments = list(CASES[0].arguments())
    arguments[index] = arguments[index][:10]
    with pytest.raises(SettingsError, match=says):
        kernels.locate(*arguments)


def test_a_vector_holds_as_many_deviations_as_are_asked_for(kernels: Kernels) -> None:
    arguments = list(CASES[0].arguments())
    arguments[5] = np.zeros(20_000, np.float32)
    with pytest.raises(SettingsError, match="of 20000 deviations; it must hold every part, 20023 or more"):
        kernels.locate(*arguments)

"""`gauss_newton`: every implementation against the reference, the CUDA one's source run on this processor; and the
laws of a damped step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.gauss_newton import GaussNewton, Problem, Solution
from tracker.kernels.gauss_newton.cases import CASES, TOLERANCE, Case, difference

REFERENCE = operator("gauss_newton", "reference")[0]
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def numba() -> GaussNewton:
    """One for all cases: scratch that an earlier case left dirty must not show in a later one."""
    return operator("gauss_newton", "numba")[0]


@pytest.fixture(params=["numba", "reference"])
def solve(request: pytest.FixtureRequest) -> GaussNewton:
    return operator("gauss_newton", request.param)[0]


def on(cupy: Any, case: Case) -> tuple[Any, ...]:
    """A case's arguments on what stands in for a device, or on one."""
    problem, softness, solution = case.arguments()
    arrays = [cupy.asarray(getattr(problem, name)) for name in Problem.__slots__]
    return Problem(*arrays), softness, Solution(*(cupy.asarray(getattr(solution, n)) for n in Solution.__slots__))


def back(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return *arguments[:2], Solution(*(cupy.asnumpy(getattr(arguments[2], name)) for name in Solution.__slots__))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numba_equals_reference(numba: GaussNewton, case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    REFERENCE(*wanted)
    numba(*found)
    assert difference(found, wanted) <= TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cuda_source_equals_reference(cuda_on_cpu: Any, case: Case) -> None:
    solve, wanted = operator("gauss_newton", "cupy")[0], case.arguments()
    REFERENCE(*wanted)
    found = on(cuda_on_cpu, case)
    solve(*found)
    assert difference(back(cuda_on_cpu, found), wanted) <= TOLERANCE


@pytest.mark.parametrize("name", ["typical", "most_parameters", "thirty_three_parameters", "nan"])
def test_the_order_of_threads_does_not_show(cuda_on_cpu: Any, name: str) -> None:
    """Whatever order a block's threads run in between barriers, the bits are the same: no race, no atomics."""
    solve, bits = operator("gauss_newton", "cupy")[0], set()
    for order in (0, 1, 2, 3):
        cuda_on_cpu.order = order
        found = on(cuda_on_cpu, BY_NAME[name])
        solve(*found)
        bits.add(b"".join(getattr(back(cuda_on_cpu, found)[2], one).tobytes() for one in Solution.__slots__))
    assert len(bits) == 1


def test_a_device_equals_reference_and_itself(request: pytest.FixtureRequest) -> None:
    """And, where there is a compiler, the same source on this processor to the bit."""
    try:
        solve = operator("gauss_newton", "cupy")[0]
    except BackendUnavailable as error:
        pytest.skip(str(error))
    import cupy

    answers = {}
    for case in CASES:
        wanted, first, second = case.arguments(), on(cupy, case), on(cupy, case)
        REFERENCE(*wanted)
        solve(*first)
        solve(*second)
        first, second = back(cupy, first), back(cupy, second)
        assert difference(first, wanted) <= TOLERANCE, case.name
        for name in Solution.__slots__:
            assert getattr(first[2], name).tobytes() == getattr(second[2], name).tobytes(), case.name
        answers[case] = first[2]
    stand_in = request.getfixturevalue("cuda_on_cpu")
    here = operator("gauss_newton", "cupy")[0]
    for case, answer in answers.items():
        found = on(stand_in, case)
        here(*found)
        for name in Solution.__slots__:
            np.testing.assert_array_equal(getattr(back(stand_in, found)[2], name), getattr(answer, name), case.name)


def test_a_face_does_not_see_the_others(numba: GaussNewton) -> None:
    case = BY_NAME["typical"]
    whole, part = case.arguments(), case.arguments()
    alone = Problem(*(getattr(part[0], name)[1:2].copy() for name in Problem.__slots__))
    answer = Solution(*(getattr(part[2], name)[1:2].copy() for name in Solution.__slots__))
    numba(*whole)
    numba(alone, case.softness, answer)
    np.testing.assert_array_equal(answer.step[0], whole[2].step[1])


def energy(problem: Problem, softness: float, step: np.ndarray) -> np.ndarray:
    """Of the linear model after a step, float64 [B]."""
    r = problem.residual + np.einsum("brp,bp->br", problem.jacobian.astype(np.float64), step)
    robust = (problem.weight * r**2 / (1 + (r / softness) ** 2)).sum(1)
    return (robust + (problem.prior * (problem.deviation + step) ** 2).sum(1)) / 2


@pytest.mark.parametrize("name", ["plain_least_squares", "no_prior_no_damping", "much_damping", "most_parameters"])
def test_the_predicted_decrease_is_the_quadratic_models(solve: GaussNewton, name: str) -> None:
    """Without a robust weight the model is the energy itself."""
    problem, _, solution = BY_NAME[name].arguments()
    solve(problem, float("inf"), solution)
    before, after = energy(problem, float("inf"), 0 * solution.step), energy(problem, float("inf"), solution.step)
    np.testing.assert_allclose(solution.energy, before, rtol=1e-5)
    np.testing.assert_allclose(solution.decrease, before - after, rtol=1e-3, atol=1e-5 * before.max())
    assert (solution.decrease > 0).all()


def test_without_damping_the_step_ends_at_the_least_squares_solution(solve: GaussNewton) -> None:
    problem, _, solution = BY_NAME["no_prior_no_damping"].arguments()
    solve(problem, float("inf"), solution)
    for face in range(len(problem.residual)):
        root = np.sqrt(problem.weight[face].astype(np.float64))
        wanted = np.linalg.lstsq(root[:, None] * problem.jacobian[face], -root * problem.residual[face])[0]
        np.testing.assert_allclose(solution.step[face], wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_the_gradient_is_the_energys(solve: GaussNewton) -> None:
    """A step under overwhelming damping is the negative gradient by it, whatever the robust function."""
    case = replace(BY_NAME["typical"], damping=1e6)
    problem, softness, solution = case.arguments()
    solve(problem, softness, solution)
    for parameter in (0, 7, 23):
        small = np.zeros_like(solution.step, np.float64)
        small[:, parameter] = 1e-5
        slope = (energy(problem, softness, small) - energy(problem, softness, -small)) / 2e-5
        np.testing.assert_allclose(-solution.step[:, parameter] * 1e6, slope, rtol=1e-3, atol=1e-3)


def test_what_is_far_off_pulls_at_nothing(solve: GaussNewton) -> None:
    """One parameter, the mean of many zeros and a few outliers."""
    residual = np.zeros((1, 100), np.float32)
    residual[0, :20] = -5
    ones, one = np.ones((1, 100), np.float32), np.zeros((1, 1), np.float32)
    solution = Case("mean", batch=1, parameters=1).arguments()[2]
    problem = Problem(residual, ones[:, :, None].copy(), ones, one, one, np.zeros(1, np.float32))
    solve(problem, float("inf"), solution)
    assert solution.step[0, 0] == pytest.approx(1.0)
    solve(problem, 0.1, solution)
    assert abs(solution.step[0, 0]) < 1e-5


def test_more_damping_is_a_shorter_step(solve: GaussNewton) -> None:
    lengths = []
    for damping in (0.0, 0.1, 10.0, 1e3):
        problem, softness, solution = replace(BY_NAME["typical"], damping=damping).arguments()
        solve(problem, softness, solution)
        lengths.append(np.linalg.norm(solution.step, axis=1))
    assert (np.diff(lengths, axis=0) < 0).all()


@pytest.mark.parametrize("name", ["nan", "infinite", "negative_weight", "loose_parameter", "twin_parameters"])
def test_only_the_spoiled_face_is_not_solved(solve: GaussNewton, name: str) -> None:
    problem, softness, solution = BY_NAME[name].arguments()
    solve(problem, softness, solution)
    assert solution.solved.tolist() == [0, 1, 1]
    assert (solution.step[0] == 0).all() and solution.decrease[0] == 0 and (solution.step[1:] != 0).any()


def test_no_memory_is_taken_after_the_first_call(numba: GaussNewton) -> None:
    import tracemalloc

    arguments = BY_NAME["typical"].arguments()
    numba(*arguments)
    tracemalloc.start()
    try:
        numba(*arguments)
        assert tracemalloc.get_traced_memory()[1] < 4_000
    finally:
        tracemalloc.stop()


def test_bad_arrays_are_named(cuda_on_cpu: Any) -> None:
    problem, softness, solution = BY_NAME["typical"].arguments()
    for name, bad in (
        ("residual", problem.residual[:, 1:]), ("weight", problem.weight.astype(np.float64)),
        ("prior", problem.prior.T), ("damping", problem.damping[:1]),
        ("jacobian", cuda_on_cpu.asarray(problem.jacobian)),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match="it must be (CUDA|numpy) contiguous float32"):
            replace(problem, **{name: bad})
    with pytest.raises(SettingsError, match=r"Jacobian of shape \[3, 300, 65\]"):
        replace(problem, jacobian=np.zeros((3, 300, 65), np.float32))
    with pytest.raises(SettingsError, match="solved is numpy float32"):
        replace(solution, solved=solution.energy)
    other = Case("other", parameters=3).arguments()[2]
    with pytest.raises(SettingsError, match=r"Solution\(batch=3, parameters=3\) for Problem\(batch=3, residuals=300"):
        REFERENCE(problem, softness, other)
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingsError, match="softness"):
            REFERENCE(problem, bad, solution)
    with pytest.raises(SettingsError, match="it takes numpy arrays"):
        REFERENCE(*on(cuda_on_cpu, BY_NAME["typical"]))
    with pytest.raises(SettingsError, match="it takes CUDA arrays"):
        operator("gauss_newton", "cupy")[0](problem, softness, solution)

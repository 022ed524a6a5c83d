"""As `interpreted.py`, for the operators before and after the rasterizer: they equal numba's, to the bit where only the
order of a sum could differ and does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import test_shade_gradient as laws  # noqa: E402
from lent import Lent, full, lent, placed  # noqa: E402
from triton.runtime.interpreter import InterpretedFunction  # noqa: E402
from triton.runtime.jit import JITFunction  # noqa: E402

from tracker.errors import SettingsError  # noqa: E402
from tracker.kernels.backend import operator  # noqa: E402
from tracker.kernels.gauss_newton import Problem  # noqa: E402
from tracker.kernels.halve import Halve  # noqa: E402
from tracker.kernels.halve import _triton as _halve  # noqa: E402
from tracker.kernels.halve import cases as halved  # noqa: E402
from tracker.kernels.linearize import Balance, Linearize  # noqa: E402
from tracker.kernels.linearize import _triton as _linearize  # noqa: E402
from tracker.kernels.linearize import cases as linearized  # noqa: E402
from tracker.kernels.morph import Morph  # noqa: E402
from tracker.kernels.morph import _triton as _morph  # noqa: E402
from tracker.kernels.morph import cases as morphed  # noqa: E402
from tracker.kernels.normals import Normals  # noqa: E402
from tracker.kernels.normals import _triton as _normals  # noqa: E402
from tracker.kernels.normals import cases as bent  # noqa: E402
from tracker.kernels.project import Project  # noqa: E402
from tracker.kernels.project import _triton as _project  # noqa: E402
from tracker.kernels.project import cases as projected  # noqa: E402
from tracker.kernels.rasterize.cases import Case as Mesh  # noqa: E402
from tracker.kernels.relight import Relight  # noqa: E402
from tracker.kernels.relight import _triton as _relight  # noqa: E402
from tracker.kernels.relight import cases as relit  # noqa: E402
from tracker.kernels.scratch import Scratch  # noqa: E402
from tracker.kernels.shade import Shade  # noqa: E402
from tracker.kernels.shade import _triton as _shade  # noqa: E402
from tracker.kernels.shade import cases as shaded  # noqa: E402
from tracker.kernels.shade.cases import Case as Shaded  # noqa: E402
from tracker.kernels.shade_gradient import ShadeGradient  # noqa: E402
from tracker.kernels.shade_gradient import _triton as _gradient  # noqa: E402
from tracker.kernels.shade_gradient import cases as graded  # noqa: E402
from tracker.kernels.shade_gradient.cases import Case  # noqa: E402


class Launches:
    """In the place of a kernel: of what type the numbers are that it is launched with."""

    def __init__(self) -> None:
        self.kinds: list[tuple[type, ...]] = []

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        return self.launch

    def launch(self, *arguments: Any, **_: Any) -> None:
        self.kinds.append(tuple(type(one) for one in arguments if not isinstance(one, Lent)))


@pytest.mark.parametrize("row", ["shade", "relight", "linearize", "shade_gradient"])
def test_numbers_of_any_type_are_launched_as_pythons(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton refuses those of numpy, and compiles anew for a whole number where there was a fraction; its interpreter
    does neither."""
    module, operators = {
        "shade": (_shade, Shade(_shade.Shader(full))), "relight": (_relight, Relight(_relight.Relighter(full))),
        "linearize": (_linearize, Linearize(_linearize.Linearizer(full))),
        "shade_gradient": (_gradient, ShadeGradient(_gradient.ShaderGradient(full, placed))),
    }[row]  # fmt: skip
    case = {"shade": shaded, "relight": relit, "linearize": linearized, "shade_gradient": graded}[row].CASES[-1]
    launches, found = Launches(), []
    for name, one in vars(module).copy().items():
        if isinstance(one, JITFunction | InterpretedFunction):
            monkeypatch.setattr(module, name, launches)
    for kind in (float, np.float32, np.float64, int):
        *arguments, filled = case.arguments()
        if row == "linearize":  # the solver's contract asks for a CUDA device's arrays
            filled = SimpleNamespace(**{part: Lent(getattr(filled, part)) for part in Problem.__slots__})
        given = [numbers(one, kind) if isinstance(one, float | Balance) else lent(one) for one in arguments]
        operators(*given, lent(filled))
        found.append(tuple(launches.kinds))
        launches.kinds.clear()
    assert len(set(found)) == 1 and {kind for launch in found[0] for kind in launch} <= {int, float}, found


def numbers(value: Any, kind: type) -> Any:
    """The same of another type, above 0."""
    if isinstance(value, float):
        return kind(max(value, 1.0))
    return replace(value, **{one: kind(1) for one in type(value).__slots__})


def answers(row: str, case: Any) -> tuple[Any, Any, Any]:
    """Arguments for Triton, and those that numba and the reference have filled."""
    found, numba, plain = case.arguments(), case.arguments(), case.arguments()
    operator(row, "numba")[0](*numba)
    operator(row, "reference")[0](*plain)
    return found, numba, plain


@pytest.mark.parametrize("case", [case for case in morphed.CASES if case.faces], ids=lambda case: case.name)
def test_morph(case: Any) -> None:
    found, numba, plain = answers("morph", case)
    Morph(_morph.Morpher())(*lent(found))
    for theirs in (numba, plain):
        np.testing.assert_allclose(found[-1], theirs[-1], rtol=0, atol=morphed.TOLERANCE)


def test_a_face_is_the_same_in_any_company_and_in_place() -> None:
    mean, basis, weights, out = morphed.CASES[-2].arguments()
    Morph(_morph.Morpher())(*lent((mean, basis, weights, out)))
    alone = out[2:3].copy() * np.nan
    Morph(_morph.Morpher())(*lent((mean[2:3].copy(), basis, weights[2:3].copy(), alone)))
    np.testing.assert_array_equal(alone, out[2:3])
    Morph(_morph.Morpher())(*lent((mean, basis, weights, mean)))
    np.testing.assert_array_equal(mean, out)


@pytest.mark.parametrize("case", [case for case in projected.CASES if case.faces], ids=lambda case: case.name)
def test_project_has_numbas_bits(case: Any) -> None:
    found, numba, plain = answers("project", case)
    Project(_project.Projector())(*lent(found))
    np.testing.assert_array_equal(found[-1], numba[-1])
    np.testing.assert_allclose(found[-1], plain[-1], rtol=0, atol=projected.TOLERANCE)


@pytest.mark.parametrize("case", bent.CASES, ids=lambda case: case.name)
def test_normals_have_numbas_bits(case: Any) -> None:
    found, numba, plain = answers("normals", case)
    Normals(_normals.VertexNormals(placed))(*lent(found))
    np.testing.assert_array_equal(found[-1], numba[-1])
    np.testing.assert_allclose(found[-1], plain[-1], rtol=0, atol=bent.TOLERANCE)


def test_normals_of_another_mesh_and_of_triangles_that_name_no_vertex() -> None:
    normals = Normals(_normals.VertexNormals(placed))
    for case in (bent.CASES[1], bent.CASES[-1]):
        found, numba, _ = answers("normals", case)
        normals(*lent(found))
        np.testing.assert_array_equal(found[-1], numba[-1])
    vertices, triangles, out = bent.CASES[-1].arguments()
    triangles = np.concatenate([triangles, np.array([[0, 1, 99], [-1, 0, 1]], np.int32)])
    for _ in range(2):
        with pytest.raises(SettingsError, match="2 triangles name no vertex"):
            normals(*lent((vertices, triangles, out)))
    np.testing.assert_array_equal(out, numba[-1])


@pytest.mark.parametrize("case", [case for case in halved.CASES if case.faces], ids=lambda case: case.name)
def test_halve_has_numbas_bytes(case: Any) -> None:
    found, numba, plain = answers("halve", case)
    Halve(_halve.Halver())(*lent(found))
    np.testing.assert_array_equal(found[-1], numba[-1])
    np.testing.assert_allclose(found[-1], plain[-1].astype(int), rtol=0, atol=halved.TOLERANCE)


@pytest.mark.parametrize("case", relit.CASES[1:4], ids=lambda case: case.name)
def test_relight(case: Any) -> None:
    found, numba, plain = answers("relight", case)
    Relight(_relight.Relighter(full))(*lent(found))
    for theirs in (numba, plain):
        np.testing.assert_allclose(relit.filled(found), relit.filled(theirs), rtol=0, atol=relit.TOLERANCE)
    np.testing.assert_array_equal(found[-1].seen, numba[-1].seen)
    again = case.arguments()
    Relight(_relight.Relighter(full))(*lent(again))
    assert relit.filled(again).tobytes() == relit.filled(found).tobytes()


def in_front(case: Any) -> tuple[Any, ...]:
    """A case's arguments with a leading axis, which a device always wants."""
    *arrays, balance, problem = case.arguments()
    if not case.faces:
        arrays = [array if n in (3, 7) else array[None] for n, array in enumerate(arrays)]
    return *arrays, balance, problem


@pytest.mark.parametrize("case", linearized.CASES, ids=lambda case: case.name)
def test_linearize_has_numbas_bits(case: Any) -> None:
    _, numba, plain = answers("linearize", case)
    *given, problem = found = in_front(case)
    # The solver's contract asks for a CUDA device's arrays; the rows are all that is filled in here.
    rows = SimpleNamespace(**{part: Lent(getattr(problem, part)) for part in ("residual", "jacobian", "weight")})
    Linearize(_linearize.Linearizer(full))(*(one if one is found[-2] else lent(one) for one in given), rows)
    assert max(linearized.difference(found, theirs) for theirs in (numba, plain)) <= linearized.TOLERANCE
    for part in ("residual", "jacobian", "weight"):
        np.testing.assert_array_equal(getattr(problem, part), getattr(numba[-1], part))


class Wide:
    """`shade_gradient` with much in a program, because the interpreter pays for programs; takes numpy's arrays."""

    def __init__(self) -> None:
        self._operator = ShadeGradient(_gradient.ShaderGradient(full, placed, triangles=256))

    def __call__(self, *arguments: Any) -> None:
        self._operator(*lent(arguments))


@pytest.fixture(scope="module")
def gradient() -> Iterator[Wide]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gradient, "PIXELS", 1024)
        yield Wide()


# Laws that numba's and the reference's keep.
test_a_ball_has_its_silhouette_where_it_turns_away = laws.test_a_ball_has_its_silhouette_where_it_turns_away


def test_finite_differences_inside(gradient: Wide) -> None:
    laws.test_finite_differences_inside(gradient, "places")


@pytest.mark.parametrize("case", [graded.CASES[n] for n in (0, 3, 4, 5, 6)], ids=lambda case: case.name)
def test_shade_gradient(gradient: Wide, case: Any) -> None:
    found, numba, plain = answers("shade_gradient", case)
    gradient(*found)
    for theirs in (numba, plain):
        np.testing.assert_allclose(graded.filled(found), graded.filled(theirs), rtol=0, atol=graded.TOLERANCE)


def test_shade_gradient_in_chunks_and_again_has_the_same_bits(gradient: Wide, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Case("chunks", Shaded("chunks", Mesh("chunks", 6, 5, 14, batch=2))).arguments()
    bits = []
    for chunk in (1 << 30, 1 << 30, 1):
        monkeypatch.setattr(_gradient, "CHUNK_BYTES", chunk)
        gradient(*found)
        bits.append(b"".join(getattr(found[-1], part).tobytes() for part in laws.PARTS))
    assert bits[0] == bits[1] == bits[2]


def test_what_shade_gradient_is_given_wrong_on_a_device_counts_as_none(gradient: Wide) -> None:
    """Where numpy's arrays are looked at and refused, a device's are not followed."""
    surface, neighbours, ids, *others, out = laws.SMALL.arguments()
    wanted = replace(out, **{part: getattr(out, part).copy() for part in laws.PARTS})
    operator("shade_gradient", "numba")[0](surface, neighbours, ids, *others, wanted)
    beyond = np.where(neighbours < 0, 10**6, neighbours).astype(np.int32)
    gradient(surface, beyond, np.where(ids < 0, 10**6, ids).astype(np.int32), *others, out)
    np.testing.assert_allclose(out.places, wanted.places, rtol=0, atol=graded.TOLERANCE * np.abs(wanted.places).max())


def test_numpy_arrays_are_for_the_other_backends(gradient: Wide) -> None:
    with pytest.raises(SettingsError, match="vertices_px is numpy float32 .* a device's contiguous"):
        gradient._operator(*laws.SMALL.arguments())


class Nothing:
    """An implementation that only its contract is asked about."""

    on_device = True

    def __call__(self, *arguments: Any) -> int:
        return 0


@pytest.mark.parametrize(
    ("contract", "cases"),
    [(Morph, morphed), (Project, projected), (Normals, bent), (Halve, halved), (Relight, relit)],
    ids=lambda one: one.__name__,
)
def test_what_is_timed_on_a_device_is_what_a_device_takes(contract: Any, cases: Any) -> None:
    arguments = cases.DEVICE_CASES[0].arguments()
    contract(Nothing())(*lent(arguments))
    with pytest.raises(SettingsError, match="is numpy .* it must be a device's"):
        contract(Nothing())(*arguments)


def test_weights_of_any_size_give_the_same_gradient_in_their_size(gradient: Wide) -> None:
    """Silhouettes are counted in shares of the largest weight."""
    *arguments, weights, out = Case("scaled", Shaded("scaled", Mesh("scaled", 6, 5, 14))).arguments()
    gradient(*arguments, weights, out)
    before = out.places.copy()
    for factor in (2.0**-20, 2.0**30):
        gradient(*arguments, (weights * factor).astype(np.float32), out)
        np.testing.assert_array_equal(out.places, before * np.float32(factor))


def test_scratch_grows_and_keeps_what_a_captured_graph_may_hold() -> None:
    scratch = Scratch(full)
    like = Lent(np.empty(0))
    small = scratch("sums", 4, "int64", like)
    assert scratch("sums", 3, "int64", like) is small and scratch("other", 0, "float32", like).array.size == 1
    large = scratch("sums", 9, "int64", like, 5)
    assert scratch("sums", 4, "int64", like) is large and (large.array == 5).all()
    assert scratch._arrays["sums"] == [small, large]

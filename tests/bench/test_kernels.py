"""The kernel bench: every row of the table has cases, and a wrong answer is shown as one."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from tracker.bench import kernels, places
from tracker.bench.kernels import Settings
from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels import backend
from tracker.kernels.crop_roi.cases import CASES as CROPS
from tracker.kernels.crop_roi.cases import bytes_moved as bytes_of_crop
from tracker.kernels.project.cases import CASES, TOLERANCE
from tracker.kernels.rasterize.cases import CASES as RASTERIZED
from tracker.kernels.rasterize.cases import filled as rasterized
from tracker.kernels.shade.cases import CASES as SHADED

CROPPED = CROPS[0]


def test_every_row_of_the_table_is_measured() -> None:
    assert set(kernels._CASES) == {*backend.ROWS, *backend.LATER_ROWS}


def test_one_kernel_on_its_own_cases() -> None:
    result = kernels.measure(Settings("project", repeats=3))
    assert [row.case for row in result.rows] == [case.name for case in CASES]
    for row in result.rows:
        assert row.backend == "numba" and row.spread.count <= 3
        assert row.largest_difference <= row.tolerance == TOLERANCE
        assert row.roofline == row.copy.p50_ns / row.spread.p50_ns > 0
    assert "within tolerance" in kernels.report(result) and "roofline" in kernels.report(result)
    assert result.reasons["project"].startswith("numba: ")


def test_a_wrong_answer_is_shown() -> None:
    def wrong(*arguments: np.ndarray) -> None:
        backend.choose("reference").project(*arguments)
        arguments[-1][0, 0] += 1

    operators = {"reference": backend.choose("reference").project, "numba": wrong}
    row = kernels._row("project", CASES[0], operators, TOLERANCE, 2)
    assert row.largest_difference == pytest.approx(1, abs=1e-3)
    assert "NO (" in kernels.report(kernels.Result((row,), {}))


def test_a_rendered_picture_is_compared_whole() -> None:
    result = kernels.measure(Settings("rasterize", repeats=1))
    assert all(row.largest_difference == row.tolerance == 0 for row in result.rows)
    _, _, ids, depth = arguments = RASTERIZED[0].arguments()
    backend.operator("rasterize", "numba")[0](*arguments)
    before = rasterized(arguments)
    depth[0, 5, 5] = 7
    assert np.abs(rasterized(arguments) - before).max() == 8


def test_a_slow_call_is_not_repeated_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**12, 150_000_000))
    monkeypatch.setattr(places, "monotonic_ns", lambda: next(clock))
    assert places.on_the_clock(lambda: None, 100).count == 3  # of 150 ms each


@pytest.mark.parametrize("name", ["gauss_newton", "crop_nv12"])
def test_a_device_that_is_not_here_is_named_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=f"^{name}: looked for CuPy .*pip install") as caught:
        kernels.measure(Settings(name, backend="cupy"))
    assert "\n" not in str(caught.value)


def test_the_exit_says_whether_all_are_within_their_tolerance() -> None:
    result = kernels.measure(Settings("halve", "numba", repeats=1))
    assert result.rows and kernels.status(result) == 0
    for apart in (1e9, float("nan")):
        wrong = kernels.Result((*result.rows, replace(result.rows[0], largest_difference=apart)), {})
        assert kernels.status(wrong) == 1 and "NO (" in kernels.report(wrong)


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(SettingsError, match="'rasterise'; valid: project, morph, lift, align, locate, imm"):
        Settings("rasterise")


def test_bytes_are_counted_once_each_and_only_where_they_are_touched() -> None:
    vertices, triangles, ids, depth = RASTERIZED[0].arguments()
    size = vertices.nbytes + triangles.nbytes + ids.nbytes + depth.nbytes
    assert places.bytes_of((vertices, triangles, ids, depth)) == size
    assert places.bytes_of((vertices, (triangles, 3, ids), ids, depth, None)) == size
    surface = SHADED[0].arguments()[0]
    assert places.bytes_of((surface,)) == 9 * 4 * vertices.size // 3 + 16 * len(triangles) + surface.lighting.nbytes
    planes, *_, out = arguments = CROPPED.arguments()
    read = bytes_of_crop(arguments) - out.nbytes
    assert read == pytest.approx(1.5 * CROPPED.side_px**2, rel=0.02) and read < 0.5 * places.bytes_of(planes)


def test_what_counts_its_own_bytes_counts_at_most_all_of_them() -> None:
    for row, (_, method) in kernels._CASES.items():
        module = kernels._cases(row)
        for case in module.CASES if hasattr(module, "bytes_moved") else ():
            arguments = getattr(case, method)()
            assert 0 < module.bytes_moved(arguments) <= places.bytes_of(arguments), (row, case.name)


@pytest.mark.parametrize("row", ["morph", "project", "normals", "halve", "relight", "linearize", "shade_gradient"])
def test_what_a_device_is_timed_on_has_faces_in_front_and_an_answer(row: str) -> None:
    module = kernels._cases(row)
    case = kernels._cases_for(module, "triton")[0]
    operators = {name: backend.operator(row, name)[0] for name in ("reference", "numba")}
    measured = kernels._row(row, case, operators, module.TOLERANCE, 1)
    assert measured.largest_difference <= measured.tolerance and measured.bytes_moved > 0

"""The kernel bench: every row of the table has cases, what is wrong is shown as that, has no speed, and fails."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tracker.bench import cases, kernels, places
from tracker.bench.cases import cases_of
from tracker.bench.kernels import Settings
from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels import backend
from tracker.kernels.crop_roi.cases import CASES as CROPS
from tracker.kernels.crop_roi.cases import bytes_moved as bytes_of_crop
from tracker.kernels.project.cases import CASES, TOLERANCE
from tracker.kernels.rasterize.cases import CASES as RASTERIZED
from tracker.kernels.rasterize.cases import difference as rasterized_apart
from tracker.kernels.rasterize.cases import filled as rasterized
from tracker.kernels.shade.cases import CASES as SHADED

CROPPED = CROPS[0]
ONE_PICTURE = SimpleNamespace(CASES=RASTERIZED[:1], TOLERANCE=0.0, difference=rasterized_apart)


def test_every_row_of_the_table_is_measured() -> None:
    assert set(cases.ROWS) == {*backend.ROWS, *backend.LATER_ROWS}


def test_one_kernel_on_its_own_cases() -> None:
    result = kernels.measure(Settings("project", repeats=3))
    assert [row.case for row in result.rows] == [case.name for case in CASES]
    for row in result.rows:
        assert row.backend == "numba" and row.timed and row.timed.spread.count <= 3
        assert row.largest_difference <= row.tolerance == TOLERANCE
        assert row.timed.roofline == row.timed.copy.p50_ns / row.timed.spread.p50_ns > 0
    assert "within tolerance" in kernels.report(result) and "roofline" in kernels.report(result)
    assert re.fullmatch(r"numba: numba [\d.]+", result.reasons["project"]) and kernels.status(result) == 0


def test_a_backend_is_asked_for_where_an_operator_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After all others had been timed the last one that has none ended the bench, and nothing was shown."""
    monkeypatch.setattr(kernels, "ROWS", ("heads", "project", "follow"))
    result = kernels.measure(Settings(backend="numba", repeats=1))
    assert {row.kernel for row in result.rows} == {"project"} and kernels.status(result) == 0
    with pytest.raises(BackendUnavailable, match="heads has no numba; it has reference, cupy"):
        kernels.measure(Settings("heads", backend="numba"))
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match="heads: looked for CuPy"):
        kernels.measure(Settings(backend="cupy"))


def test_a_wrong_answer_is_shown_has_no_speed_and_fails() -> None:
    def wrong(*arguments: np.ndarray) -> None:
        backend.choose("reference").project(*arguments)
        arguments[-1][0, 0] += 1

    def breaks(*arguments: np.ndarray) -> None:
        raise RuntimeError("no such\n instruction")

    plain = backend.choose("reference").project
    row = kernels._row("project", CASES[0], {"reference": plain, "numba": wrong}, 2)
    assert row.largest_difference == pytest.approx(1, abs=1e-3) and row.timed is None
    result = kernels.Result((row,), {}, {})
    assert "NO (" in kernels.report(result) and kernels.status(result) == 1
    broken = kernels._row("project", CASES[0], {"reference": plain, "numba": breaks}, 2)
    assert not broken.agrees and broken.timed is None
    assert "broke off: RuntimeError: no such instruction" in kernels.report(kernels.Result((broken,), {}, {}))


def test_what_breaks_off_on_the_clock_fails_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(call: object, repeats: int) -> None:
        raise RuntimeError("the capture failed")

    here = places.place_of("numba")
    monkeypatch.setattr(kernels, "place_of", lambda name: replace(here, time=stuck))
    operators = {name: backend.operator("project", name)[0] for name in ("reference", "numba")}
    row = kernels._row("project", CASES[0], operators, 1)
    assert row.timed is None and row.broke == "RuntimeError: the capture failed"
    assert kernels.status(kernels.Result((row,), {}, {})) == 1


def test_a_number_that_is_none_is_no_agreement() -> None:
    def nothing(*arguments: np.ndarray) -> None:
        """Leaves NaN."""

    operators = {"reference": backend.choose("reference").project, "numba": nothing}
    assert kernels.status(kernels.Result((kernels._row("project", CASES[0], operators, 1),), {}, {})) == 1


def test_what_cannot_be_compared_is_said_with_the_reason_of_each_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    result = kernels.measure(Settings("heads", repeats=1))
    assert result.rows == () and kernels.status(result) == 3
    assert re.match(r"numba: heads has no numba.*; cupy: looked for CuPy", result.not_compared["heads"])
    shown = kernels.report(result)
    assert shown.startswith("nothing could be compared") and "NOT compared: heads: numba: " in shown


def test_pictures_have_their_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "cases_of", lambda row: replace(cases_of(row), module=ONE_PICTURE))
    result = kernels.measure(Settings("rasterize", repeats=1))
    assert [bar.target_ns for bar in result.bars] == [120_000, 50_000]
    assert "468 vertices, 128 px" in kernels.report(result)
    wrong = replace(result, bars=(replace(result.bars[0], spread=None, reached=False, found="7 ids differ"),))
    assert kernels.status(result) == 0 and kernels.status(wrong) == 1 and "7 ids differ" in kernels.report(wrong)


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


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(SettingsError, match="'rasterise'; valid: project, morph, lift, align, locate, imm"):
        Settings("rasterise")
    with pytest.raises(SettingsError, match="peers with morph; .* bench kernels rasterize --peers"):
        Settings("morph", peers=True)


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
    for row in cases.ROWS:
        mine = cases_of(row)
        for case in mine.module.CASES if hasattr(mine.module, "bytes_moved") else ():
            arguments = mine.arguments(case)
            assert 0 < mine.bytes_moved(arguments) <= places.bytes_of(arguments), (row, case.name)


@pytest.mark.parametrize("row", ["morph", "project", "normals", "halve", "relight", "linearize", "shade_gradient"])
def test_what_a_device_is_timed_on_has_faces_in_front_and_an_answer(row: str) -> None:
    case = cases_of(row).timed_on("triton")[0]
    operators = {name: backend.operator(row, name)[0] for name in ("reference", "numba")}
    measured = kernels._row(row, case, operators, 1)
    assert measured.agrees and measured.timed and measured.bytes_moved > 0


def test_numba_keeps_to_the_tolerance_on_what_a_device_is_compared_on() -> None:
    """Else a device would be held against what is itself too far off: on a thousand faces roundings add up."""
    here = places.place_of("numba")
    for row in ("morph", "project", "normals"):
        mine, case = cases_of(row), cases_of(row).timed_on("triton")[1]
        numba, plain = (backend.operator(row, name)[0] for name in ("numba", "reference"))
        assert mine.compared(case, numba, plain, here.there, here.back)[0] <= mine.tolerance, row

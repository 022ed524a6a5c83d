"""The kernel bench: every row of the table has cases, and a wrong answer is shown as one."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tracker.bench import kernels
from tracker.bench.kernels import Settings
from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels import backend
from tracker.kernels.project.cases import CASES, TOLERANCE
from tracker.kernels.rasterize.cases import CASES as RASTERIZED
from tracker.kernels.rasterize.cases import filled as rasterized


def test_every_row_of_the_table_is_measured() -> None:
    assert set(kernels._CASES) == {*backend.ROWS, *backend.LATER_ROWS}


def test_one_kernel_on_its_own_cases() -> None:
    result = kernels.measure(Settings("project", repeats=3))
    assert [row.case for row in result.rows] == [case.name for case in CASES]
    for row in result.rows:
        assert row.backend == "numba" and row.spread.count <= 3
        assert row.largest_difference <= row.tolerance == TOLERANCE
    assert "within tolerance" in kernels.report(result)
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
    monkeypatch.setattr(kernels, "monotonic_ns", lambda: next(clock))
    assert kernels._time(lambda: None, 100).count == 3  # of 150 ms each


@pytest.mark.parametrize("name", ["gauss_newton", "crop_nv12"])
def test_a_device_that_is_not_here_is_named_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=f"^{name}: looked for CuPy .*pip install") as caught:
        kernels.measure(Settings(name, backend="cupy"))
    assert "\n" not in str(caught.value)


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(SettingsError, match="'rasterise'; valid: project, morph, lift, align, imm, portray"):
        Settings("rasterise")

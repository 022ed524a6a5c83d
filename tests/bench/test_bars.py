"""The bars: compared before they are timed, of a face that is really there."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.bench import bars
from tracker.kernels.backend import operator


@pytest.fixture(scope="module")
def operators() -> dict[str, Any]:
    return {row: operator(row, "numba")[0] for row in ("rasterize", "shade")}


def test_a_picture_has_a_time_where_its_answer_is_right(operators: dict[str, Any]) -> None:
    bar = bars._picture_bar(64, 3, operators)
    assert bar.spread and bar.spread.count == 3 and bar.what.endswith("468 vertices, 64 px")
    assert bar.found.startswith("0 ids differ") and bar.reached == (bar.spread.p50_ns < bar.target_ns == 50_000)


def test_a_wrong_picture_has_none(operators: dict[str, Any]) -> None:
    def shifted(vertices: Any, triangles: Any, ids: Any, depth: Any) -> None:
        operators["rasterize"](vertices + 1, triangles, ids, depth)

    bar = bars._picture_bar(64, 3, operators | {"rasterize": shifted})
    assert bar.spread is None and not bar.reached and not bar.found.startswith("0 ids")
    assert "WRONG" in bars.bars_table((bar,))


def test_confidence_alone_is_part_of_the_whole_stage() -> None:
    alone, whole = bars.refine_bars(30)
    assert alone.spread and whole.spread and alone.spread.min_ns < whole.spread.min_ns
    shown = bars.bars_table((alone, whole))
    assert "150" in shown and "500" in shown

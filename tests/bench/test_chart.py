"""Bars are as long as their values, and a folder of pictures is what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench import accuracy, chart
from tracker.bench.groups import Group, GroupSide


def _long(picture: np.ndarray, side: int, row: int) -> int:
    """Pixels of a side's ink in the middle of its bar, from where bars begin, letters left out."""
    line = picture[chart.TOP_PX + row * chart.ROW_PX + side * 9 + 7, chart.LABEL_PX :]
    inked = (line == chart._INKS[side]).all(1)
    return int(np.argmin(inked)) if not inked.all() else len(inked)


def test_bars_are_as_long_as_their_values() -> None:
    rows = [("half", [1.0, 2.0]), ("none", [None, float("nan")]), ("over", [9.0, -1.0])]
    picture = chart.bars("title", ("ours", "peer"), rows, 2.0)
    assert _long(picture, 0, 0) == chart.WIDE_PX / 2
    assert _long(picture, 1, 0) == chart.WIDE_PX
    assert (_long(picture, 0, 1), _long(picture, 1, 1)) == (0, 0)
    assert (_long(picture, 0, 2), _long(picture, 1, 2)) == (chart.WIDE_PX, 0)


def test_only_what_was_measured_is_drawn(tmp_path: Path) -> None:
    side = GroupSide("ours", 1, 0.04, float("nan"))
    result = accuracy.Result((), {}, groups={"w300": (Group("face px", "0-60", 3, 0, (side,)),), "clips": ()})
    chart.draw(result, tmp_path / "pictures")
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["w300_groups.png"]
    assert "face px 0-60" in accuracy.report(result)


def test_the_slower_line_is_drawn_above(tmp_path: Path) -> None:
    import av

    flat = [("fast", [(p, 1_000_000) for p in (0.0, 50.0, 100.0)]), ("slow", [(0.0, 10_000_000), (100.0, 10_000_000)])]
    chart.percentiles("latency", [*flat, ("nothing", [])], tmp_path / "curves.png")
    with av.open(str(tmp_path / "curves.png")) as picture:
        drawn = next(picture.decode(video=0)).to_ndarray(format="rgb24")
    column = drawn[chart.TOP_PX : chart.TOP_PX + chart.PLOT_PX[1] + 2, 70 + chart.PLOT_PX[0] // 3]
    at = [np.flatnonzero((np.abs(column.astype(int) - ink) < 60).all(1)).mean() for ink in chart._INKS[:2]]
    # From 0.1 to 10 ms are two decades; each has half of the height.
    assert at[0] == pytest.approx(chart.PLOT_PX[1] / 2, abs=3) and at[1] == pytest.approx(0, abs=3)

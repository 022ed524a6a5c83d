"""Pictures of what benches found: bars by shape and by group, and latency down to the rarest frame.

Given their results it writes PNGs with the clients' ink, ours beside the other's. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.bench.report import open_folder
from tracker.clients import ink
from tracker.clients.preview import write_png

if TYPE_CHECKING:
    from tracker.bench.accuracy import Result

WIDE_PX, ROW_PX, LABEL_PX, TOP_PX = 420, 22, 210, 44
_PAPER, _GRID, _WORDS = (255, 255, 255), (225, 225, 225), (40, 40, 40)
_INKS = ((36, 106, 178), (206, 92, 60), (150, 150, 150))
Bar = tuple[str, Sequence[float | None]]
"""A label and a value for each side; None or NaN has no bar."""
Curve = tuple[str, Sequence[tuple[float, int]]]
"""A label; percentiles and nanoseconds."""


def bars(title: str, sides: Sequence[str], rows: Sequence[Bar], most: float, unit: str = "") -> np.ndarray:
    """uint8 [H, W, 3]: horizontal bars from 0 to `most`, one for each side below the other."""
    picture = np.full((TOP_PX + ROW_PX * len(rows) + 12, LABEL_PX + WIDE_PX + 70, 3), _PAPER, np.uint8)
    ink.text(picture, 10, 8, title, _WORDS)
    at = 10
    for who, rgb in zip(sides, _INKS, strict=False):
        ink.text(picture, at, 24, who, rgb)
        at += 6 * len(who) + 18
    for share in (0.25, 0.5, 0.75, 1.0):
        ink.box(picture, LABEL_PX + round(WIDE_PX * share), TOP_PX - 4, (1, ROW_PX * len(rows) + 8), _GRID)
    thick = (ROW_PX - 4) // max(1, len(sides))
    for number, (label, values) in enumerate(rows):
        top = TOP_PX + number * ROW_PX
        ink.text(picture, 10, top + 5, label[: LABEL_PX // 6 - 3], _WORDS)
        for k, value in enumerate(values):
            if value is not None and np.isfinite(value):
                long = round(WIDE_PX * min(max(value / most, 0.0), 1.0))
                ink.box(picture, LABEL_PX, top + k * thick, (long, thick - 1), _INKS[k])
                ink.text(picture, LABEL_PX + long + 4, top + k * thick, f"{value:.2f}{unit}", _INKS[k])
    return picture


def draw(result: Result, folder: Path) -> None:
    """`shapes.png` of the clips, `<suite>_groups.png`, and `synthetic_shapes.png`, of what was measured."""
    open_folder(folder)
    if result.clips:
        ours, known = result.clips[0], result.poor.own_r if result.poor else {}
        shapes = [(name, (r, known.get(name))) for name, r in sorted(ours.by_shape.items(), key=lambda one: -one[1])]
        title = "clips: correlation with the teacher within a clip"
        write_png(bars(title, ("ours with the teacher", "the teacher with itself"), shapes, 1.0), folder / "shapes.png")
    for suite, groups in result.groups.items():
        if groups:
            sides = [side.who for side in groups[0].sides]
            rows = [(f"{one.by} {one.label}", [side.nme_found * 100 for side in one.sides]) for one in groups]
            most = max((value for _, row in rows for value in row if np.isfinite(value)), default=1.0)
            title = f"{suite}: error of the faces found, percent"
            write_png(bars(title, sides, rows, most, "%"), folder / f"{suite}_groups.png")
    if result.synthetic:
        peer = result.synthetic[-1].by_shape
        truth = [
            (name, [row.by_shape[name] for row in result.synthetic]) for name in sorted(peer, key=peer.__getitem__)
        ]
        title = "rendered faces: correlation with the true coefficients"
        write_png(bars(title, [row.who for row in result.synthetic], truth, 1.0), folder / "synthetic_shapes.png")


PLOT_PX = (600, 300)
NINES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
"""Percentiles with a line of their own, each ten times as rare as the one before (but the first)."""
_MANY = (*_INKS, (96, 150, 60), (140, 90, 170), (200, 160, 40), (60, 160, 170), (190, 100, 150))


def percentiles(title: str, rows: Sequence[Curve], path: Path) -> None:
    """Write one line a row: milliseconds (logarithmic) over percentiles, the rarer the wider."""
    wide, high = PLOT_PX
    picture = np.full((TOP_PX + high + 30 + 14 * len(rows), 70 + wide + 20, 3), _PAPER, np.uint8)
    ink.text(picture, 10, 8, title, _WORDS)
    points = [np.array([(p, max(ns, 1) / 1e6) for p, ns in curve]) for _, curve in rows if curve]
    most = max((float(line[:, 1].max()) for line in points), default=10.0)
    decades = (-1, max(1, int(np.ceil(np.log10(most)))))
    rarest = _rarity(np.array(NINES[-1:]))[0]

    def place(at: np.ndarray) -> np.ndarray:
        """Pixels of percentiles and milliseconds [N, 2]."""
        up = (np.log10(np.maximum(at[:, 1], 10.0 ** decades[0])) - decades[0]) / (decades[1] - decades[0])
        across = np.minimum(_rarity(at[:, 0]) / rarest, 1.0)
        return np.stack([70 + wide * across, TOP_PX + high * (1 - up)], 1)

    for percentile in NINES:
        x = round(float(place(np.array([[percentile, 1.0]]))[0, 0]))
        ink.box(picture, x, TOP_PX, (1, high), _GRID)
        ink.text(picture, x - 14, TOP_PX + high + 8, f"{percentile:g}%", _WORDS)
    for decade in range(decades[0], decades[1] + 1):
        for step in (1, 2, 5) if decade < decades[1] else (1,):
            value = step * 10.0**decade
            y = round(float(place(np.array([[0.0, value]]))[0, 1]))
            ink.box(picture, 70, y, (wide, 1), _GRID)
            ink.text(picture, 10, y - 4, f"{value:g} ms", _WORDS)
    for k, ((what, curve), rgb) in enumerate(zip(rows, (_MANY * len(rows))[: len(rows)], strict=True)):
        line = place(np.array([(p, max(ns, 1) / 1e6) for p, ns in curve], float).reshape(-1, 2))
        for offset in (0.0, 1.0):  # two thin lines are one that can be seen
            ink.lines(picture, line[:-1] + offset, line[1:] + offset, rgb)
        ink.text(picture, 70, TOP_PX + high + 26 + 14 * k, what, rgb)
    write_png(picture, path)


def _rarity(percentile: np.ndarray) -> np.ndarray:
    """How many powers of ten below 1 the share above a percentile is: 0 at 0%, 2 at 99%."""
    rarity: np.ndarray = -np.log10(np.maximum(1 - percentile / 100, 1e-5))
    return rarity

"""A picture of how well promised and observed coverage agree, one square a block.

Given the rows of `calibration.judge` it draws reliability curves with the clients' ink. It measures nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.clients import ink
from tracker.clients.preview import write_png
from tracker.distill.calibration import LEVELS, Reliability

SIDE_PX, GAP_PX, COLUMNS = 220, 44, 4
_PAPER, _FRAME, _GRID, _WORDS = (255, 255, 255), (120, 120, 120), (225, 225, 225), (40, 40, 40)
_BEFORE, _AFTER = (206, 92, 60), (36, 106, 178)


def draw(rows: list[Reliability], path: Path) -> None:
    """Write a PNG: nominal coverage to the right, observed upwards; above the diagonal the network is too timid.
    Raises SettingsError."""
    tall = -(-len(rows) // COLUMNS)
    cell = SIDE_PX + GAP_PX
    picture = np.full((tall * (cell + 24) + GAP_PX, COLUMNS * cell + GAP_PX, 3), _PAPER, np.uint8)
    legend = "observed against promised coverage, people kept aside: "
    ink.text(picture, GAP_PX // 2, 10, legend, _WORDS)
    ink.text(picture, GAP_PX // 2 + 6 * len(legend), 10, "as predicted", _BEFORE)
    ink.text(picture, GAP_PX // 2 + 6 * len(legend) + 84, 10, "with one factor a block", _AFTER)
    for n, row in enumerate(rows):
        left = GAP_PX // 2 + n % COLUMNS * cell
        _panel(picture, row, left, GAP_PX + 16 + n // COLUMNS * (cell + 24))
    write_png(picture, path)


def _panel(picture: np.ndarray, row: Reliability, left: int, top: int) -> None:
    ink.text(picture, left, top - 24, f"{row.block} ({row.law})", _WORDS)
    words = f"error {row.before:.1%} to {row.after:.1%}, factor {row.factor:.2f}"
    ink.text(picture, left, top - 12, words, _WORDS)
    corner = np.array([left, top + SIDE_PX], np.float64)

    def at(nominal: float, observed: float) -> np.ndarray:
        return corner + np.array([nominal, -observed]) * SIDE_PX

    for tick in (0.25, 0.5, 0.75):
        ink.thick_line(picture, at(tick, 0), at(tick, 1), _GRID, 1.0)
        ink.thick_line(picture, at(0, tick), at(1, tick), _GRID, 1.0)
    for a, b in (((0, 0), (1, 0)), ((0, 0), (0, 1)), ((0, 1), (1, 1)), ((1, 0), (1, 1)), ((0, 0), (1, 1))):
        ink.thick_line(picture, at(*a), at(*b), _FRAME, 1.0)
    for observed, rgb in ((row.observed_before, _BEFORE), (row.observed_after, _AFTER)):
        curve = [at(0, 0), *(at(float(x), y) for x, y in zip(LEVELS, observed, strict=True)), at(1, 1)]
        for start, end in zip(curve[:-1], curve[1:], strict=True):
            ink.thick_line(picture, start, end, rgb, 2.0)

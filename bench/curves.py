"""The picture of `facewire bench smoothing`: every method as a curve of jitter over lag.

Given its result it writes a PNG: a panel for each thing that is measured, lag to the right, jitter upwards by powers of
ten; the nearer to the lower left, the better. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tracker.bench.verdicts import IMAGE, RAW, VIDEO, WHATS, Point, Result
from tracker.clients import ink
from tracker.clients.preview import write_png

PANEL_PX, LEFT_PX, TOP_PX, BETWEEN_PX, BELOW_PX = (330, 230), 70, 64, 62, 66
ACROSS = 2
LATEST_MS = 60.0
_PAPER, _GRID, _WORDS = (255, 255, 255), (228, 228, 228), (40, 40, 40)
_INKS = {
    "Facewire": (36, 106, 178), "One-Euro": (206, 92, 60), "constant velocity": (96, 150, 60),
    "running average": (140, 90, 170), VIDEO: (20, 20, 20), IMAGE: (130, 130, 130), RAW: (180, 180, 180),
}  # fmt: skip
OTHERS = {
    "irregular": "rendered, irregular times, frames dropped", "three faces": "three of them at once",
    "photographs": "photographs", "clips": "clips, the truth unknown",
}  # fmt: skip
UNITS = {"landmarks": "px", "pose": "degrees", "shapes": "coefficients"}


def draw(result: Result, path: Path) -> None:
    """Panels of the rendered people, and of the landmarks of each other part there is."""
    there = {point.part for point in result.points}
    panels = [("rendered", what) for what in WHATS]
    panels += [(part, "landmarks") for part in OTHERS if part in there]
    wide, high = PANEL_PX
    rows = -(-len(panels) // ACROSS)
    size = TOP_PX + rows * (high + BELOW_PX), LEFT_PX + ACROSS * (wide + BETWEEN_PX)
    picture = np.full((*size, 3), _PAPER, np.uint8)
    words = "jitter at rest over lag in motion, each method at all its settings, a large dot its default"
    ink.text(picture, 10, 8, f"{words}: lower left is better", _WORDS)
    at = 10
    for name, rgb in _INKS.items():
        ink.text(picture, at, 26, name, rgb)
        at += 6 * len(name) + 24
    for number, (part, what) in enumerate(panels):
        points = [p for p in result.points if p.part == part and p.what == what]
        left, top = LEFT_PX + number % ACROSS * (wide + BETWEEN_PX), TOP_PX + number // ACROSS * (high + BELOW_PX)
        _panel(picture, left, top, f"{OTHERS.get(part, part)}: {what}, {UNITS[what]}", points)
    write_png(picture, path)


def _panel(picture: np.ndarray, left: int, up: int, title: str, points: Sequence[Point]) -> None:
    wide, high = PANEL_PX
    raw_ms = next((p.lag_ms for p in points if p.method == RAW), 0.0)
    shown = [p for p in points if p.jitter > 0 and p.lag_ms - raw_ms <= LATEST_MS]
    if not shown:
        return
    low, top = np.log10(min(p.jitter for p in shown)) - 0.1, np.log10(max(p.jitter for p in shown)) + 0.1

    def place(point: Point) -> np.ndarray:
        across = min(max((point.lag_ms - raw_ms + 5) / (LATEST_MS + 5), 0.0), 1.0)
        calm = (top - np.log10(point.jitter)) / (top - low)
        return np.array([left + wide * across, up + high * calm])

    ink.text(picture, left, up - 16, title, _WORDS)
    for late in range(0, int(LATEST_MS) + 1, 10):
        x = round(left + wide * (late + 5) / (LATEST_MS + 5))
        ink.box(picture, x, up, (1, high), _GRID)
        ink.text(picture, x - 8, up + high + 6, f"{late}", _WORDS)
    ink.text(picture, left + wide // 2 - 70, up + high + 22, "ms later than the raw fits", _WORDS)
    for decade in range(int(np.floor(low)), int(np.ceil(top)) + 1):
        for step in (1, 2, 5):
            level = decade + np.log10(step)
            if low <= level <= top:
                y = round(up + high * (top - level) / (top - low))
                ink.box(picture, left, y, (wide, 1), _GRID)
                ink.text(picture, left - 6 * 7, y - 4, f"{10.0**level:.3g}"[:6], _WORDS)
    for method in dict.fromkeys(p.method for p in shown):
        _curve(picture, [place(p) for p in shown if p.method == method], _ink(method))
    for point in shown:
        if point.setting is None or point.is_default:
            x, y = place(point)
            ink.thick_line(picture, np.array([x, y]), np.array([x, y]), _ink(point.method), 9.0)


def _ink(method: str) -> tuple[int, int, int]:
    """A method's colour; variants of one have the same."""
    return _INKS.get(method) or _INKS.get(method.split(",")[0], _WORDS)


def _curve(picture: np.ndarray, places: Sequence[np.ndarray], rgb: tuple[int, int, int]) -> None:
    for start, end in zip(places, places[1:], strict=False):
        ink.thick_line(picture, start, end, rgb, 1.8)
    for place in places:
        ink.thick_line(picture, place, place, rgb, 4.0)

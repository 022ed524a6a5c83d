"""Pictures of what the accuracy bench found: bars by shape, and by group.

Given its result it writes PNGs with the clients' ink, ours beside the other's. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.clients import ink
from tracker.errors import SettingsError

if TYPE_CHECKING:
    from tracker.bench.accuracy import Result

WIDE_PX, ROW_PX, LABEL_PX, TOP_PX = 420, 22, 210, 44
_PAPER, _GRID, _WORDS = (255, 255, 255), (225, 225, 225), (40, 40, 40)
_INKS = ((36, 106, 178), (206, 92, 60), (150, 150, 150))
Bar = tuple[str, Sequence[float | None]]
"""A label and a value for each side; None or NaN has no bar."""


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


def open_folder(folder: Path) -> None:
    """Make the folder where it is not there. Raises SettingsError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {folder} ({error.strerror}); give one to write to") from error


def draw(result: Result, folder: Path) -> None:
    """`shapes.png` of the clips, `<suite>_groups.png`, and `synthetic_shapes.png`, of what was measured."""
    open_folder(folder)
    if result.clips:
        ours, known = result.clips[0], result.poor.own_r if result.poor else {}
        shapes = [(name, (r, known.get(name))) for name, r in sorted(ours.by_shape.items(), key=lambda one: -one[1])]
        title = "clips: correlation with the teacher within a clip"
        _save(bars(title, ("ours with the teacher", "the teacher with itself"), shapes, 1.0), folder / "shapes.png")
    for suite, groups in result.groups.items():
        if groups:
            sides = [side.who for side in groups[0].sides]
            rows = [(f"{one.by} {one.label}", [side.nme_found * 100 for side in one.sides]) for one in groups]
            most = max((value for _, row in rows for value in row if np.isfinite(value)), default=1.0)
            title = f"{suite}: error of the faces found, percent"
            _save(bars(title, sides, rows, most, "%"), folder / f"{suite}_groups.png")
    if result.synthetic:
        peer = result.synthetic[-1].by_shape
        truth = [
            (name, [row.by_shape[name] for row in result.synthetic]) for name in sorted(peer, key=peer.__getitem__)
        ]
        title = "rendered faces: correlation with the true coefficients"
        _save(bars(title, [row.who for row in result.synthetic], truth, 1.0), folder / "synthetic_shapes.png")


def _save(picture: np.ndarray, path: Path) -> None:
    import cv2

    if not cv2.imwrite(str(path), np.ascontiguousarray(picture[:, :, ::-1])):
        raise SettingsError(f"cannot write {path}; give a folder that can be written to")

"""Our face detector: luma of the whole frame, and of tiles of it, to proposals of heads.

Given a frame it looks at all of it at once, 256 pixels square, letterboxed; asked to be thorough it also looks at
tiles, in which small faces are larger. It keeps no memory between frames beyond whose turn it is among the tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.detect.roi import Detection, Roi, overlap
from tracker.kernels.crop_roi import CropLuma
from tracker.regress.network import Network
from tracker.source.frame import Frame

VIEW_PX = 256
CELL_PX = 8
CELLS = VIEW_PX // CELL_PX
TILE_STEP = 0.75
SAME_FACE = 0.35


@dataclass(frozen=True, slots=True)
class View:
    """A square of the frame that the network sees at once."""

    x_px: float
    y_px: float
    side_px: float

    def px_from_view(self) -> np.ndarray:
        """float64 [2, 3]: view pixels to source pixels."""
        scale = self.side_px / VIEW_PX
        return np.array([[scale, 0.0, self.x_px], [0.0, scale, self.y_px]])


def whole(width_px: int, height_px: int) -> View:
    """The frame letterboxed into a square."""
    side = float(max(width_px, height_px))
    return View((width_px - side) / 2, (height_px - side) / 2, side)


def tiles(width_px: int, height_px: int) -> tuple[View, ...]:
    """Overlapping squares that cover the frame: as tall as a wide frame, six tenths of a nearly square one."""
    short, long = min(width_px, height_px), max(width_px, height_px)
    side = float(short) if long > 1.5 * short else 0.6 * long
    return tuple(View(x, y, side) for y in _starts(float(height_px), side) for x in _starts(float(width_px), side))


def _starts(length: float, side: float) -> list[float]:
    if length <= side:
        return [(length - side) / 2]
    count = math.ceil((length - side) / (side * TILE_STEP)) + 1
    return [k * (length - side) / (count - 1) for k in range(count)]


class Detector:
    """Frame to detections, best first."""

    def __init__(self, crop_luma: CropLuma, threshold: float = 0.15, path: str | Path | None = None) -> None:
        self.network = Network("detector.onnx", (1, 1, VIEW_PX, VIEW_PX), path=path)
        self._crop_luma = crop_luma
        self._threshold_logit = math.log(threshold / (1 - threshold))
        self._turn = 0

    def __call__(self, frame: Frame) -> list[Detection]:
        """Heads in the whole frame seen at once."""
        return distinct(self._look(frame, whole(frame.width_px, frame.height_px)))

    def thorough(self, frame: Frame) -> list[Detection]:
        """Heads in the whole frame and in every tile."""
        views = (whole(frame.width_px, frame.height_px), *tiles(frame.width_px, frame.height_px))
        return distinct([found for view in views for found in self._look(frame, view)])

    def next_tile(self, frame: Frame) -> list[Detection]:
        """Heads in one tile, another one each time: a frame without faces costs one look more, not all of them."""
        views = tiles(frame.width_px, frame.height_px)
        self._turn = (self._turn + 1) % len(views)
        return distinct(self._look(frame, views[self._turn]))

    def _look(self, frame: Frame, view: View) -> list[Detection]:
        self._crop_luma(
            frame.planes[0], frame.bit_depth, frame.full_range, view.px_from_view(), self.network.input[0, 0]
        )
        return self._read(self.network()[0], view)

    def _read(self, out: np.ndarray, view: View) -> list[Detection]:
        """Cells above the threshold that are highest among their eight neighbours."""
        logit = out[0]
        found = []
        for y, x in np.argwhere(logit > self._threshold_logit).tolist():
            near = logit[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            if logit[y, x] < near.max():
                continue
            dx, dy, log_side, sine, cosine = (float(v) for v in out[1:, y, x])
            scale = view.side_px / VIEW_PX
            roi = Roi(
                view.x_px + (x + 0.5 + dx) * CELL_PX * scale, view.y_px + (y + 0.5 + dy) * CELL_PX * scale,
                math.exp(min(log_side, 1.0)) * view.side_px, math.atan2(sine, cosine),
            )  # fmt: skip
            found.append(Detection(roi, 1 / (1 + math.exp(-float(logit[y, x])))))
        return found


def distinct(found: list[Detection]) -> list[Detection]:
    """Best first, without those that overlap a better one or lie within it."""
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda d: -d.score):
        if all(not same_face(candidate.roi, other.roi) for other in kept):
            kept.append(candidate)
    return kept


def same_face(a: Roi, b: Roi) -> bool:
    """Do two squares show one head? By overlap, or by one centre well within the other's face."""
    if overlap(a.box_px(), b.box_px()) > SAME_FACE:
        return True
    apart = math.hypot(a.x_px - b.x_px, a.y_px - b.y_px)
    return apart < 0.25 * max(a.side_px, b.side_px)

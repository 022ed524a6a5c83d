"""What a box before a part of the face does to the confidence of each region, on the clip that comes along.

Given a kind of box it tracks the clear clip, then the same with a region covered, and compares. The picture shows the
regions in the colour of their confidence. It does not know how confidence is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import av
import numpy as np

from tracker.api import Tracker
from tracker.clients import ink
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.regions import triangle_regions
from tracker.render import Renderer

CLEAR_FRAMES, COVERED_FRAMES = 20, 6
KINDS = ("blue", "noise", "white", "skin")
_FOREHEAD = 9
_PANEL_PX = 150


@dataclass(frozen=True, slots=True)
class Covered:
    """One region with a box before it."""

    region: str
    share: dict[str, float]
    """Region -> its confidence under the box by that before, mean over `KINDS`."""


def cover(frame: np.ndarray, face: Face, region: str, kind: str, model: FaceModel) -> np.ndarray:
    """A copy of uint8 [H, W, 3] with a box before a region, a pixel wider on each side."""
    inside = model.triangles[triangle_regions(model) == REGIONS.index(region)]
    points = face.landmarks_px[np.unique(inside), :2]
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int) - 1, np.ceil(points.max(0)).astype(int) + 1
    out = frame.copy()
    shape = out[top:bottom, left:right].shape
    x, y = face.landmarks_px[_FOREHEAD, :2].astype(int)
    out[top:bottom, left:right] = {
        "blue": np.full(shape, [30, 60, 200]), "white": np.full(shape, 250), "skin": np.full(shape, frame[y, x]),
        "noise": np.random.default_rng(0).integers(0, 256, shape),
    }[kind]  # fmt: skip
    return out


def measure(figure: list[np.ndarray] | None = None) -> tuple[Covered, ...]:
    """All regions; pictures of each are appended to `figure`, where one is given."""
    model, renderer, frames = FaceModel.load(), Renderer(), list(_frames())
    rows = []
    for region in REGIONS:
        shares = []
        for kind in KINDS:
            tracker, clear = Tracker(smooth=False), list[Face]()
            for number, frame in enumerate(frames[:CLEAR_FRAMES]):
                clear += tracker.track(frame, number / 30)
            for number, frame in enumerate(frames[CLEAR_FRAMES:], CLEAR_FRAMES):
                shown = cover(frame, clear[-1], region, kind, model)
                (face,) = tracker.track(shown, number / 30)
            before = np.mean([seen.region_confidence for seen in clear[-5:]], axis=0)
            shares.append(face.region_confidence / before)
            if figure is not None and kind == KINDS[0]:
                if not figure:
                    figure.append(_picture(frames[CLEAR_FRAMES - 1], clear[-1], before / before, renderer, "clear"))
                figure.append(_picture(shown, face, shares[-1], renderer, f"{region} covered"))
        mean = np.mean(shares, axis=0)
        rows.append(Covered(region, {name: float(share) for name, share in zip(REGIONS, mean, strict=True)}))
    return tuple(rows)


def _frames() -> Iterator[np.ndarray]:
    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        for _, picture in zip(range(CLEAR_FRAMES + COVERED_FRAMES), container.decode(video=0), strict=False):
            yield picture.to_ndarray(format="rgb24")


def _picture(frame: np.ndarray, face: Face, share: np.ndarray, renderer: Renderer, title: str) -> np.ndarray:
    """The face as it was seen, beside its regions from red (no confidence) to green (all of it), with numbers."""
    found = renderer(face, frame.shape[1], frame.shape[0])
    pad = 24
    top, left = max(found.y_px - pad, 0), max(found.x_px - pad, 0)
    bottom, right = found.y_px + found.mask.shape[0] + pad, found.x_px + found.mask.shape[1] + pad
    seen = frame[top:bottom, left:right]
    painted = seen.copy()
    part = painted[found.y_px - top :, found.x_px - left :][: found.mask.shape[0], : found.mask.shape[1]]
    for region, much in enumerate(np.clip(share, 0, 1)):
        colour = np.array([230 * (1 - much) + 40 * much, 60 * (1 - much) + 190 * much, 60])
        inside = found.regions == region
        part[inside] = (0.25 * part[inside] + 0.75 * colour).astype(np.uint8)
    panel = np.full((seen.shape[0], _PANEL_PX, 3), 255, np.uint8)
    ink.text(panel, 8, 8, title, (20, 20, 20))
    for region, (name, much) in enumerate(zip(REGIONS, share, strict=True)):
        ink.text(panel, 8, 30 + 16 * region, f"{name} {100 * much:.0f}%", (20, 20, 20) if much > 0.5 else (206, 40, 40))
    return np.concatenate([seen, painted, panel], axis=1)

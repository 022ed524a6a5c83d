"""What a box or a hand before a part of the face does to the confidence of each region, on the clip that comes along.

Given what covers a region it tracks the clear clip, then the same with the region covered, and compares; beside it says
how much of each region is behind the thing, since boxes and hands are no regions. The picture shows the regions in the
colour of their confidence. It does not know how confidence is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from tracker.api import Tracker
from tracker.bench import hand
from tracker.bench.looks import CLIP
from tracker.clients import ink
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.face.regions import triangle_regions
from tracker.render import Renderer

CLEAR_FRAMES, COVERED_FRAMES = 20, 6
KINDS = ("blue", "noise", "white", "skin")
SIDES = ("from the left", "from the right")
"""Of the picture, from which a hand comes."""
THINGS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("mouth", "box", KINDS), ("mouth", "hand", SIDES),
    *((region, "box", KINDS) for region in REGIONS if region != "mouth"),
)  # fmt: skip
"""What is covered, by what, of which kinds; the two before the mouth stand side by side."""
_HAND_OF_REGION = 1.25
"""A hand's four fingers by the height of what they hide."""
_FOREHEAD = 9
_PANEL_PX = 186
_DARK, _GREY, _RED = (20, 20, 20), (120, 120, 120), (206, 40, 40)
_BEHIND_AT_PX, _KEPT_AT_PX = 62, 122


@dataclass(frozen=True, slots=True)
class Covered:
    """One region with something before it."""

    region: str
    by: str
    """A box, one pixel wider than the region on each side; or a hand."""
    share: dict[str, float]
    """Region -> its confidence then by that before, mean over the kinds."""
    behind: dict[str, float]
    """Region -> how much of what is seen of it is behind the thing, as it was last seen clear."""


def cover(frame: np.ndarray, face: Face, region: str, kind: str, model: FaceModel) -> np.ndarray:
    """A copy of uint8 [H, W, 3] with a box before a region, a pixel wider on each side."""
    left, top, right, bottom = _box(face, region, model)
    out = frame.copy()
    shape = out[top:bottom, left:right].shape
    x, y = face.landmarks_px[_FOREHEAD, :2].astype(int)
    out[top:bottom, left:right] = {
        "blue": np.full(shape, [30, 60, 200]), "white": np.full(shape, 250), "skin": np.full(shape, frame[y, x]),
        "noise": np.random.default_rng(0).integers(0, 256, shape),
    }[kind]  # fmt: skip
    return out


def _box(face: Face, region: str, model: FaceModel) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    inside = model.triangles[triangle_regions(model) == REGIONS.index(region)]
    points = face.landmarks_px[np.unique(inside), :2]
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int) - 1, np.ceil(points.max(0)).astype(int) + 1
    return int(left), int(top), int(right), int(bottom)


def cover_by_hand(
    frame: np.ndarray, face: Face, region: str, side: str, model: FaceModel
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of uint8 [H, W, 3] with a hand of the person's own skin before a region, and where it is, bool [H, W]."""
    left, top, right, bottom = _box(face, region, model)
    roll = float(np.arctan2(face.rotation[1, 0], face.rotation[0, 0]))
    spot = hand.Spot((left + right) / 2, (top + bottom) / 2, _HAND_OF_REGION * (bottom - top), roll)
    skin = hand.skin_of(frame, face.landmarks_px[_FOREHEAD, :2])
    return hand.draw(frame, spot, skin, side == SIDES[0], SIDES.index(side))


def _covered(
    frame: np.ndarray, face: Face, thing: tuple[str, str], kind: str, model: FaceModel
) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and where the thing is."""
    region, by = thing
    if by == "hand":
        return cover_by_hand(frame, face, region, kind, model)
    left, top, right, bottom = _box(face, region, model)
    where = np.zeros(frame.shape[:2], bool)
    where[top:bottom, left:right] = True
    return cover(frame, face, region, kind, model), where


def _behind(where: np.ndarray, face: Face, renderer: Renderer) -> np.ndarray:
    """float64 [5]: how much of each region, as seen, is there."""
    found = renderer(face, where.shape[1], where.shape[0])
    high, wide = found.mask.shape
    there = where[found.y_px : found.y_px + high, found.x_px : found.x_px + wide]
    return np.array([there[found.regions == region].mean() for region in range(len(REGIONS))])


def measure(figure: list[np.ndarray] | None = None) -> tuple[Covered, ...]:
    """All `THINGS`; pictures of each are appended to `figure`, where one is given."""
    model, renderer, frames, rows = FaceModel.load(), Renderer(), list(_frames()), []
    for region, by, kinds in THINGS:
        shares, behinds = [], []
        for kind in kinds:
            tracker, clear = Tracker(smooth=False), list[Face]()
            for number, frame in enumerate(frames[:CLEAR_FRAMES]):
                clear += tracker.track(frame, number / 30)
            for number, frame in enumerate(frames[CLEAR_FRAMES:], CLEAR_FRAMES):
                shown, where = _covered(frame, clear[-1], (region, by), kind, model)
                (face,) = tracker.track(shown, number / 30)
            before = np.mean([seen.region_confidence for seen in clear[-5:]], axis=0)
            shares.append(face.region_confidence / before)
            behinds.append(_behind(where, clear[-1], renderer))
            if figure is not None and kind == kinds[0]:
                title = f"{region} behind a {by}"
                figure.append(_picture(shown, clear[-1], (shares[-1], behinds[-1]), renderer, title))
        share, behind = (dict(zip(REGIONS, map(float, np.mean(one, axis=0)), strict=True)) for one in (shares, behinds))
        rows.append(Covered(region, by, share, behind))
    return tuple(rows)


def _frames() -> Iterator[np.ndarray]:
    with av.open(CLIP) as container:
        for _, picture in zip(range(CLEAR_FRAMES + COVERED_FRAMES), container.decode(video=0), strict=False):
            yield picture.to_ndarray(format="rgb24")


def _picture(
    frame: np.ndarray, face: Face, numbers: tuple[np.ndarray, np.ndarray], renderer: Renderer, title: str
) -> np.ndarray:
    """The face as it was seen, beside its regions from red (no confidence) to green (all of it), with the numbers."""
    found = renderer(face, frame.shape[1], frame.shape[0])
    share, behind = numbers
    pad = 24
    top, left = max(found.y_px - pad, 0), max(found.x_px - pad, 0)
    bottom, right = found.y_px + found.mask.shape[0] + pad, found.x_px + found.mask.shape[1] + pad
    seen = frame[top:bottom, left:right]
    painted = seen.copy()
    part = painted[found.y_px - top :, found.x_px - left :][: found.mask.shape[0], : found.mask.shape[1]]
    for region, much in enumerate(share):
        inside = found.regions == region
        part[inside] = (0.25 * part[inside] + 0.75 * np.array(_colour(much))).astype(np.uint8)
    panel = np.full((seen.shape[0], _PANEL_PX, 3), 255, np.uint8)
    ink.text(panel, 8, 8, title, _DARK)
    for at, word in ((_BEHIND_AT_PX, "behind it"), (_KEPT_AT_PX, "confidence")):
        ink.text(panel, at, 30, word, _GREY)
    for region, (name, much, hidden) in enumerate(zip(REGIONS, share, behind, strict=True)):
        y = 50 + 20 * region
        ink.text(panel, 8, y, name, _DARK)
        ink.text(panel, _BEHIND_AT_PX, y, f"{100 * hidden:3.0f}%", _GREY)
        ink.text(panel, _KEPT_AT_PX, y, f"{100 * much:3.0f}%", _DARK if much > 0.5 else _RED)
        long = round((_PANEL_PX - _KEPT_AT_PX - 8) * float(np.clip(much, 0, 1)))
        panel[y + 11 : y + 14, _KEPT_AT_PX : _PANEL_PX - 8] = 230
        panel[y + 11 : y + 14, _KEPT_AT_PX : _KEPT_AT_PX + long] = _colour(much)
    return np.concatenate([seen, painted, panel], axis=1)


def _colour(much: float) -> tuple[int, int, int]:
    """From red to green."""
    much = float(np.clip(much, 0, 1))
    return round(230 - 190 * much), round(60 + 130 * much), 60

"""A hand before a part of a face, drawn here: rounded fingers, palm, thumb and forearm, shaded, with noise of its own.

Given a picture, the middle and size of what is to be hidden and a colour of skin, it draws the back of a hand that
comes from one side and lays its fingers across that place. Nobody's hand was photographed for it. It does not know
whose face is behind, or what is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FINGERS = (
    ((-0.55, -0.36), (0.58, -0.40), 0.135, 0.112),
    ((-0.50, -0.12), (0.76, -0.13), 0.140, 0.116),
    ((-0.52, 0.125), (0.66, 0.135), 0.135, 0.112),
    ((-0.60, 0.355), (0.36, 0.395), 0.120, 0.098),
)
"""Index to little: knuckle, tip, and the radii there. The unit is the breadth of the four; x points to the tips."""
THUMB = (((-1.30, -0.30), (-0.86, -0.66), 0.20, 0.165), ((-0.86, -0.66), (-0.40, -0.74), 0.165, 0.125))
PALM = ((-1.02, 0.0), (0.36, 0.26), 0.20)
"""Middle, half sizes without the rounding, and the rounding."""
WRIST = ((-1.44, 0.07), (-1.85, 0.34), 0.33, 0.33)
SLEEVE = ((-1.85, 0.38), (-9.0, 6.0), 0.43, 0.95)
JOINTS = (0.36, 0.70)
"""Of a finger's length: where its skin folds."""
TIPS_AT = 0.12
"""How far beyond the middle of what is hidden the fingers' own middle lies, so that the palm begins at its edge."""
LAMP = np.array([-0.45, -0.65, 0.62])
SHADOW, SHADOW_REACH = 0.3, 0.05
"""How dark it is right beside the hand, and how soon no longer."""
CLOTH = np.array([70.0, 84.0, 104.0])
_SOFT_PX, _NOISE, _MOTTLED = 0.9, 2.5, 5.0


@dataclass(frozen=True, slots=True)
class Spot:
    """What is to be hidden, in the picture."""

    x_px: float
    y_px: float
    high_px: float
    """Of the hidden place; as broad as the four fingers are."""
    roll_rad: float
    """How the face is turned in the picture."""


def draw(
    frame: np.ndarray, spot: Spot, skin: np.ndarray, from_left: bool, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of uint8 [H, W, 3] with the hand, and which of its pixels are behind that, bool [H, W]. `skin` [3] is
    0..255; `from_left` of the picture."""
    rng, unit = np.random.default_rng(seed), spot.high_px
    x, y = _own_axes(frame.shape, spot, from_left)
    pixel = 1 / unit
    height, outside, folds, nails = np.full(x.shape, -9.0), np.full(x.shape, 9.0), np.zeros(x.shape), np.zeros(x.shape)
    for start, end, thick, thin in (*FINGERS, *THUMB, WRIST):
        away, along, radius = _capsule(x, y, start, end, thick, thin)
        height, outside = np.maximum(height, _dome(away, radius)), np.minimum(outside, away - radius)
        if (start, end, thick, thin) in FINGERS or end == THUMB[1][1]:
            for joint in JOINTS if thick < 0.15 else JOINTS[:1]:
                folds += np.exp(-(((along - joint) / 0.022) ** 2)) * (away < 0.8 * radius)
            nails = np.maximum(nails, _nail(x, y, start, end, thin))
    away = _rounded_box(x, y, *PALM)
    height, outside = np.maximum(height, _dome(away + PALM[2], PALM[2])), np.minimum(outside, away)
    cloth, _, thickness = _capsule(x, y, *SLEEVE)
    sleeve = cloth - thickness

    shade = _shade(height, unit)
    mottled = _blurred(rng.normal(0, 1, x.shape), 3.0)
    tone = skin[None, None] * (shade * (1 - 0.14 * np.clip(folds, 0, 1)))[..., None]
    tone += (0.10 * nails)[..., None] * (np.array([255.0, 205, 195]) - tone) * 2
    tone += _MOTTLED * (mottled / max(mottled.std(), 1e-9))[..., None] * np.array([0.6, 1.0, 1.0])
    fabric = CLOTH[None, None] * _shade(_dome(cloth, thickness), unit)[..., None]
    over = _coverage(sleeve, pixel)[..., None]
    drawn = over * fabric + (1 - over) * tone + rng.normal(0, _NOISE, (*x.shape, 1))
    edge = np.minimum(outside, sleeve)
    alpha = _coverage(edge, pixel)[..., None]
    beside = frame * (1 - SHADOW * np.exp(-np.maximum(edge, 0) / SHADOW_REACH))[..., None]
    out = beside + alpha * (drawn - beside)
    return np.rint(out).clip(0, 255).astype(np.uint8), alpha[..., 0] > 0.5


def skin_of(frame: np.ndarray, at_px: np.ndarray) -> np.ndarray:
    """float64 [3]: the median colour around a place."""
    reach_px = 6
    x, y = np.rint(at_px).astype(int)
    patch = frame[max(y - reach_px, 0) : y + reach_px + 1, max(x - reach_px, 0) : x + reach_px + 1]
    middle: np.ndarray = np.median(patch.reshape(-1, 3), axis=0)
    return middle


def _own_axes(shape: tuple[int, ...], spot: Spot, from_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel in the hand's own unit and axes."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    right, down = columns + 0.5 - spot.x_px, rows + 0.5 - spot.y_px
    cos, sin = np.cos(spot.roll_rad), np.sin(spot.roll_rad)
    along, across = (cos * right + sin * down) / spot.high_px, (cos * down - sin * right) / spot.high_px
    return (along if from_left else -along) - TIPS_AT, across


def _capsule(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float], thick: float, thin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance from the middle line, how far along it (0..1), and the radius there."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    away = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    return away, along, thick + along * (thin - thick)


def _rounded_box(
    x: np.ndarray, y: np.ndarray, middle: tuple[float, float], half: tuple[float, float], rounding: float
) -> np.ndarray:
    """Signed distance from the edge."""
    right, down = np.abs(x - middle[0]) - half[0], np.abs(y - middle[1]) - half[1]
    out = np.hypot(np.maximum(right, 0), np.maximum(down, 0)) + np.minimum(np.maximum(right, down), 0)
    return out - rounding


def _dome(away: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Height of something round."""
    height: np.ndarray = np.sqrt(np.maximum(np.square(radius) - np.square(np.maximum(away, 0)), 0))
    return height


def _nail(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float], radius: float
) -> np.ndarray:
    """An ellipse at the finger's tip, 0..1."""
    length = np.hypot(end[0] - start[0], end[1] - start[1])
    dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    right, down = x - end[0] - 0.25 * radius * dx, y - end[1] - 0.25 * radius * dy
    along, across = (right * dx + down * dy) / (0.72 * radius), (down * dx - right * dy) / (0.58 * radius)
    inside: np.ndarray = np.clip((1 - np.hypot(along, across)) * 6, 0, 1)
    return inside


def _shade(height: np.ndarray, unit: float) -> np.ndarray:
    """Light from above on the left of the hand, less of it in folds and between fingers."""
    down, right = np.gradient(np.maximum(height, 0) * unit)
    normal = np.stack([-right, -down, np.ones_like(right)], 2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    lit = np.clip(normal @ (LAMP / np.linalg.norm(LAMP)), 0, 1)
    hollow = np.clip(_blurred(np.maximum(height, 0), 0.06 * unit) - height, 0, 0.1) / 0.1
    shade: np.ndarray = (0.58 + 0.52 * lit) * (1 - 0.35 * hollow)
    return shade


def _coverage(outside: np.ndarray, pixel: float) -> np.ndarray:
    """0..1 of each pixel, with an edge a little softer than a pixel."""
    share: np.ndarray = np.clip(0.5 - outside / (2 * _SOFT_PX * pixel), 0, 1)
    return share


def _blurred(picture: np.ndarray, sigma_px: float) -> np.ndarray:
    """By a normal curve, each axis in turn; the edge goes on."""
    reach = max(1, round(2.5 * sigma_px))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        wide = [(reach, reach) if one == axis else (0, 0) for one in (0, 1)]
        padded, size = np.pad(picture, wide, mode="edge"), picture.shape[axis]
        picture = sum(tap * np.take(padded, range(at, at + size), axis) for at, tap in enumerate(taps))
    return picture

"""The colours of a synthetic person: skin, lips, brows, stubble, make-up and freckles, painted on the head's texture.

Given the mesh it knows once, per texel, where on the neutral head it lies; a person's colours are then drawn by
formula at random. Nothing is learned from photographs. It does not know light, cameras or expressions.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tracker.distill import head
from tracker.distill.head import smoothstep
from tracker.distill.ict import Ict
from tracker.distill.raster import Canvas, Mesh
from tracker.face.camera import Camera

TALL_PX = 256
"""The face has a square of the texture, the back of the head the next."""
# Linear from the palest to the darkest; real skin lies near this curve, redder or yellower by the person.
TONES = np.array([[238, 208, 190], [226, 184, 158], [205, 155, 122], [172, 120, 86], [128, 82, 56], [84, 54, 40],
                  [56, 37, 30]], float)  # fmt: skip
HAIR = np.array([[22, 18, 17], [42, 28, 20], [74, 48, 30], [112, 76, 44], [168, 130, 82], [126, 58, 30],
                 [150, 146, 142], [206, 202, 198]], float)  # fmt: skip
IRISES = np.array([[78, 50, 30], [104, 72, 42], [58, 40, 28], [88, 100, 74], [96, 122, 142], [112, 124, 128]], float)

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Complexion:
    """One person's colours."""

    texture: np.ndarray
    """float32 [S, 2 S, 3] in 0..255 over the skin's `uv`, whose u goes to 2."""
    eye: np.ndarray
    """float32 [E, E, 3] over `head.EYE_SPAN_MM`."""
    hair_rgb: np.ndarray
    """float [3]."""
    skin_rgb: np.ndarray
    """float [3]."""
    lashes: float
    """0..1: how dark."""
    shine: float
    """0..1: how oily."""


def hairline_share(points_mm: np.ndarray) -> np.ndarray:
    """How far [...] points [..., 3] of a head lie behind the hairline, in degrees about the skull's middle; negative
    on the face."""
    away = points_mm - head.SKULL_CENTRE_MM
    across = np.hypot(away[..., 0], away[..., 1])
    polar = np.degrees(np.arctan2(across, -away[..., 2]))
    down = np.degrees(np.arctan2(np.abs(away[..., 0]), -away[..., 1]))
    line = np.interp(down, [0, 22, 42, 60, 75, 88, 100, 112, 130, 180], [52, 52, 56, 66, 76, 92, 108, 122, 132, 130])
    return polar - line


class Painter:
    """Paints people; holds what all share."""

    def __init__(self, ict: Ict) -> None:
        size, self._at = TALL_PX, _positions(ict)
        x, y, z = np.moveaxis(self._at, -1, 0)
        side = np.abs(x)
        self._side = side
        v, u = (np.mgrid[0:size, 0 : 2 * size] + 0.5) / size
        face = np.zeros((size, 2 * size))
        face[:, :size] = 1
        front = face * smoothstep((35 - z) / 20)
        marks = ict.neutral_mm[ict.points_68]
        brow = marks[22:27]
        self._brow_y = np.interp(side, brow[:, 0], brow[:, 1])
        self._brow_ends = float(brow[0, 0]), float(brow[-1, 0])
        lips = ict.uv[ict.points_68[48:60]] * size
        drawn = cv2.fillPoly(np.zeros((size, 2 * size), np.uint8), [np.rint(lips * 8).astype(np.int32)], 255, shift=3)
        self._lips = cv2.GaussianBlur(drawn, (0, 0), 1.0) / 255.0
        self._front = front
        eye = marks[42:48].mean(0)
        self._eye = np.hypot((side - eye[0]) / 1.5, y - eye[1])
        self._lid = smoothstep((22 - np.hypot((side - eye[0]) / 1.2, y - eye[1] + 6)) / 12) * (y < eye[1] + 2) * front
        self._cheek = np.exp(-(((side - 42) / 17) ** 2 + ((y - 36) / 14) ** 2)) * front
        self._nose = np.exp(-((side / 14) ** 2 + ((y - 34) / 12) ** 2)) * front
        self._under_eye = np.exp(-(((side - eye[0]) / 15) ** 2 + ((y - eye[1] - 14) / 5) ** 2)) * front
        line = np.interp(side, [0, 28, 45, 62, 75], [50, 56, 58, 40, 5])
        jaw = (
            smoothstep((y - line) / 8) * smoothstep((128 - y + 0.4 * (z + 20)) / 14) * smoothstep((48 - z) / 16) * face
        )
        self._beard = jaw * (1 - smoothstep(self._lips * 2))
        self._moustache = np.exp(-((side / 24) ** 4 + ((y - 56) / 6.5) ** 2)) * front
        ear = ((np.minimum(u, 1 - u) < 0.095) & (v > 0.28) & (v < 0.58))[:, :size]
        self._scalp = hairline_share(self._at).astype(np.float32)
        for name in (
            "_lips",
            "_front",
            "_eye",
            "_lid",
            "_cheek",
            "_nose",
            "_under_eye",
            "_beard",
            "_moustache",
            "_side",
        ):
            setattr(self, name, getattr(self, name).astype(np.float32))
        self._scalp[:, :size] -= 60 * cv2.GaussianBlur(ear.astype(float), (0, 0), 1.0)

    def __call__(self, rng: Rng, old: float) -> Complexion:
        """A person's colours; `old` 0..1."""
        tone = rng.beta(1.1, 1.4) * (len(TONES) - 1)
        skin = np.array([np.interp(tone, np.arange(len(TONES)), TONES[:, k]) for k in range(3)])
        skin = skin * np.exp(rng.normal(0, [0.05, 0.04, 0.06])) * rng.uniform(0.92, 1.06)
        dark = tone / (len(TONES) - 1)
        grey = old > 0.7 and rng.random() < 0.6
        kind = rng.choice([6, 7]) if grey else rng.choice([0, 1, 2] if dark > 0.45 else [0, 1, 2, 3, 4, 5])
        hair = HAIR[kind] * rng.uniform(0.75, 1.2)
        shade = np.ones((TALL_PX, 2 * TALL_PX, 3), np.float32)
        shade += rng.uniform(0.01, 0.05) * _noise(rng, 14)[..., None] * [0.6, 1.0, 1.0]
        shade += rng.uniform(0.004, 0.03) * _noise(rng, 3)[..., None]
        shade += rng.uniform(0.0, 0.02) * _grain(rng)[..., None]
        red = rng.uniform(0, 0.22) * (self._cheek + self._nose * rng.uniform(0, 1.2)) + 0.03 * self._nose
        shade *= 1 - red[..., None] * [0.12, 0.75, 0.6]
        shade *= 1 - rng.uniform(0, 0.3) * self._under_eye[..., None] * [0.7, 0.9, 0.7]
        paint = shade * skin.astype(np.float32)
        self._freckles(paint, rng, dark)
        woman = rng.random() < 0.5
        self._lips_on(paint, skin, rng, woman)
        if woman and rng.random() < 0.55:
            self._make_up(paint, rng)
        if not woman:
            self._beard_on(paint, hair, rng)
        self._brows_on(paint, hair * rng.uniform(0.6, 1.0), rng, woman)
        np.clip(paint, 0, 255, out=paint)
        iris = IRISES[rng.choice(len(IRISES), p=_iris_share(dark))] * rng.uniform(0.7, 1.3)
        eye = head.eye_texture(tuple(iris), rng.uniform(1.5, 3.2), 96) * rng.uniform(0.82, 1.0)
        return Complexion(paint.astype(np.float32), eye, hair, skin, rng.uniform(0, 1) ** 2 * 0.8, rng.uniform(0, 1))

    def scalp(self, paint: np.ndarray, hair_rgb: np.ndarray, raised_deg: float, rng: Rng, cover: float) -> None:
        """Hair over `paint` behind the hairline, in place, `cover` 0..1 thick."""
        streaks = cv2.GaussianBlur(_grain(rng), (0, 0), sigmaX=0.7, sigmaY=6) * 3.2
        edge = self._scalp - raised_deg + 2.0 * streaks
        share = (smoothstep(edge / 7) * cover)[..., None]
        strand = np.clip(1 + 0.28 * streaks + 0.15 * _noise(rng, 9), 0.3, 1.8)[..., None]
        paint += (hair_rgb * strand - paint) * share
        np.clip(paint, 0, 255, out=paint)

    def _freckles(self, paint: np.ndarray, rng: Rng, dark: float) -> None:
        spots = np.zeros(self._side.shape, np.float32)
        if rng.random() < 0.3 * (1 - dark) + 0.05:
            at = np.clip(self._cheek + self._nose, 0, 1) ** 0.7 + 0.06 * self._front
            spots += (rng.random(spots.shape) < 0.05 * rng.random() * at) * rng.uniform(0.5, 1.5)
        for _ in range(rng.poisson(1.5)):
            place = rng.integers(40, TALL_PX - 40, 2)
            cv2.circle(spots, (int(place[0]), int(place[1])), int(rng.integers(1, 3)), float(rng.uniform(0.6, 1.5)), -1)
        spots = cv2.GaussianBlur(spots, (0, 0), 0.8)
        paint *= 1 - np.clip(spots, 0, 0.75)[..., None] * [0.5, 0.65, 0.7]

    def _lips_on(self, paint: np.ndarray, skin: np.ndarray, rng: Rng, woman: bool) -> None:
        natural = skin * [0.92, rng.uniform(0.66, 0.86), rng.uniform(0.7, 0.9)]
        colour, share = natural, rng.uniform(0.4, 0.95)
        if woman and rng.random() < 0.5:
            colour = np.array([rng.uniform(110, 215), rng.uniform(20, 100), rng.uniform(40, 110)]) * rng.uniform(
                0.6, 1.1
            )
            share = rng.uniform(0.6, 1.0)
        paint += (colour * (1 + 0.06 * _noise(rng, 3)[..., None]) - paint) * (self._lips * share)[..., None]

    def _make_up(self, paint: np.ndarray, rng: Rng) -> None:
        shadow = rng.uniform(20, 170, 3)
        paint += (shadow - paint) * (self._lid * rng.uniform(0, 0.5))[..., None]
        liner = smoothstep((12.5 - self._eye) / 3) * self._front * rng.uniform(0, 0.6)
        paint *= 1 - liner[..., None]
        blush = self._cheek * rng.uniform(0, 0.3)
        paint += (np.array([205, 85, 95]) - paint) * blush[..., None]

    def _beard_on(self, paint: np.ndarray, hair: np.ndarray, rng: Rng) -> None:
        kind = rng.random()
        amount = rng.uniform(0, 0.3) if kind < 0.55 else rng.uniform(0.4, 0.9) if kind < 0.9 else 0.0
        where = self._beard if rng.random() < 0.75 else self._beard * smoothstep((38 - self._side) / 10)
        lip = rng.uniform(0.2, 1.0)
        cover = np.clip(where * (1 - 0.6 * self._moustache) + lip * self._moustache, 0, 1)
        strands = np.clip(1 + 0.5 * cv2.GaussianBlur(_grain(rng), (0, 0), 0.7, sigmaY=1.6) * 1.5, 0, 2)
        share = np.clip(cover * amount * strands * (1 + 0.25 * _noise(rng, 10)), 0, 0.95)
        paint += (hair * 0.8 - paint) * share[..., None]

    def _brows_on(self, paint: np.ndarray, hair: np.ndarray, rng: Rng, woman: bool) -> None:
        inner, outer = self._brow_ends
        inner, outer = inner + rng.normal(0, 1.5), outer + rng.normal(-1, 2)
        along = (self._side - inner) / (outer - inner)
        half = rng.uniform(1.8, 3.2 if woman else 4.6) * np.interp(along, [-0.1, 0.15, 0.5, 1.0], [0.8, 1.0, 0.85, 0.3])
        middle = self._brow_y + rng.normal(1.5, 1.0) - rng.normal(1.0, 1.2) * np.sin(np.clip(along, 0, 1) * np.pi)
        y = self._at[..., 1]
        strands = cv2.GaussianBlur(_grain(rng), (0, 0), 1.1, sigmaY=0.8) * 2.2
        off = np.abs(y - middle) / half
        cover = smoothstep((1.25 - off) / 0.5) * smoothstep((along + 0.06) / 0.12) * smoothstep((1.06 - along) / 0.15)
        share = cover * self._front * np.clip(rng.uniform(0.45, 1.0) * (1 + 0.3 * strands), 0, 1)
        paint += (hair - paint) * share[..., None]


def _iris_share(dark: float) -> np.ndarray:
    share = np.array([3, 2, 3, 1.5 * (1 - dark) ** 2, 2 * (1 - dark) ** 2, 1 * (1 - dark) ** 2])
    return share / share.sum()


def _grain(rng: Rng) -> np.ndarray:
    """float32 [S, 2 S], white noise of unit spread."""
    return rng.standard_normal((TALL_PX, 2 * TALL_PX), np.float32)


def _noise(rng: Rng, grain_px: float) -> np.ndarray:
    """float [S, 2 S], smooth, of about unit spread."""
    small = rng.standard_normal((int(TALL_PX / grain_px) + 2, int(2 * TALL_PX / grain_px) + 2), np.float32)
    return cv2.resize(small, (2 * TALL_PX, TALL_PX), interpolation=cv2.INTER_CUBIC)


def _positions(ict: Ict) -> np.ndarray:
    """float64 [S, 2 S, 3]: the neutral head's millimetres under every texel; the nearest ones outside the charts."""
    triangles = np.concatenate([ict.triangles["M_Face"], ict.triangles["M_BackHead"]])
    flat = np.column_stack([ict.uv * TALL_PX, np.full(len(ict.uv), 100.0)])
    canvas = Canvas(2 * TALL_PX, TALL_PX, Camera(100.0, 100.0, 0.0, 0.0))
    canvas.clear(np.full((TALL_PX, 2 * TALL_PX, 3), np.nan, np.float32))
    canvas.paint(Mesh(flat, triangles, np.zeros((len(flat), 2)), head.WHITE, ict.neutral_mm / 255.0, lit=False))
    at = canvas.colours()[::2, ::2].astype(np.float64)
    empty = np.isnan(at[..., 0])
    _, nearest = cv2.distanceTransformWithLabels(empty.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(nearest.max() + 1, np.int64)
    index[nearest[~empty]] = np.flatnonzero(~empty)
    return at.reshape(-1, 3)[index[nearest]]

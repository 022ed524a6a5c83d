"""Whole views for the detector: faces of every size somewhere in a picture of something else.

Given the corpus it composes luma views of 256 pixels with zero to four heads and their truth per cell. It knows
nothing of the network but the size of its cells.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tracker.detect.detector import CELL_PX, CELLS, VIEW_PX
from tracker.distill import augment
from tracker.distill.augment import Look
from tracker.distill.corpus import Corpus
from tracker.distill.lessons import Poses, background_patches, look_at_points
from tracker.distill.phantoms import SQUARE_PX, load_phantoms

SMALLEST_FACE_PX, LARGEST_FACE_PX = 11.0, 235.0
FACE_OF_SIDE = 0.71
# Of the faceless pieces put into a view, how many are phantoms where some have been mined.
PHANTOM_SHARE = 0.5


class Scenes:
    """An endless source of views."""

    def __init__(
        self, corpus: Corpus, poses: Poses, data: Path, cache: Path, profiles: list[tuple], seed: int = 0
    ) -> None:
        self.corpus, self.poses, self.profiles = corpus, poses, profiles
        self.rng = np.random.default_rng(seed)
        train = np.flatnonzero(~corpus.validation)
        count = np.bincount(corpus.person[train], minlength=int(corpus.person.max()) + 1)[corpus.person[train]]
        weight = count**-0.6
        self.train, self.share = train, weight / weight.sum()
        self.backgrounds = background_patches(data, cache, seed)
        self.phantoms = load_phantoms(cache)

    def batch(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 views [size, 256, 256] and truth float32 [size, 7, 32, 32]."""
        rows = [self.view() for _ in range(size)]
        return np.stack([view for view, _ in rows]), np.stack([truth for _, truth in rows])

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        """One view and its truth."""
        rng = self.rng
        scene = self._ground()
        truth = np.zeros((7, CELLS, CELLS), np.float32)
        free = np.ones((VIEW_PX, VIEW_PX), bool)
        for _ in range(int(rng.choice([0, 1, 2, 3, 5], p=[0.14, 0.5, 0.18, 0.1, 0.08]))):
            face = np.exp(rng.uniform(np.log(SMALLEST_FACE_PX), np.log(LARGEST_FACE_PX)))
            self._place(scene, truth, free, float(face))
        if rng.random() < 0.4:  # black bars, as a letterboxed frame has them
            self._bars(scene, truth)
        return self._spoil(scene), truth

    def _ground(self) -> np.ndarray:
        rng = self.rng
        if rng.random() < 0.3:
            scene = augment.texture(rng, VIEW_PX)
        else:
            scene = cv2.resize(self._piece(), (VIEW_PX, VIEW_PX))
            for _ in range(int(rng.integers(0, 9))):
                w, h = (int(v) for v in rng.integers(12, 160, 2))
                x, y = int(rng.integers(0, VIEW_PX - w)), int(rng.integers(0, VIEW_PX - h))
                scene[y : y + h, x : x + w] = cv2.resize(self._piece(), (w, h), interpolation=cv2.INTER_AREA)
        grey: np.ndarray = cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY)
        for _ in range(int(rng.choice([0, 1, 3]))):  # people whose face is gone (hair is not enough), and phantoms
            self._faceless(grey)
        return grey

    def _piece(self) -> np.ndarray:
        picture = self.backgrounds[self.rng.integers(len(self.backgrounds))]
        return picture if self.rng.random() < 0.5 else np.ascontiguousarray(picture[:, ::-1])

    def _pick(self) -> tuple[np.ndarray, Look]:
        """A patch and the square of its head."""
        rng = self.rng
        if rng.random() < 0.12 and self.profiles:
            patch, points = self.profiles[rng.integers(len(self.profiles))]
            look = look_at_points(points)
        else:
            index = int(rng.choice(self.train, p=self.share))
            patch, look = self.corpus.patches[index], self.poses.look(index)
        return patch, look

    def _place(self, scene: np.ndarray, truth: np.ndarray, free: np.ndarray, face_px: float) -> None:
        """Paste one patch so that its face is `face_px` tall, where nothing stands yet."""
        rng = self.rng
        patch, look = self._pick()
        centre, side, roll = look.centre, look.side, look.roll
        grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
        scale = face_px / FACE_OF_SIDE / side
        if rng.random() < 0.5:
            grey, centre, roll = grey[:, ::-1], np.array([grey.shape[1] - centre[0], centre[1]]), -roll
        turn = float(rng.normal(0, 0.12 if rng.random() < 0.8 else 0.5))
        reach = face_px * 0.42
        x, y = rng.uniform(reach, VIEW_PX - reach, 2)
        half = face_px * 0.75
        window = (slice(max(0, int(y - half)), int(y + half) + 1), slice(max(0, int(x - half)), int(x + half) + 1))
        if not free[window].all():
            return
        c, s = np.cos(turn) * scale, np.sin(turn) * scale
        linear = np.array([[c, -s], [s, c]])
        warp = np.column_stack([linear, np.array([x, y]) - linear @ centre])
        if scale < 0.7:
            grey = cv2.GaussianBlur(grey, (0, 0), 0.35 / scale)
        pasted = cv2.warpAffine(grey, warp, (VIEW_PX, VIEW_PX), flags=cv2.INTER_LINEAR)
        mask = cv2.warpAffine(self._mask(grey.shape, centre, side), warp, (VIEW_PX, VIEW_PX), flags=cv2.INTER_LINEAR)
        blend = mask.astype(np.float32) * (1 / 255)
        gain, lift = np.exp(rng.normal(0, 0.25)), rng.normal(0, 10)
        scene[:] = np.clip(scene * (1 - blend) + (pasted * gain + lift) * blend, 0, 255).astype(np.uint8)
        free[mask > 40] = False
        mark(truth, x, y, face_px / FACE_OF_SIDE, roll + turn)

    def _mask(self, shape: tuple[int, ...], centre: np.ndarray, side: float) -> np.ndarray:
        """What of a patch is shown: all of it, or the head with a soft or a hard edge."""
        kind = self.rng.random()
        if kind < 0.55:
            return np.full(shape[:2], 255, np.uint8)
        mask = np.zeros(shape[:2], np.uint8)
        at = (int(centre[0]), int(centre[1] - side * 0.02))
        cv2.ellipse(mask, at, (int(side * 0.42), int(side * 0.54)), 0, 0, 360, 255, -1)
        return cv2.GaussianBlur(mask, (0, 0), side * 0.03) if kind < 0.85 else mask

    def _faceless(self, grey: np.ndarray) -> None:
        """Paste a head without its face, or what a detector before this one took for a face."""
        size = int(self.rng.integers(24, 200))
        x, y = self.rng.integers(0, VIEW_PX - size, 2)
        small = cv2.resize(
            self._phantom() if self._haunted() else self._erased(), (size, size), interpolation=cv2.INTER_AREA
        )
        grey[y : y + size, x : x + size] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)

    def _haunted(self) -> bool:
        return self.phantoms is not None and len(self.phantoms) > 0 and self.rng.random() < PHANTOM_SHARE

    def _phantom(self) -> np.ndarray:
        """A mined patch, its whole or no more than the square that was looked at, as it is or mirrored."""
        assert self.phantoms is not None
        patch: np.ndarray = self.phantoms[self.rng.integers(len(self.phantoms))]
        rim = int(self.rng.integers(0, (patch.shape[0] - SQUARE_PX) // 2 + 1))
        patch = patch[rim : patch.shape[0] - rim, rim : patch.shape[1] - rim]
        return patch if self.rng.random() < 0.5 else np.ascontiguousarray(patch[:, ::-1])

    def _erased(self) -> np.ndarray:
        patch, look = self._pick()
        half = look.side * 0.4
        return augment.erase_face(patch, np.concatenate([look.centre - half, look.centre + half]), self.rng)

    def _bars(self, scene: np.ndarray, truth: np.ndarray) -> None:
        """Darken a margin that holds no face's centre."""
        rows = np.flatnonzero(truth[6].any(1))
        columns = np.flatnonzero(truth[6].any(0))
        if self.rng.random() < 0.6:
            top = int((rows.min() if len(rows) else 12) * CELL_PX * self.rng.uniform(0, 0.6))
            bottom = int((rows.max() + 1 if len(rows) else 20) * CELL_PX)
            scene[:top] = 0
            scene[bottom + int((VIEW_PX - bottom) * self.rng.uniform(0.4, 1)) :] = 0
        else:
            left = int((columns.min() if len(columns) else 12) * CELL_PX * self.rng.uniform(0, 0.6))
            right = int((columns.max() + 1 if len(columns) else 20) * CELL_PX)
            scene[:, :left] = 0
            scene[:, right + int((VIEW_PX - right) * self.rng.uniform(0.4, 1)) :] = 0

    def _spoil(self, scene: np.ndarray) -> np.ndarray:
        rng = self.rng
        x: np.ndarray = scene.astype(np.float32)
        if rng.random() < 0.7:
            x = 255 * np.clip(x / 255, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
            x = x * np.float32(np.exp(rng.normal(0, 0.2))) + np.float32(rng.normal(0, 10))
        if rng.random() < 0.3:
            x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(1, 12))
        spoilt = np.clip(x, 0, 255).astype(np.uint8)
        if rng.random() < 0.2:
            spoilt = cv2.GaussianBlur(spoilt, (0, 0), float(rng.uniform(0.4, 1.2)))
        if rng.random() < 0.2:
            spoilt = augment.jpeg(spoilt, int(rng.integers(20, 80)))
        return spoilt


def mark(truth: np.ndarray, x: float, y: float, side_px: float, roll: float) -> None:
    """Write one head into the truth: heat falling off around its cell, values in the cells near it."""
    cx, cy = x / CELL_PX - 0.5, y / CELL_PX - 0.5
    ys, xs = np.mgrid[0:CELLS, 0:CELLS]
    spread = max(0.6, side_px / CELL_PX * 0.06)
    squared = (xs - cx) ** 2 + (ys - cy) ** 2
    heat = np.exp(-squared / (2 * spread**2)).astype(np.float32)
    heat[int(np.clip(round(cy), 0, CELLS - 1)), int(np.clip(round(cx), 0, CELLS - 1))] = 1.0
    np.maximum(truth[0], heat, out=truth[0])
    near = squared < max(1.5, (1.2 * spread) ** 2)
    truth[1][near], truth[2][near] = (cx - xs)[near], (cy - ys)[near]
    truth[3][near] = np.log(side_px / VIEW_PX)
    truth[4][near], truth[5][near] = np.sin(roll), np.cos(roll)
    truth[6][near] = 1

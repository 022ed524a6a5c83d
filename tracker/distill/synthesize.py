"""Synthetic faces with exact truth as a shard laid out like the corpus: `facewire distill synthesize`.

Given the ICT head and the training cache it draws people, lets each be seen four times (so that rows 2k and 2k + 1 are
the same identity, skin and light; another expression, pose, camera and background), and appends pictures and truth in
chunks, so that a run that was cut goes on. Person k depends on the seed and k alone. It knows nothing of learning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker.distill import acting, augment
from tracker.distill.corpus import SHARDS, SYNTHETIC
from tracker.distill.correspond import Points, points_of
from tracker.distill.current import current_model
from tracker.distill.ict import Ict
from tracker.distill.label import PATCH_OF_BOX, PATCH_PX
from tracker.distill.lessons import background_patches
from tracker.distill.morphable import similarity
from tracker.distill.portrait import Person, Studio, canvas_for
from tracker.distill.shard import Shard
from tracker.errors import SettingsError
from tracker.face import topology
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_NAMES
from tracker.face.model import FaceModel
from tracker.face.pose import ray_rotation
from tracker.regress.outputs import ROI_CENTRE_MM

MOMENTS = 4
CHUNK_PEOPLE = 50
VALIDATION_SHARE = 0.08
PHOTO_SHARE = 0.5
FACE_MM = 190.0
NEAREST_MM, FURTHEST_MM = 260.0, 4000.0

Rng = np.random.Generator
Moment = tuple[np.ndarray, np.ndarray]
"""A head's vertices [V, 3] in ICT's axes and its gaze [2, 3], under some expression."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One synthetic face in a picture, with its truth."""

    picture: np.ndarray
    """uint8 [H, W, 3] RGB."""
    landmarks: np.ndarray
    """float32 [478, 3]: x, y in the picture's pixels, z at the same scale about the points' mean, nearer is smaller."""
    scores: np.ndarray
    """float32 [52]: the coefficients it was made with."""
    rotation: np.ndarray
    """float32 [3, 3]: cam_from_head of the face model's head axes, for a camera that looks at the head's origin."""
    scale: float
    """Picture pixels per millimetre at the head's origin."""
    centre: np.ndarray
    """float32 [2]: `ROI_CENTRE_MM` in the picture."""
    gaze: np.ndarray
    """float32 [2, 3]: unit vectors in head space, left first."""
    occluded: bool
    """Something hides a part of the face."""
    photographed: bool = False
    """The background is a piece of a training photograph, whose licence is then the picture's too."""


class Stage:
    """Shows people: the studio, where the 478 points lie, and backgrounds."""

    def __init__(self, studio: Studio, points: Points, backgrounds: np.ndarray, model: FaceModel | None = None) -> None:
        """`backgrounds` uint8 [N, S, S, 3] without faces; poses are those of `model`'s head, the shipped one's by
        default."""
        self.studio, self.points, self._backgrounds = studio, points, backgrounds
        model = model or FaceModel.load()
        skin = slice(topology.RIGHT_IRIS[0])
        neutral = points.on(studio.ict.neutral_mm)
        _, rotation, _ = similarity(model.mean_mm[None, skin].astype(np.float64), neutral[skin].astype(np.float64))
        self._ict_from_head = rotation[0]
        """The two were given other ideas of a head that is held straight."""

    def patch(self, person: Person, rng: Rng) -> Face:
        """One moment of a person, framed as the corpus frames faces."""
        weights, rotation, at = acting.expression(rng), acting.pose(rng), place(rng)
        # Drawn as seen along the ray to the head; the picture shows it from the middle of the camera.
        rotation = ray_rotation(at) @ rotation
        moment = self.studio.ict.act(person.neutral_mm, weights)
        points = self.points.on(moment[0]) @ rotation.T + at
        flat = points[:, :2] / points[:, 2:]
        low, high = flat.min(0), flat.max(0)
        focal = PATCH_PX / PATCH_OF_BOX / float((high - low).max())
        middle = PATCH_PX / 2 - focal * (low + high) / 2
        camera = Camera(focal, focal, float(middle[0]), float(middle[1]))
        photographed = bool(len(self._backgrounds) and rng.random() < PHOTO_SHARE)
        background = (self.photograph if photographed else painted)(PATCH_PX, PATCH_PX, rng)
        face = self.show(person, moment, rotation, at, camera, background, rng)
        return replace(face, scores=weights, photographed=photographed)

    def show(
        self, person: Person, moment: Moment, rotation: np.ndarray, at: np.ndarray, camera: Camera,
        background: np.ndarray, rng: Rng,
    ) -> Face:  # fmt: skip
        """A person before a camera and a background [H, W, 3]; `rotation` is cam_from_head of ICT's axes, `at` mm.
        The moment's coefficients are for the caller to fill in."""
        shape, gaze = moment
        height, width = background.shape[:2]
        canvas = canvas_for(camera, width, height, background)
        vertices, occluded = self.studio.render(person, shape, rotation, at, canvas, rng)
        points = self.points.on(vertices).astype(np.float64)
        scale = camera.fx / at[2]
        z = (points[:, 2] - points[:, 2].mean()) * scale
        turned = rotation @ self._ict_from_head
        middle = turned @ ROI_CENTRE_MM + at
        xy = points[:, :2] / points[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
        return Face(
            picture=developed(canvas.picture(), rng),
            landmarks=np.column_stack([xy, z]).astype(np.float32),
            scores=np.zeros(len(ARKIT_NAMES), np.float32),
            rotation=(ray_rotation(at).T @ turned).astype(np.float32),
            scale=float(scale),
            centre=(middle[:2] / middle[2] * camera.fx + [camera.cx, camera.cy]).astype(np.float32),
            gaze=(gaze @ self._ict_from_head).astype(np.float32),
            occluded=occluded,
        )

    def photograph(self, width_px: int, height_px: int, rng: Rng) -> np.ndarray:
        """float32 [H, W, 3]: a piece of a picture without faces, mostly out of focus."""
        piece: Any = self._backgrounds[rng.integers(len(self._backgrounds))].astype(np.float32)
        piece = cv2.resize(piece, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            piece = cv2.GaussianBlur(piece, (0, 0), rng.uniform(0.8, 7))
        return np.clip(piece * rng.uniform(0.5, 1.2), 0, 255)


def painted(width_px: int, height_px: int, rng: Rng) -> np.ndarray:
    """float32 [H, W, 3]: bars and blobs, a gradient, or one colour, with noise coarse or fine."""
    if rng.random() < 0.3:
        piece: Any = augment.texture(rng, 160).astype(np.float32)
        piece = cv2.GaussianBlur(cv2.resize(piece, (width_px, height_px)), (0, 0), rng.uniform(0.5, 6))
        return piece * rng.uniform(0.3, 1.0)
    grey = rng.uniform(0, 255, (2, 2, 1))
    corners = np.clip(grey + rng.normal(0, rng.uniform(2, 70), (2, 2, 3)), 0, 255)
    if rng.random() < 0.3:
        corners = corners * 0 + corners.mean((0, 1))
    grain = int(rng.integers(2, 14))
    noise: Any = rng.normal(0, rng.uniform(0, 24), (grain, grain, 1)) + rng.normal(
        0, rng.uniform(0, 10), (grain, grain, 3)
    )
    noise = cv2.resize(noise, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.resize(corners, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return np.clip(smooth + noise, 0, 255).astype(np.float32)


def place(rng: Rng) -> np.ndarray:
    """Where the head's origin is before a camera of 15 to 90 degrees, float64 [3] in mm."""
    half = np.tan(np.radians(rng.uniform(15, 90)) / 2)
    share = float(np.exp(rng.uniform(np.log(0.12), np.log(0.7))))
    depth = float(np.clip(FACE_MM / (2 * half * share), NEAREST_MM, FURTHEST_MM))
    aside = rng.uniform(-1, 1, 2) * half * (1 - share) * 0.7 * depth
    return np.array([aside[0], aside[1], depth])


def developed(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """What lens, sensor and codec do, lightly: blur, noise, JPEG."""
    out: Any = picture.astype(np.float32)
    if rng.random() < 0.6:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 1.1)))
    if rng.random() < 0.6:
        out += rng.normal(0, rng.uniform(0.5, 6), out.shape).astype(np.float32)
    out = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, coded = cv2.imencode(".jpg", out[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))])
        decoded: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        out = np.ascontiguousarray(decoded[:, :, ::-1])
    return np.asarray(out)


def _columns(faces: list[Face], people: list[int]) -> dict[str, np.ndarray]:
    """As the corpus has them, and the rest of the truth besides."""
    held = np.array([_is_validation(person) for person in people])
    return {
        "person": np.array(people, np.int32), "clip": np.array(people, np.int32),
        "kind": np.full(len(faces), SYNTHETIC, np.int8), "validation": held,
        "open_licence": np.array([not face.photographed for face in faces]),
        "scale": np.array([face.scale for face in faces], np.float32),
        "occluded": np.array([face.occluded for face in faces]),
        **{name: np.stack([getattr(face, name) for face in faces])
           for name in ("landmarks", "scores", "rotation", "gaze", "centre")},
    }  # fmt: skip


def _is_validation(person: int) -> bool:
    return bool(np.random.default_rng((7, person)).random() < VALIDATION_SHARE)


def moments(stage: Stage, seed: int, number: int) -> list[Face]:
    """The moments of person `number`."""
    rng = np.random.default_rng((seed, number))
    person = stage.studio.person(rng)
    return [stage.patch(person, rng) for _ in range(MOMENTS)]


def open_stage(cache: Path, data: Path, teacher: Path, seed: int, progress: Callable[[str], None]) -> Stage:
    """The studio on `data/ict`, and backgrounds from what is labelled in `cache`."""
    studio = Studio(Ict.load(data / "ict"))
    points = points_of(cache, studio, teacher, progress)
    return Stage(studio, points, background_patches(data, cache, seed), current_model(cache))


def synthesize(
    cache: Path, data: Path, teacher: Path, count: int = 46_000, seed: int = 0, progress: Callable[[str], None] = print
) -> Path:
    """Fill `cache/synthetic` up to `count` faces; returns the folder.

    `data` holds `ict/` and, for backgrounds, `train/images`; `teacher` says once where its points lie on the head.
    Raises SettingsError for a count that is no multiple of `MOMENTS`, AssetError without the ICT model or the teacher,
    SourceError and AssetError for a damaged shard.
    """
    if count < MOMENTS or count % MOMENTS:
        raise SettingsError(f"count {count} is no positive multiple of {MOMENTS} faces, a person's share; say 46000")
    stage, shard = open_stage(cache, data, teacher, seed, progress), Shard(cache / SHARDS[SYNTHETIC])
    while len(shard) < count:
        first = len(shard) // MOMENTS
        people = range(first, min(first + CHUNK_PEOPLE, count // MOMENTS))
        faces = [face for person in people for face in moments(stage, seed, person)]
        shard.append([face.picture for face in faces], _columns(faces, [k for k in people for _ in range(MOMENTS)]))
        progress(f"rendered {len(shard)} of {count} faces")
    return shard.folder

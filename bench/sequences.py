"""Synthetic people who move: frames whose landmarks are known exactly, as a camera would see them one after another.

Given the ICT head it draws people that training never draws, and lets each go smoothly from one expression, pose and
place to the next under one light before one background. It does not know who looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tracker.distill import acting
from tracker.distill.bust import rotation_of
from tracker.distill.synthesize import FACE_MM, Face, Stage, painted
from tracker.face.camera import Camera

WIDTH_PX, HEIGHT_PX = 640, 480
FACE_PX = (110.0, 300.0)
FRAMES_PER_MOVE = 10
# Training and the synthetic suite seed their people with other numbers.
SEED = 9_912_422


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """What somebody is about to do."""

    weights: np.ndarray
    angles: np.ndarray
    """Pitch, yaw, roll in radians."""
    at: np.ndarray
    """Of the head's origin before the camera, mm."""


def sequence(stage: Stage, number: int, frames: int) -> Iterator[Face]:
    """The frames of person `number`, in order, with nothing before the face."""
    rng = np.random.default_rng((SEED, number))
    camera = Camera.from_fov(WIDTH_PX, HEIGHT_PX)
    person = replace(stage.studio.person(rng), masked=False)
    size_px = float(np.exp(rng.uniform(*np.log(FACE_PX))))
    background, noise = painted(WIDTH_PX, HEIGHT_PX, rng), int(rng.integers(1 << 31))
    keys = [_key(rng, camera, size_px) for _ in range(frames // FRAMES_PER_MOVE + 2)]
    for frame in range(frames):
        start, share = divmod(frame / FRAMES_PER_MOVE, 1.0)
        one, other, share = keys[int(start)], keys[int(start) + 1], share * share * (3 - 2 * share)
        weights, angles, at = (
            (1 - share) * getattr(one, name) + share * getattr(other, name) for name in ("weights", "angles", "at")
        )
        moment = stage.studio.ict.act(person.neutral_mm, weights)
        # What is drawn at random about the rendering stays what it was in the first frame.
        face = stage.show(
            person, moment, rotation_of(*angles), at, camera, background.copy(), np.random.default_rng(noise)
        )
        yield replace(face, scores=weights.astype(np.float32))


def _key(rng: np.random.Generator, camera: Camera, size_px: float) -> _Key:
    angles = np.radians(np.clip(rng.normal(0, [8, 18, 6]), [-20, -45, -20], [20, 45, 20]))
    depth = camera.fy * FACE_MM / (size_px * float(np.exp(rng.normal(0, 0.08))))
    spare = np.maximum((np.array([WIDTH_PX, HEIGHT_PX]) - 1.4 * size_px) / 2, 0)
    aside = rng.uniform(-0.6, 0.6, 2) * spare / camera.fy * depth
    return _Key(acting.expression(rng), angles, np.array([aside[0], aside[1] - 0.15 * FACE_MM, depth]))

"""Rendered people who rest, turn, talk and blink on a known score: what a filter over time is judged on.

Given the ICT head and any moments of time it renders one person at those moments, with fresh sensor noise in every
picture. The motion is a function of time alone, so that regular, irregular and dropped frames show the same motion.
It does not know who looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tracker.bench.sequences import HEIGHT_PX, WIDTH_PX
from tracker.distill.bust import rotation_of
from tracker.distill.synthesize import FACE_MM, Face, Stage, painted
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX

SEED = 5_061_977
SECONDS, RATE_HZ = 8.0, 30
HEAD = (1.5, 3.5)
"""Seconds during which the head turns and moves ..."""
TALK = (4.5, 6.5)
"""... and during which the face does."""
RESTS = ((0.7, 1.5), (3.8, 4.5), (7.4, 8.0))
"""Rest, a filter's settling after motion left out."""
BLINK_SECONDS = 7.0
BLINK_FRAMES = 2
"""How long the lids stay closed, in frames of a camera that keeps time."""
NOISE_GREY = 6.0
"""Standard deviation of a webcam's noise in a lit room."""
EDGE_SECONDS = 0.2
FACE_PX = 200.0

# Shape -> most of it, and how often a second. Left and right have one score.
_TALK = {
    "jawOpen": (0.45, 2.6), "mouthFunnel": (0.35, 1.7), "mouthPucker": (0.4, 1.3), "mouthSmileLeft": (0.5, 0.9),
    "mouthSmileRight": (0.5, 0.9), "browInnerUp": (0.6, 1.1), "browOuterUpLeft": (0.5, 1.1),
    "browOuterUpRight": (0.5, 1.1), "mouthStretchLeft": (0.3, 2.1), "mouthStretchRight": (0.3, 2.1),
}  # fmt: skip
TALKING = tuple(ARKIT_INDEX[name] for name in _TALK)
LIDS = (ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"])


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a person does at one moment."""

    weights: np.ndarray
    """float32 [52]."""
    angles: np.ndarray
    """Pitch, yaw, roll in radians."""
    aside_mm: np.ndarray
    """float64 [2]: how far the head has moved across the picture."""


def regular() -> np.ndarray:
    """float64 [N]: the moments of a camera that keeps time."""
    return np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ


def irregular(rng: np.random.Generator) -> np.ndarray:
    """float64 [N]: steps vary by half either way, and of the frames one in five is missing."""
    steps = rng.uniform(0.5, 1.5, round(SECONDS * RATE_HZ)) / RATE_HZ
    seconds = np.cumsum(steps)
    return seconds[(rng.random(len(seconds)) >= 0.2) & (seconds < SECONDS)]


def _within(span: tuple[float, float], seconds: float) -> float:
    """1 inside, 0 outside, in between a smooth step: heads have mass."""
    edge = np.clip((min(seconds - span[0], span[1] - seconds)) / EDGE_SECONDS, 0, 1)
    return float(edge * edge * (3 - 2 * edge))


def state_at(seconds: float, phases: np.ndarray) -> State:
    """The score. `phases` float64 [4] in radians makes people differ."""
    weights = np.zeros(len(ARKIT_INDEX), np.float32)
    talk, head = _within(TALK, seconds), _within(HEAD, seconds)
    for k, (name, (most, rate_hz)) in enumerate(_TALK.items()):
        weights[ARKIT_INDEX[name]] = talk * most * (1 - np.cos(2 * np.pi * rate_hz * (seconds - TALK[0]) + k)) / 2
    closed = BLINK_SECONDS - 1e-6 <= seconds < BLINK_SECONDS + BLINK_FRAMES / RATE_HZ - 1e-6
    weights[list(LIDS)] = float(closed)
    turn = 2 * np.pi * 0.5 * (seconds - HEAD[0])
    angles = head * np.radians([7 * np.sin(1.6 * turn + phases[0]), 18 * np.sin(turn + phases[1]),
                                5 * np.sin(0.8 * turn + phases[2])])  # fmt: skip
    aside = head * np.array([40 * np.sin(turn + phases[3]), 10 * np.sin(1.3 * turn + phases[0])])
    return State(weights, angles, aside)


def performance(stage: Stage, number: int, moments: np.ndarray) -> Iterator[Face]:
    """Person `number` at `moments` (float64 [N] seconds), in order."""
    rng = np.random.default_rng((SEED, number))
    camera = Camera.from_fov(WIDTH_PX, HEIGHT_PX)
    person = replace(stage.studio.person(rng), masked=False)
    background, still = painted(WIDTH_PX, HEIGHT_PX, rng), int(rng.integers(1 << 31))
    phases, leaning = rng.uniform(0, 2 * np.pi, 4), np.radians(rng.normal(0, [4, 8, 3]))
    at = np.array([0.0, -0.1 * FACE_MM, camera.fy * FACE_MM / FACE_PX])
    for number_of_frame, seconds in enumerate(moments):
        state = state_at(float(seconds), phases)
        moment = stage.studio.ict.act(person.neutral_mm, state.weights)
        # What is drawn at random about the rendering stays what it was in the first frame.
        face = stage.show(
            person, moment, rotation_of(*(leaning + state.angles)), at + [*state.aside_mm, 0.0], camera,
            background.copy(), np.random.default_rng(still),
        )  # fmt: skip
        grain = np.random.default_rng((SEED, number, number_of_frame)).normal(0, NOISE_GREY, face.picture.shape)
        noisy = np.rint(face.picture + grain).clip(0, 255).astype(np.uint8)
        yield replace(face, picture=noisy, scores=state.weights)

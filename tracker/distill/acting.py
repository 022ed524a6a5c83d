"""What a synthetic person does at one moment: an expression and how the head is held, drawn at random.

Expressions are mixtures of a few moves, single shapes or those that go together, with looks, blinks and, now and then,
a face that does almost nothing. Every ARKit shape but `tongueOut` occurs often. It does not know meshes or pictures.
"""

from __future__ import annotations

import numpy as np

from tracker.distill.bust import rotation_of
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES, MIRROR

Rng = np.random.Generator

# Shapes that go together; `*` stands for both sides. Each is drawn with a strength of its own below its bound.
COMBINED: tuple[dict[str, float], ...] = (
    {"mouthSmile*": 1.0, "cheekSquint*": 0.8, "eyeSquint*": 0.4},
    {"mouthSmile*": 1.0, "jawOpen": 0.5, "mouthUpperUp*": 0.4, "cheekSquint*": 0.6},
    {"browInnerUp": 1.0, "browOuterUp*": 1.0, "eyeWide*": 1.0, "jawOpen": 0.5},
    {"browDown*": 1.0, "eyeSquint*": 0.7, "noseSneer*": 0.5, "mouthPress*": 0.6},
    {"noseSneer*": 1.0, "mouthUpperUp*": 0.8, "browDown*": 0.5},
    {"mouthFrown*": 1.0, "mouthShrugLower": 0.8, "browInnerUp": 0.8},
    {"jawOpen": 1.0, "mouthFunnel": 0.9}, {"jawOpen": 0.8, "mouthLowerDown*": 0.9, "mouthUpperUp*": 0.7},
    {"mouthPucker": 1.0, "mouthFunnel": 0.5}, {"jawOpen": 0.7, "mouthClose": 0.7},
    {"jawOpen": 0.5, "mouthStretch*": 0.9},
    {"mouthRollLower": 0.9, "mouthRollUpper": 0.9, "mouthPress*": 0.5},
    {"mouthShrugUpper": 0.9, "mouthShrugLower": 0.9}, {"cheekPuff": 1.0, "mouthPucker": 0.4},
    {"mouthLeft": 1.0, "jawLeft": 0.7}, {"mouthRight": 1.0, "jawRight": 0.7}, {"jawLeft": 1.0}, {"jawRight": 1.0},
    {"mouthDimple*": 0.9, "mouthPress*": 0.6}, {"jawForward": 0.8, "mouthShrugLower": 0.6},
)  # fmt: skip
# Of two that pull opposite ways the weaker gives way.
OPPOSED = (
    ("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"), ("eyeBlinkLeft", "eyeWideLeft"),
    ("eyeBlinkRight", "eyeWideRight"), ("mouthPucker", "mouthStretchLeft"), ("mouthPucker", "mouthStretchRight"),
    ("mouthPucker", "mouthSmileLeft"), ("mouthPucker", "mouthSmileRight"), ("cheekPuff", "jawOpen"),
    ("mouthSmileLeft", "mouthFrownLeft"), ("mouthSmileRight", "mouthFrownRight"),
    ("browDownLeft", "browOuterUpLeft"), ("browDownRight", "browOuterUpRight"),
    ("mouthRollUpper", "mouthFunnel"), ("mouthRollLower", "mouthFunnel"),
    ("mouthPressLeft", "jawOpen"), ("mouthPressRight", "jawOpen"),
)  # fmt: skip
_SINGLE = tuple(name for name in ARKIT_NAMES if not name.startswith(("eyeLook", "eyeBlink", "tongue", "mouthClose")))
STILL_SHARE, BLINK_SHARE, WINK_SHARE = 0.12, 0.16, 0.06
MOST_PITCH_DEG = MOST_ROLL_DEG = 40.0


def expression(rng: Rng) -> np.ndarray:
    """float32 [52] in ARKit order, 0..1."""
    weights = np.zeros(len(ARKIT_NAMES))
    if rng.random() < STILL_SHARE:
        weights[:] = rng.uniform(0, 0.14) * rng.random(len(weights)) * (rng.random(len(weights)) < 0.5)
        weights[[ARKIT_INDEX["tongueOut"], ARKIT_INDEX["mouthClose"]]] = 0
    else:
        for _ in range(rng.integers(1, 5)):
            move = _combined(rng) if rng.random() < 0.35 else _single(rng)
            np.maximum(weights, move, out=weights)
    _lids(weights, rng)
    _look(weights, rng)
    for one, other in OPPOSED:
        a, b = ARKIT_INDEX[one], ARKIT_INDEX[other]
        if min(weights[a], weights[b]) > 0.15:
            weights[a if weights[a] < weights[b] else b] = 0.0
    close, jaw = ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]
    weights[close] = min(weights[close], weights[jaw])
    return weights.astype(np.float32)


def _single(rng: Rng) -> np.ndarray:
    move = np.zeros(len(ARKIT_NAMES))
    index = ARKIT_INDEX[_SINGLE[rng.integers(len(_SINGLE))]]
    move[index] = rng.uniform(0.2, 1.0)
    name = ARKIT_NAMES[index]
    if MIRROR[index] != index and name not in ("mouthLeft", "mouthRight", "jawLeft", "jawRight") and rng.random() < 0.6:
        move[MIRROR[index]] = np.clip(move[index] * rng.normal(1, 0.12), 0, 1)
    return move


def _combined(rng: Rng) -> np.ndarray:
    move = np.zeros(len(ARKIT_NAMES))
    strength = rng.uniform(0.4, 1.0)
    for name, most in COMBINED[rng.integers(len(COMBINED))].items():
        value = most * strength * rng.uniform(0.5, 1.0)
        for full in (name.replace("*", "Left"), name.replace("*", "Right")):
            move[ARKIT_INDEX[full]] = np.clip(value * rng.normal(1, 0.08 if "*" in name else 0), 0, 1)
    return move


def _lids(weights: np.ndarray, rng: Rng) -> None:
    both = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]
    kind = rng.random()
    if kind < BLINK_SHARE:
        weights[both] = np.clip(rng.uniform(0.25, 1.15) + rng.normal(0, 0.04, 2), 0, 1)
    elif kind < BLINK_SHARE + WINK_SHARE:
        weights[both[rng.integers(2)]] = min(rng.uniform(0.5, 1.2), 1.0)
    elif kind < 0.55:
        weights[both] = np.clip(abs(rng.normal(0, 0.12)) + rng.normal(0, 0.02, 2), 0, 1)


def _look(weights: np.ndarray, rng: Rng) -> None:
    """Both eyes one way, nearly; more seldom they meet on something near."""
    if rng.random() < 0.2:
        return
    wide = rng.random() < 0.35
    across, down = rng.normal(0, 0.65 if wide else 0.25), rng.normal(0.05, 0.6 if wide else 0.22)
    near = abs(rng.normal(0, 0.06)) + (rng.uniform(0, 0.5) if rng.random() < 0.04 else 0)
    for side, outwards in (("Left", 1), ("Right", -1)):
        out = (across + rng.normal(0, 0.02)) * outwards - near
        weights[ARKIT_INDEX[f"eyeLook{'Out' if out > 0 else 'In'}{side}"]] = min(abs(out), 1)
        weights[ARKIT_INDEX[f"eyeLook{'Down' if down > 0 else 'Up'}{side}"]] = min(abs(down), 1)


def pose(rng: Rng) -> np.ndarray:
    """How the head is turned as the camera sees it, float64 [3, 3]: mostly towards it, with a tail to profiles."""
    kind = rng.random()
    yaw = rng.normal(0, 17) if kind < 0.55 else rng.uniform(-60, 60) if kind < 0.82 else rng.uniform(45, 92)
    yaw *= rng.choice([-1, 1])
    pitch = np.clip(rng.normal(0, 13) if rng.random() < 0.8 else rng.uniform(-40, 40), -MOST_PITCH_DEG, MOST_PITCH_DEG)
    roll = np.clip(rng.normal(0, 11) if rng.random() < 0.85 else rng.uniform(-40, 40), -MOST_ROLL_DEG, MOST_ROLL_DEG)
    return rotation_of(*np.radians([pitch, yaw, roll]))

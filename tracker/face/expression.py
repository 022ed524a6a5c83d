"""The names of facial expression: ARKit's 52 shapes, and every translation to and from them.

These tables are the only vocabulary on the wire and in the public API. Values are coefficients in 0..1; left and
right are the subject's own. Nothing here knows about networks, pixels or sockets.
"""

from __future__ import annotations

# Apple's names in Apple's order (ARFaceAnchor.BlendShapeLocation, by group: left eye, right eye, jaw and mouth,
# brows, cheeks, nose, tongue).
ARKIT_NAMES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

ARKIT_INDEX: dict[str, int] = {name: index for index, name in enumerate(ARKIT_NAMES)}


def _mirrored(name: str) -> str:
    if name.endswith("Left"):
        return name[:-4] + "Right"
    if name.endswith("Right"):
        return name[:-5] + "Left"
    return name


# MIRROR[i] is the index of the shape that i becomes in a mirrored image; an involution.
MIRROR: tuple[int, ...] = tuple(ARKIT_INDEX[_mirrored(name)] for name in ARKIT_NAMES)

REGIONS: tuple[str, ...] = ("eyes", "brows", "mouth", "jaw", "cheeks")

# The smoothing and confidence group of each shape. Noses wrinkle with the cheeks.
_GROUP_PREFIXES = (
    ("eyeLook", "gaze"), ("eye", "lids"), ("brow", "brows"), ("jaw", "jaw"), ("mouth", "mouth"),
    ("tongue", "mouth"), ("cheek", "cheeks"), ("nose", "cheeks"),
)  # fmt: skip


def _group(name: str) -> str:
    return next(group for prefix, group in _GROUP_PREFIXES if name.startswith(prefix))


GROUP_OF: tuple[str, ...] = tuple(_group(name) for name in ARKIT_NAMES)
"""Per shape one of lids, gaze, brows, jaw, mouth, cheeks."""


def from_mediapipe(scores: dict[str, float]) -> list[float]:
    """ARKit-ordered coefficients from MediaPipe's `category_name -> score`, which has ARKit's names but for
    `tongueOut` and begins with `_neutral`; what it lacks is 0."""
    return [float(scores.get(name, 0.0)) for name in ARKIT_NAMES]


def _ict(name: str) -> str:
    for long, short in (("Left", "_L"), ("Right", "_R")):
        if name.endswith(long) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return name[: -len(long)] + short
    return name


# ARKit's shapes as ICT-FaceKit's, whose `_L` is the subject's left too: it splits two of them by side, and has no
# tongue that could be put out. Its `cheekRaiser` and `PupilDilate` have no like in ARKit.
ICT_NAMES: dict[str, tuple[str, ...]] = {
    name: {
        "browInnerUp": ("browInnerUp_L", "browInnerUp_R"),
        "cheekPuff": ("cheekPuff_L", "cheekPuff_R"),
        "tongueOut": (),
    }.get(name, (_ict(name),))
    for name in ARKIT_NAMES
}

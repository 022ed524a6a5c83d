"""What a refining step minimises: three small energies of how a face is posed and what it does.

The parameters are, in this order, those of `kernels.linearize`: a rotation vector in the crop's axes (radians), the
place in the crop (px), the log of the scale, and the coefficients of `SHAPES`. A term says what its residuals are
measured in and how much they weigh; it knows neither the other terms nor who solves for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.face.expression import ARKIT_INDEX
from tracker.kernels.linearize import POSE

SHAPES: tuple[int, ...] = tuple(ARKIT_INDEX[name] for name in (
    "jawOpen", "jawLeft", "jawRight", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFunnel", "mouthLeft",
    "mouthRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight", "browInnerUp",
    "browDownLeft", "browDownRight", "eyeBlinkLeft", "eyeBlinkRight",
))  # fmt: skip
"""Those that move the most skin; the others keep what the network says."""
PARAMETERS = POSE + len(SHAPES)


@dataclass(frozen=True, slots=True)
class PhotometricTerm:
    """The brightness that each vertex should have against the crop's at its place."""

    weight: float = 2.0
    spread: float = 0.06
    """Of a brightness that is explained, in shares of white."""


@dataclass(frozen=True, slots=True)
class LandmarkTerm:
    """The network's guides against the vertices they are, each by its own standard deviation."""

    weight: float = 0.3
    """A guide's coordinates err together with its neighbours', so each counts less than one."""
    least_std_px: float = 0.15


@dataclass(frozen=True, slots=True)
class PriorTerm:
    """The network's own estimate: what pixels do not say stays as it is."""

    rotation_rad: float = 0.02
    place_px: float = 0.4
    log_scale: float = 0.01
    share: float = 0.5
    """Of the network's standard deviation of a coefficient, since most of that is bias the pixels do not show."""
    least_std: float = 0.01
    """Of a coefficient."""

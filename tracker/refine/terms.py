"""What a refining step minimises: three small energies of how a face is posed and what it does.

Each term, given how every vertex moves with the parameters, returns rows: residuals, their Jacobian and weights. The
parameters are, in this order, a rotation vector in the crop's axes (radians), the place in the crop (px), the log of
the scale, and the coefficients of `SHAPES`. A term knows neither the other terms nor who solves for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.face.expression import ARKIT_INDEX

SHAPES: tuple[int, ...] = tuple(ARKIT_INDEX[name] for name in (
    "jawOpen", "jawLeft", "jawRight", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFunnel", "mouthLeft",
    "mouthRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight", "browInnerUp",
    "browDownLeft", "browDownRight", "eyeBlinkLeft", "eyeBlinkRight",
))  # fmt: skip
POSE = 6
PARAMETERS = POSE + len(SHAPES)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A term's share of the problem."""

    residual: np.ndarray
    """float32 [R], in units of its own spread."""
    jacobian: np.ndarray
    """float32 [R, P]."""
    weight: np.ndarray
    """float32 [R], at least 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the terms are shown: the mesh in the crop, and the crop."""

    vertices_px: np.ndarray
    """float32 [V, 3]."""
    motion: np.ndarray
    """float32 [V, 2, P]: how a vertex moves in the crop with each parameter."""
    colours: np.ndarray
    """float32 [V, 3]: what it should look like, in shares of white."""
    counts: np.ndarray
    """float32 [V]: how clearly it is seen, 0 where it is hidden."""
    target: np.ndarray
    """uint8 [S, S, 3]."""
    guides_px: np.ndarray
    """float32 [G, 2]: where the network points at landmarks."""
    guides_std_px: np.ndarray
    """float32 [G]."""


@dataclass(frozen=True, slots=True)
class PhotometricTerm:
    """The brightness that each vertex should have against the crop's at its place."""

    weight: float = 2.0
    spread: float = 0.06
    """Of a brightness that is explained, in shares of white."""

    def __call__(self, look: Look) -> Rows:
        """One row a vertex; derivatives come from the crop's own slope."""
        luma = look.target.reshape(-1, 3) @ (_LUMA / np.float32(255))
        side = look.target.shape[0]
        at = np.clip(look.vertices_px[:, :2] - np.float32(0.5), 0, side - np.float32(1.001))
        corner = at.astype(np.intp)
        share = at - corner.astype(np.float32)
        first = corner[:, 1] * side + corner[:, 0]
        # Bilinear in the four pixels around: the slopes are those of what is read.
        a, b, c, d = (luma[first + step] for step in (0, 1, side, side + 1))
        across = (b - a) + share[:, 1] * ((d - c) - (b - a))
        down = (c - a) + share[:, 0] * ((d - b) - (c - a))
        seen = a + share[:, 0] * (b - a) + share[:, 1] * down
        unit = np.float32(1 / self.spread)
        jacobian = (across * unit)[:, None] * look.motion[:, 0]
        jacobian += (down * unit)[:, None] * look.motion[:, 1]
        residual = (seen - look.colours @ _LUMA) * unit
        return Rows(residual, jacobian, look.counts * np.float32(self.weight))


@dataclass(frozen=True, slots=True)
class LandmarkTerm:
    """The network's guides against the vertices they are: two rows each."""

    at: np.ndarray
    """int [G]: the vertices."""
    weight: float = 0.3
    least_std_px: float = 0.15

    def __call__(self, look: Look) -> Rows:
        """Each by its own standard deviation."""
        spread = np.maximum(look.guides_std_px, self.least_std_px)[:, None]
        residual = (look.vertices_px[self.at, :2] - look.guides_px) / spread
        jacobian = look.motion[self.at] / spread[:, :, None]
        weight = np.full(residual.size, self.weight, np.float32)
        return Rows(residual.reshape(-1), jacobian.reshape(len(weight), -1), weight)


@dataclass(frozen=True, slots=True)
class PriorTerm:
    """The network's own estimate, by its own standard deviations: what pixels do not say stays as it is."""

    rotation_rad: float = 0.02
    place_px: float = 0.4
    log_scale: float = 0.01
    share: float = 0.5
    """Of the network's standard deviation of a coefficient, since most of that is bias the pixels do not show."""

    def stiffness(self, expression_std: np.ndarray) -> np.ndarray:
        """float32 [P]: one over the variances, from those of the coefficients float32 [52]."""
        std = np.empty(PARAMETERS, np.float32)
        std[:3], std[3:5], std[5] = self.rotation_rad, self.place_px, self.log_scale
        std[POSE:] = self.share * np.maximum(expression_std[list(SHAPES)], 0.01)
        return 1 / std**2

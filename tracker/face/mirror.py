"""A face as a mirror would show it.

Given an estimate and the width of its image it returns the estimate of the flipped image: left and right trade places
and x changes sign. Applied twice it gives back what it was given. It does not flip pictures, and it does not mark
anything as mirrored: whoever publishes does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tracker.face.expression import MIRROR
from tracker.face.parameters import Face

_ACROSS = np.array([-1, 1, 1], np.float32)
# S R S with S = diag(-1, 1, 1) changes the sign of exactly these entries: yaw and roll turn round, pitch stays.
_TURN = np.outer(_ACROSS, _ACROSS)
_SHAPES = np.array(MIRROR)
# Of the nine harmonics 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2, those odd in x change sign.
_LIGHT = np.array([1, 1, 1, -1, -1, 1, 1, -1, 1], np.float32)[:, None]


def identity_sign(identity_mm: np.ndarray, mirror_index: np.ndarray) -> np.ndarray:
    """Per component of an identity basis [I, V, 3] what its coefficient is multiplied by in a mirror: float32 [I].

    A basis learned from faces and their mirror images has symmetric components (+1) and lopsided ones (-1).
    """
    flipped = identity_mm[:, mirror_index] * _ACROSS
    alike = np.einsum("ivk,ivk->i", identity_mm, flipped)
    return np.where(alike < 0, -1, 1).astype(np.float32)


def mirrored_vertices(vertices: np.ndarray, mirror_index: np.ndarray) -> np.ndarray:
    """Vertices [V, 3] about x = 0, in head or camera space, each in the place of its partner on the other side."""
    flipped: np.ndarray = vertices[mirror_index] * _ACROSS
    return flipped


def mirrored(face: Face, width_px: float, mirror_index: np.ndarray, identity_sign: np.ndarray | None = None) -> Face:
    """The estimate for the image flipped left to right, whose width is `width_px`.

    `mirror_index` [478] is the face model's; without `identity_sign` [I] the identity is left as it is, which is right
    for symmetric faces only. The camera's principal point moves from `cx` to `width_px - cx`: the caller does that.
    """
    landmarks = mirrored_vertices(face.landmarks_px, mirror_index)
    landmarks[:, 0] += width_px
    return replace(
        face,
        landmarks_px=landmarks,
        blendshapes=face.blendshapes[_SHAPES],
        blendshapes_raw=face.blendshapes_raw[_SHAPES],
        rotation=face.rotation * _TURN,
        rotation_raw=face.rotation_raw * _TURN,
        translation_mm=face.translation_mm * _ACROSS,
        translation_raw_mm=face.translation_raw_mm * _ACROSS,
        identity=face.identity if identity_sign is None else face.identity * identity_sign,
        gaze=face.gaze[::-1] * _ACROSS,
        lighting=face.lighting * _LIGHT,
        deviation=replace(face.deviation, expression=face.deviation.expression[_SHAPES]),
    )

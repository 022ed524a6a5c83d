"""Triangles, texture coordinates and mean colour for a learned face model.

Given the learned displacements it unwraps the mean with eyes and mouth held open on a cylinder, triangulates there,
and takes each vertex's mean colour from labelled patches. The openings of eyes and mouth stay open.
"""

from __future__ import annotations

import numpy as np

from tracker.distill.morphable import Learned
from tracker.face import topology
from tracker.face.expression import ARKIT_INDEX

OPENED = {"jawOpen": 0.7, "eyeBlinkLeft": -0.3, "eyeBlinkRight": -0.3}


def unwrap(learned: Learned) -> np.ndarray:
    """float64 [V, 2] in 0..1: angle around a vertical axis behind the face, and height."""
    opened = learned.mean_mm + sum(amount * learned.expression_mm[ARKIT_INDEX[name]] for name, amount in OPENED.items())
    behind_mm = float(opened[:, 2].max()) + 20.0
    u = np.arctan2(opened[:, 0], behind_mm - opened[:, 2])
    v = opened[:, 1] / behind_mm
    flat = np.stack([u, v], 1)
    low, high = flat.min(0), flat.max(0)
    side = (high - low).max() * 1.02
    return (flat - (low + high) / 2) / side + 0.5


def triangulate(uv: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """int32 [T, 3]: Delaunay in texture space without the openings, symmetric, plus four triangles an iris."""
    from scipy.spatial import Delaunay

    skin = uv[:468]
    faces = Delaunay(skin).simplices
    middle = skin[:, 0].mean()
    centre = skin[faces].mean(1)[:, 0]
    # Delaunay breaks ties at random: keep the left half and mirror it, then the triangles on the midline as they are.
    partner = mirror[faces]
    crosses = [len({tuple(sorted(f)), tuple(sorted(p))}) == 1 for f, p in zip(faces, partner, strict=True)]
    left = faces[(centre > middle + 1e-6) & ~np.array(crosses)]
    both = np.concatenate([left, mirror[left], faces[np.array(crosses)]])
    rings = [set(topology.RIGHT_EYE_RING), set(topology.LEFT_EYE_RING), set(topology.INNER_LIPS_RING)]
    keep = [f for f in both.tolist() if not any(set(f) <= ring for ring in rings)]
    oval = _boundary_slivers(uv, keep)
    keep = [f for f, sliver in zip(keep, oval, strict=True) if not sliver]
    for iris in (topology.RIGHT_IRIS, topology.LEFT_IRIS):
        centre_index, ring = iris[0], iris[1:]
        keep += [[centre_index, ring[k], ring[(k + 1) % 4]] for k in range(4)]
    return np.array([_oriented(uv, f) for f in keep], np.int32)


def _boundary_slivers(uv: np.ndarray, faces: list[list[int]]) -> list[bool]:
    """Triangles with no height to speak of, which Delaunay puts along the hull."""
    flat = []
    for face in faces:
        a, b, c = uv[face]
        area = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
        longest = max(np.linalg.norm(a - b), np.linalg.norm(b - c), np.linalg.norm(c - a))
        flat.append(bool(area < 0.06 * longest**2 and longest > 0.06))
    return flat


def _oriented(uv: np.ndarray, face: list[int]) -> list[int]:
    """Counter-clockwise seen from outside with y up; texture space has v down, so the sign turns."""
    a, b, c = uv[face]
    signed = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return face if signed < 0 else [face[0], face[2], face[1]]


def vertex_colour(patches: np.ndarray, landmarks: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """float64 [V, 3]: median RGB at each vertex over the chosen patches, each brought to the same mean brightness."""
    columns = []
    for index in chosen:
        at = np.clip(np.rint(landmarks[index, :, :2]).astype(int), 0, patches.shape[1] - 1)
        colour = patches[index][at[:, 1], at[:, 0]].astype(np.float64)
        columns.append(colour * (140.0 / max(colour.mean(), 20.0)))
    return np.clip(np.median(columns, axis=0), 0, 255)

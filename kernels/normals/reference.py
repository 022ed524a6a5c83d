"""`normals` in plain float64: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np


def normals(vertices: np.ndarray, triangles: np.ndarray, out: np.ndarray) -> int:
    """Fill `out` [B, V, 3]; returns how many triangles were left out."""
    good = ((triangles >= 0) & (triangles < vertices.shape[1])).all(1)
    for one, mesh in enumerate(vertices):
        out[one] = normals_of(mesh, triangles[good])
    return int((~good).sum())


def normals_of(mesh: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals float64 [V, 3] of one mesh [V, 3]."""
    mesh = mesh.astype(np.float64)
    a, b, c = (mesh[triangles[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(mesh)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: np.ndarray = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    return unit

"""The face model that a cache's networks are trained through: the one learned into it, or else the shipped one.

Given a cache it loads the model, and says by which of a model's arrays a network is bound to it. A model that was
learned anew stays in the cache until `export` puts it beside networks trained through it, so that the shipped pair
always fits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tracker.face.model import FaceModel

FILE = "face_model.npz"
GEOMETRY = ("mean_mm", "identity_mm", "expression_mm", "triangles", "uv", "mirror_index")
"""What a network is trained through."""


def current_model(cache: Path) -> FaceModel:
    """Raises AssetError for a file in the cache that is no face model."""
    path = cache / FILE
    return FaceModel.load(path if path.is_file() else None)


def geometry_of(model: FaceModel) -> str:
    """A digest of all but the colours: what was trained through one model fits every other of the same digest."""
    digest = hashlib.sha256()
    for name in GEOMETRY:
        digest.update(getattr(model, name).tobytes())
    return digest.hexdigest()[:16]

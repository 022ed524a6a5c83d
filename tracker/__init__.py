"""Facewire: live video to 3D face parameters, published frame by frame on a ZeroMQ socket.

Names are loaded when they are first used, so that `from tracker.clients import subscribe` loads no decoder, compiler
or inference runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.api import Tracker, Trackers
    from tracker.errors import FacewireError
    from tracker.face.expression import ARKIT_NAMES, REGIONS
    from tracker.face.model import FaceModel
    from tracker.face.parameters import Face, TrackState
    from tracker.render import Renderer

__version__ = "0.1.0"
__all__ = [
    "ARKIT_NAMES",
    "REGIONS",
    "Face",
    "FaceModel",
    "FacewireError",
    "Renderer",
    "TrackState",
    "Tracker",
    "Trackers",
    "__version__",
]

_HOMES = {
    "Tracker": "tracker.api",
    "Trackers": "tracker.api",
    "Renderer": "tracker.render",
    "Face": "tracker.face.parameters",
    "TrackState": "tracker.face.parameters",
    "FaceModel": "tracker.face.model",
    "ARKIT_NAMES": "tracker.face.expression",
    "REGIONS": "tracker.face.expression",
    "FacewireError": "tracker.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tracker' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

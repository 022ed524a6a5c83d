"""Where known faces are worked on: what a device does in place of the stages, and which one a name stands for.

Given a name it returns what a pipeline takes as its `device`; a device's libraries are loaded only when one is asked
for. It does not know how the work is done; see `tracker.device`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tracker.detect.finder import Track
from tracker.errors import SettingsError
from tracker.face.camera import Camera
from tracker.face.parameters import Face
from tracker.refine.fit import Fit
from tracker.source.frame import Frame

DEVICES = ("cpu", "cuda")


class FaceWork(Protocol):
    """What a device does for a stream's known faces, from the square to the estimate; see `tracker.device.faces`."""

    def __call__(self, frame: Frame, tracks: Sequence[Track], camera: Camera, least_presence: float) -> dict[int, Fit]:
        """The fits of those that reach the presence."""

    def ask(self, frame: Frame, tracks: Sequence[Track], camera: Camera, least_presence: float) -> Any:
        """The same as a question that `SharedFaceWork.look` answers together with those of other streams."""

    def face_of(self, track: Track) -> Face:
        """The estimate of a track that has a fit in this frame."""

    def coast(self, track: Track, camera: Camera, now_seconds: float) -> Face:
        """What is likely of a track that is not seen now; its `confidence` is 0."""

    def drop(self, track_id: int) -> None:
        """Forget a track."""

    def reset(self) -> None:
        """Forget every face."""


class SharedFaceWork(Protocol):
    """A device for the pipelines of several streams, each of which takes it as its `device`."""

    def __call__(self, slots: int, **parts: Any) -> FaceWork:
        """The next stream's, of so many faces at most."""

    def look(self, asked: Sequence[tuple[Any, Any]]) -> list[dict[int, Fit]]:
        """The fits of each stream, from its `FaceWork` and what that asks."""


def device_named(name: str, faces: int) -> SharedFaceWork | None:
    """What works on at most so many faces, of all streams, on `cuda`; None for `cpu`, where the stages do. Raises
    BackendUnavailable, with what is missing, and SettingsError for another name or too many faces."""
    if name == "cpu":
        return None
    if name != "cuda":
        raise SettingsError(f"device {name!r}; valid: {', '.join(DEVICES)}")
    from tracker.device.readiness import cuda_device

    place = cuda_device()
    from tracker.device.faces import SharedDevice

    return SharedDevice(place, faces)

"""The Python API: give it pictures, get faces.

`Tracker` wraps the pipeline for pictures you already hold, RGB arrays or PyAV frames; `Trackers` does for several
streams at once. They open no video and no socket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, SupportsIndex

import av
import numpy as np

from tracker.calibrate import CalibrateSettings
from tracker.errors import SettingsError
from tracker.face.camera import DEFAULT_VERTICAL_FOV_DEG
from tracker.face.parameters import Face
from tracker.face_work import device_named
from tracker.pipeline import build_pipeline
from tracker.source import Frame, frame_from_av, frame_from_image
from tracker.streams import Streams

Picture = np.ndarray | av.VideoFrame
"""uint8 RGB [H, W, 3], or an `av.VideoFrame` of any format."""
Device = Literal["cpu", "cuda"]


class Tracker:
    """Tracks faces through pictures handed to it one by one.

    >>> tracker = Tracker(max_faces=2)
    >>> faces = tracker.track(rgb, pts_seconds=0.033)  # a frame of a stream
    >>> faces = tracker.track(rgb)  # an image of its own
    """

    def __init__(
        self, max_faces: int = 1, smooth: bool = True, *, vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG,
        profile: str | Path | None = None, device: Device = "cpu",
    ) -> None:  # fmt: skip
        """`profile`: a calibration profile, or a folder of them (see `facewire calibrate`). `device`: where faces are
        worked on; "cuda" is an NVIDIA GPU, and needs pip install 'facewire[gpu]'.

        Raises SettingsError for values out of range, AssetError when the models are damaged, ProfileError for a
        profile that cannot be used, BackendUnavailable where the device or what it needs is missing.
        """
        work = device_named(device, max_faces)
        self._pipeline = build_pipeline(max_faces, smooth, vertical_fov_deg, _calibrate(profile), work)

    def track(self, image: Picture, pts_seconds: float | None = None) -> list[Face]:
        """Faces in `image`: uint8 RGB [H, W, 3], or an `av.VideoFrame` of any format.

        With `pts_seconds` the images are a stream: tracks keep their ids, estimates are smoothed over time. Without,
        every call is an image of its own: no smoothing, state `tracking`, `track_id` 0 and up from the largest face.
        Raises SettingsError for anything else.
        """
        return list(self._pipeline.track(_frame(image, pts_seconds)))

    def reset(self) -> None:
        """Forget every face; ids start again at 0."""
        self._pipeline.reset()


class Trackers:
    """Tracks faces in several streams at once. Each is tracked as a `Tracker` of its own would: sizes, pixel formats,
    rates, clocks and track ids are its own. On a GPU the faces of all pictures handed over together are one batch; on
    the processor one stream comes after the other, and several `Tracker`s do as well.

    >>> trackers = Trackers(streams=3, device="cuda")
    >>> faces = trackers.track({0: (front, 0.033), 2: (side, 0.040)})  # those that are due, with their times
    >>> faces[0], faces[2]
    """

    def __init__(
        self, streams: int, max_faces: int = 1, smooth: bool = True, *,
        vertical_fov_deg: float | Sequence[float] = DEFAULT_VERTICAL_FOV_DEG, profile: str | Path | None = None,
        device: Device = "cpu",
    ) -> None:  # fmt: skip
        """`streams`: how many, numbered from 0; `max_faces` is of each, at most 64 of all on a GPU. `vertical_fov_deg`:
        of every camera, or one for each. The rest, and what is raised, as for `Tracker`.
        """
        if not isinstance(streams, SupportsIndex) or streams < 1:
            raise SettingsError(f"streams {streams!r}; give 1 or more")
        fovs = list(vertical_fov_deg) if isinstance(vertical_fov_deg, Sequence) else [vertical_fov_deg] * streams
        if len(fovs) != streams:
            raise SettingsError(f"vertical_fov_deg of {len(fovs)} cameras for {streams} streams; give one each, or one")
        work, calibrate = device_named(device, streams * max_faces), _calibrate(profile)
        self._streams = Streams([build_pipeline(max_faces, smooth, fov, calibrate, work) for fov in fovs], work)

    def track(self, due: Mapping[int, tuple[Picture, float | None]]) -> dict[int, list[Face]]:
        """By stream: the faces in its picture, from picture and `pts_seconds` as `Tracker.track` takes them.

        Hand over what has come since the last call; a stream without a picture is left out, and waits as it is. Raises
        SettingsError for anything else, before any stream has moved on.
        """
        frames = {stream: _frame(*_pair(stream, picture)) for stream, picture in due.items()}
        return {stream: list(faces) for stream, faces in self._streams.track(frames).items()}

    def reset(self, stream: int) -> None:
        """Forget the faces of one stream, as where another begins in its place; ids start again at 0."""
        self._streams.pipeline_of(stream).reset()


def _calibrate(profile: str | Path | None) -> CalibrateSettings:
    return CalibrateSettings(None if profile is None else Path(profile))


def _pair(stream: int, given: tuple[Picture, float | None]) -> tuple[Picture, float | None]:
    if not isinstance(given, tuple) or len(given) != 2:
        raise SettingsError(f"stream {stream!r} comes with {type(given).__name__}; give a tuple (picture, pts_seconds)")
    return given


def _frame(image: Picture, pts_seconds: float | None) -> Frame:
    if isinstance(image, av.VideoFrame):
        return frame_from_av(image, pts_seconds)
    return frame_from_image(image, pts_seconds)

"""The Python API: give it pictures, get faces.

`Tracker` wraps the pipeline for pictures you already hold, RGB arrays or PyAV frames. It opens no video and no socket.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from tracker.calibrate import CalibrateSettings
from tracker.face.camera import DEFAULT_VERTICAL_FOV_DEG
from tracker.face.parameters import Face
from tracker.pipeline import build_pipeline
from tracker.source import frame_from_av, frame_from_image


class Tracker:
    """Tracks faces through pictures handed to it one by one.

    >>> tracker = Tracker(max_faces=2)
    >>> faces = tracker.track(rgb, pts_seconds=0.033)  # a frame of a stream
    >>> faces = tracker.track(rgb)  # an image of its own
    """

    def __init__(
        self, max_faces: int = 1, smooth: bool = True, *, vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG,
        profile: str | Path | None = None,
    ) -> None:  # fmt: skip
        """`profile`: a calibration profile, or a folder of them (see `facewire calibrate`).

        Raises SettingsError for values out of range, AssetError when the models are damaged, ProfileError for a
        profile that cannot be used.
        """
        calibrate = CalibrateSettings(None if profile is None else Path(profile))
        self._pipeline = build_pipeline(max_faces, smooth, vertical_fov_deg, calibrate)

    def track(self, image: np.ndarray | av.VideoFrame, pts_seconds: float | None = None) -> list[Face]:
        """Faces in `image`: uint8 RGB [H, W, 3], or an `av.VideoFrame` of any format.

        With `pts_seconds` the images are a stream: tracks keep their ids, estimates are smoothed over time. Without,
        every call is an image of its own: no smoothing, state `tracking`, `track_id` 0 and up from the largest face.
        Raises SettingsError for anything else.
        """
        if isinstance(image, av.VideoFrame):
            return list(self._pipeline.track(frame_from_av(image, pts_seconds)))
        return list(self._pipeline.track(frame_from_image(image, pts_seconds)))

    def reset(self) -> None:
        """Forget every face; ids start again at 0."""
        self._pipeline.reset()

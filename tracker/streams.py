"""Several streams at once: each has a pipeline of its own, and on a device the faces of all of them are one batch.

Given the frames that are due together, one a stream, it has each stream find its faces, has those that are known looked
at in one go, and lets each stream finish. Streams share nothing else: sizes, rates, pixel formats, cameras, track ids
and clocks are each stream's own, and its faces are those that its pipeline would find alone. Without a device there is
nothing to share, and one stream is worked on after the other. It opens no video and publishes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import SupportsIndex

from tracker.detect.finder import Track
from tracker.errors import SettingsError
from tracker.face.parameters import Face
from tracker.face_work import SharedFaceWork
from tracker.pipeline import Pipeline
from tracker.refine.fit import Fit
from tracker.source.frame import Frame

Begun = tuple[Pipeline, Frame, list[Track]]


class Streams:
    """Frames in, each stream's faces out."""

    def __init__(self, pipelines: Sequence[Pipeline], device: SharedFaceWork | None = None) -> None:
        """One pipeline a stream; `device` is what all of them were given as theirs."""
        self.pipelines, self._device = tuple(pipelines), device

    def track(self, frames: Mapping[int, Frame]) -> dict[int, tuple[Face, ...]]:
        """The faces of each frame, by the number of its stream. Raises SettingsError, before anything is looked at,
        where there is no such stream."""
        due = [(self.pipeline_of(stream), frame) for stream, frame in frames.items()]
        begun = [(pipeline, frame, pipeline.begin(frame)) for pipeline, frame in due]
        found = zip(frames, begun, self._look(begun), strict=True)
        return {stream: pipeline.finish(frame, tracks, fits) for stream, (pipeline, frame, tracks), fits in found}

    def pipeline_of(self, stream: int) -> Pipeline:
        """Raises SettingsError where there is none."""
        if not isinstance(stream, SupportsIndex) or stream not in range(len(self.pipelines)):
            raise SettingsError(f"stream {stream!r}; there are 0 to {len(self.pipelines) - 1}")
        return self.pipelines[stream]

    def _look(self, begun: Sequence[Begun]) -> list[dict[int, Fit]]:
        """The fits of the faces that each stream knows."""
        if self._device is None:
            return [pipeline.look(frame, tracks) for pipeline, frame, tracks in begun]
        return self._device.look([(pipeline.device, pipeline.ask(frame, tracks)) for pipeline, frame, tracks in begun])

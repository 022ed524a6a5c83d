"""The bundled clip's frames, and a look at it: a frame with a face that is followed, and the square that is looked at.

Given a pipeline it tracks until there is one. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Literal

from tracker.detect.finder import Track
from tracker.detect.roi import Roi
from tracker.errors import SourceError
from tracker.face.camera import Camera
from tracker.pipeline import Pipeline, build_pipeline
from tracker.source import SourceSettings, open_source
from tracker.source.frame import Frame

CLIP = str(files("tracker.assets").joinpath("demo.mp4"))
Decode = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Look:
    """One, just tracked: what the stages saw is still in the pipeline's buffers."""

    pipeline: Pipeline
    frame: Frame
    track: Track
    roi: Roi
    """That was looked at; the track's own is already the next frame's."""

    @property
    def camera(self) -> Camera:
        """Of the clip."""
        return self.pipeline.camera_for(self.frame)


def frames(most: int, decode: Decode = "cpu", clip: str | Path = CLIP) -> Iterator[Frame]:
    """Of the clip's beginning, one at a time: a hardware decoder has few pictures to give."""
    with open_source(str(clip), SourceSettings(decode=decode)) as source:
        yield from islice(source, most)


def look(pipeline: Pipeline | None = None, after: int = 0) -> Look:
    """The first at a face that is followed, `after` so many frames. Raises SourceError where there is none."""
    pipeline = pipeline or build_pipeline()
    with open_source(CLIP) as source:
        for frame in source:
            squares = [(track, track.roi) for track in pipeline.finder.tracks]
            if pipeline.track(frame) and squares and frame.index >= after:
                return Look(pipeline, frame, *squares[0])
    raise SourceError(f"the bundled clip shows no face after {after} frames; reinstall facewire")

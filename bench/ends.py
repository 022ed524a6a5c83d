"""From a decoded picture to the message in another process: the pipeline, a publisher and a real subscriber.

Given a clip and where faces are worked on it tracks every frame, publishes it, and takes the time from when the decoder
gave the picture to when the subscriber had the message, both on the machine's one monotonic clock. It knows nothing of
kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.bench.receiver import Receiver
from tracker.errors import SourceError
from tracker.pipeline import Pipeline, header_of
from tracker.publish import Publisher
from tracker.source import SourceSettings, open_source
from tracker.source.hardware import picture_on_device

_WARM_UP = 15


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """One run over a clip."""

    clip: str
    width_px: int
    height_px: int
    frames: int
    decoded_on_device: bool
    """Whether NVDEC decoded it, so that no picture crossed."""
    received: Spread
    """From the decoder to the subscriber."""
    with_faces: float
    """Share of the frames."""
    lost: int
    """Messages that never came."""


def end_to_end(
    clip: str | Path, device: Callable[..., Any] | None, decode: Any, most: int, realtime: bool = True
) -> EndToEnd:
    """Track at most `most` frames, at the clip's own pace. Raises SourceError where there are too few."""
    pipeline, decoded, found, count = Pipeline(device=device), list[tuple[int, int]](), 0, 0
    publisher = Publisher("tcp://127.0.0.1:*", "bench", pipeline.model.hash, pipeline.model.version)
    settings = SourceSettings(realtime=realtime, decode=decode)
    try:
        with open_source(str(clip), settings) as source, Receiver(publisher.endpoint) as receiver:
            frames = iter(source)
            first = next(frames)
            header = header_of(first, pipeline.camera_for(first), "bench")
            receiver.wait_until_ready(lambda number: publisher.publish(replace(header, pts=number), ()))
            for number, frame in enumerate(islice(frames, most)):
                faces = pipeline.track(frame)
                header = header_of(frame, pipeline.camera_for(frame), "bench")
                publisher.publish(replace(header, pts=number), faces)
                decoded.append((number, frame.decoded_ns))
                found += any(face.confidence > 0 for face in faces)
                count += 1
            came = receiver.finish(lambda number: publisher.publish(replace(header, pts=number), ()))
            size, on_device = (first.width_px, first.height_px), picture_on_device(first) is not None
    finally:
        publisher.close()
    ends = {int(number): int(received) for number, _, received in came}
    spans = [ends[number] - begun for number, begun in decoded if number in ends and number >= _WARM_UP]
    if not spans:
        raise SourceError(f"{clip} holds {count} frames; give a clip of more than {_WARM_UP}")
    lost = sum(number not in ends for number, _ in decoded)
    return EndToEnd(Path(clip).name, *size, count, on_device, spread(np.array(spans)), found / count, lost)

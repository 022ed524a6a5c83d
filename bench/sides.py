"""The two sides of the latency bench: each takes one decoded frame after another and stamps its own steps.

Given `av.VideoFrame`s it runs our pipeline, encoder and publisher, or the peer's conversion and call, and sums up the
durations. It does not know how the two are interleaved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.bench.peers import Landmarker, contiguous_rgb
from tracker.bench.receiver import WARM, Receiver
from tracker.clock import monotonic_ns
from tracker.errors import PublishError


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side of one pass."""

    stages: dict[str, Spread]
    """Stage -> its durations, in the order of the loop; `wrap` is the frame's planes as arrays, `publish` encode and
    send."""
    published: Spread
    """Decoded frame to published message: encoded and handed to the socket."""
    received: Spread
    """The message's stamp of publishing to its receipt in the other process: encode, send, wake up; of those that
    came."""
    lost: int
    """Messages that never came."""
    found_share: float
    """Frames with a face."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The peer's side of one pass."""

    conversion: Spread
    """YUV to contiguous RGB."""
    detect: Spread
    """The detect call with blendshapes and matrices."""
    total: Spread
    """Both together, frame by frame."""
    found_share: float
    """Frames with a face."""


class OurSide:
    """Track, encode and publish one frame after another, with a stamp after every step."""

    def __init__(self, cores: tuple[int, ...] = (), pipeline: Any = None) -> None:
        from tracker.publish import Publisher

        if pipeline is None:
            from tracker.pipeline import build_pipeline

            pipeline = build_pipeline(max_faces=1)
        self._pipeline = pipeline
        model = pipeline.model
        self._publisher = Publisher("tcp://127.0.0.1:*", "bench", model.hash, model.version)
        self._receiver = Receiver(self._publisher.endpoint, cores)
        self._frame: Any = None
        self.stages: dict[str, list[int]] = {}
        self.published: list[tuple[int, int]] = []  # decoded, published
        self.found = 0

    def start(self, frame: Any) -> None:
        """Wait for the subscriber; heartbeats carry this frame's header."""
        from tracker.source import frame_from_av

        self._frame = frame_from_av(frame, 0.0)
        self._receiver.wait_until_ready(lambda number: self._publish(self._frame, number, ()))

    def _publish(self, frame: Any, number: int, faces: Any) -> None:
        from tracker.pipeline import header_of

        header = header_of(frame, self._pipeline.camera_for(frame), "bench")
        self._publisher.publish(replace(header, pts=number), faces)

    def step(self, picture: Any, number: int, pts_seconds: float, timed: bool) -> None:
        """One frame from decoded to published."""
        from tracker.source import frame_from_av

        decoded = monotonic_ns()
        frame = frame_from_av(picture, pts_seconds)
        wrapped = monotonic_ns()
        faces = self._pipeline.track(frame)
        tracked = monotonic_ns()
        self._publish(frame, number if timed else WARM, faces)
        published = monotonic_ns()  # not the message's own stamp, which is set before it is encoded
        if not timed:
            return
        steps = {"wrap": wrapped - decoded, **self._pipeline.stage_ns, "publish": published - tracked}
        for name, duration in steps.items():
            self.stages.setdefault(name, []).append(duration)
        self.published.append((decoded, published))
        self.found += any(face.confidence > 0 for face in faces)  # one that is held, or lost, was not seen

    def finish(self) -> Ours:
        """Stop the subscriber and sum up."""
        arrived = self._receiver.finish(lambda number: self._publish(self._frame, number, ()))
        stamps = np.array(self.published, np.int64).reshape(-1, 2)
        received = arrived[:, 2] - arrived[:, 1]
        if not len(received):
            raise PublishError("none of the messages arrived at the bench's own subscriber; run the bench again")
        return Ours(
            {name: spread(durations) for name, durations in self.stages.items()}, spread(stamps[:, 1] - stamps[:, 0]),
            spread(received), len(stamps) - len(arrived), self.found / len(stamps),
        )  # fmt: skip

    def close(self) -> None:
        """End the subscriber's process and free the socket."""
        self._receiver.close()
        self._publisher.close()


class PeerSide:
    """The peer on one frame after another, its conversion and its call timed apart."""

    def __init__(self, teacher: Path) -> None:
        self._landmarker = Landmarker(teacher, video=True)
        self.conversion: list[int] = []
        self.detect: list[int] = []
        self.found = 0

    def step(self, picture: Any, time_ms: int, timed: bool) -> None:
        """One frame from decoded to the peer's result."""
        begin = monotonic_ns()
        rgb = contiguous_rgb(picture)
        converted = monotonic_ns()
        result = self._landmarker.detect(rgb, time_ms)
        end = monotonic_ns()
        if timed:
            self.conversion.append(converted - begin)
            self.detect.append(end - converted)
            self.found += bool(result.face_landmarks)

    def finish(self) -> Peer:
        """Free the model and sum up."""
        self._landmarker.close()
        total = np.array(self.conversion) + self.detect
        return Peer(spread(self.conversion), spread(self.detect), spread(total), self.found / len(total))

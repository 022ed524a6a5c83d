"""Several streams together on a device: each is what it is alone, and what a frame of all of them costs, host included.

Given a device it compares three streams of different rates, sizes and pixel formats with pipelines of their own; and it
tracks 1, 4 and 16 streams of one clip, every picture handed to all of them at once, and times what `Streams` takes:
squares, rows, crops, one replay, answers, states, estimates. Decoding is not in it, nor is the first look at a face.
The streams that are timed see the same picture, whose memory is therefore warmer than that of as many cameras would be.
On the processor it runs too, and its figures mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tracker.bench import looks
from tracker.bench.gates import Gate
from tracker.bench.measure import spread
from tracker.bench.replay import Timing
from tracker.clock import monotonic_ns
from tracker.device.faces import SharedDevice
from tracker.errors import SourceError
from tracker.pipeline import Pipeline
from tracker.source import Frame, frame_from_image
from tracker.source.hardware import picture_on_device
from tracker.streams import Streams

COUNTS = (1, 4, 16)
APART_SHARE = 0.005
"""Mean distance of the landmarks on the worst frame, in heights of the face: batches of several sizes round
differently."""
_WARM_UP = 15
"""Frames until every stream has its face and all code has run."""


def streams_gate(device: torch.device, frames: int) -> Gate:
    """Three streams together against pipelines of their own on the same device: states equal, landmarks near."""
    together = _streams(device, 3)
    alone, states, shares, by = [_streams(device, 1) for _ in range(3)], 0, [], "the processor"
    for due in _three(frames):
        by = "NVDEC and the processor" if picture_on_device(due[0]) is not None else by
        for stream, found in together.track(due).items():
            wanted = alone[stream].track({0: due[stream]})[0]
            states += [(face.track_id, face.state) for face in found] != [(f.track_id, f.state) for f in wanted]
            pairs = zip(found, wanted, strict=False)
            shares += [_apart(one.landmarks_px, other.landmarks_px) for one, other in pairs]
    worst = max(shares, default=np.inf)
    return Gate(
        f"three streams together are as each alone, decoded by {by}", not states and worst <= APART_SHARE,
        f"landmarks at worst {worst:.3%} of the face's height apart (of {APART_SHARE:.1%}), {states} states differ, "
        f"{len(shares)} faces",
    )  # fmt: skip


def stream_timings(device: torch.device, clip: str | Path, frames: int, decode: looks.Decode = "auto") -> list[Timing]:
    """One timing for each of `COUNTS`, over at most so many frames of the clip; those in which every stream sees its
    face count. Raises SourceError where there is none."""
    return [_timing(_streams(device, count), looks.frames(frames, decode, clip)) for count in COUNTS]


def _streams(device: torch.device, count: int) -> Streams:
    shared = SharedDevice(device, count)
    return Streams([Pipeline(device=shared) for _ in range(count)], shared)


def _timing(streams: Streams, frames: Iterator[Frame]) -> Timing:
    count, spans, where = len(streams.pipelines), list[int](), "here"
    for number, frame in enumerate(frames):
        due = dict.fromkeys(range(count), frame)
        begun = monotonic_ns()
        faces = streams.track(due)
        span = monotonic_ns() - begun
        seen = all(of and of[0].confidence > 0 for of in faces.values())
        if seen and number >= _WARM_UP:
            spans.append(span)
            where = "there" if picture_on_device(frame) is not None else "here"
    if not spans:
        raise SourceError(f"no frame after the first {_WARM_UP} shows a face; give a clip with one, or more frames")
    timed, plural = spread(spans), "s" if count > 1 else ""
    name = f"faces of {count} stream{plural}, pictures {where}, host work included"
    return Timing(name, count, timed, count * 1e9 / timed.p50_ns, "", None)


def _three(frames: int) -> Iterator[dict[int, Frame]]:
    """The bundled clip: as the device's decoder gives it where there is one, at half the rate, at half the size."""
    for number, (there, here) in enumerate(zip(looks.frames(frames, "auto"), looks.frames(frames), strict=True)):
        grey = np.ascontiguousarray(here.planes[0][::2, ::2])
        small = frame_from_image(np.repeat(grey[..., None], 3, 2), here.pts_seconds)
        yield {0: there, 2: small} if number % 2 else {0: there, 1: here, 2: small}


def _apart(wanted: np.ndarray, found: np.ndarray) -> float:
    """Mean distance in the picture, in heights of the face."""
    return float(np.linalg.norm(wanted[:, :2] - found[:, :2], axis=1).mean() / np.ptp(wanted[:, 1]))

"""`facewire bench latency CLIP`: how long from a decoded frame to its message, beside MediaPipe on the same frames.

Given a clip it decodes (and scales) frames into memory, then takes them one by one through both sides, turn about, in
one run: ours is track, encode and publish over real loopback to a subscriber in another process; the peer's is its RGB
conversion and its detect call in VIDEO mode. It knows nothing of accuracy.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tracker.bench.measure import memory_available_bytes
from tracker.bench.report import SPREAD_HEADERS, Progress, percent, quiet, spread_cells, table
from tracker.bench.sides import Ours, OurSide, Peer, PeerSide
from tracker.errors import SettingsError, SourceError

PEER = "MediaPipe"
WARM_UP = 15
PACE_HZ = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What to time."""

    clip: Path
    """A video with a face."""
    teacher: Path | None = None
    """The peer's `face_landmarker.task` file."""
    peer: Literal["mediapipe"] | None = None
    """Whom to run beside us; nobody by default."""
    scale: int = 1080
    """Height in pixels to which frames are scaled first; 0 leaves them."""
    frames: int = 300
    """Most frames to take; fewer where the clip or the memory ends."""
    one_core: bool = False
    """Run everything once more with both sides pinned to one core."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise SettingsError(f"frames {self.frames}; give 1 or more")
        if self.scale and not 64 <= self.scale <= 4320:
            raise SettingsError(f"scale {self.scale}; give 64 to 4320 rows, or 0 to leave the clip as it is")
        if self.peer and self.teacher is None:
            raise SettingsError(f"peer {self.peer} needs its model; give --teacher face_landmarker.task")


@dataclass(frozen=True, slots=True)
class Pass:
    """One run over the frames."""

    name: str
    ours: Ours
    peer: Peer | None
    ratio: float | None
    """The peer's median total by our median decoded-to-published."""


@dataclass(frozen=True, slots=True)
class Result:
    """All passes."""

    clip: str
    width_px: int
    height_px: int
    frames: int
    passes: tuple[Pass, ...]


def decode(clip: Path, height_px: int, most: int) -> list[Any]:
    """Frames as `av.VideoFrame` in yuv420p, `height_px` rows high (0: as they are), as many as half the free memory
    holds. Raises SourceError for what is no video."""
    import av

    if not Path(clip).is_file():
        raise SourceError(f"no file at {clip}; give the path of a video")
    held: list[Any] = []
    budget = memory_available_bytes() // 2
    try:
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                height = height_px or frame.height // 2 * 2
                width = round(frame.width * height / frame.height / 2) * 2
                held.append(frame.reformat(width=width, height=height, format="yuv420p"))
                budget -= width * height * 3 // 2
                if len(held) >= most or budget < 0:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise SourceError(f"{clip} is not a video that can be read ({error}); try `ffprobe {clip}`") from error
    if not held:
        raise SourceError(f"{clip} holds no frame; give a longer video")
    return held


def run_pass(
    name: str, pictures: list[Any], teacher: Path | None, *, pace_hz: float | None = None,
    cores: tuple[int, ...] = (), pipeline: Any = None, say: Progress = quiet,
) -> Pass:  # fmt: skip
    """Take all frames through our side and, with `teacher`, the peer's, alternating who goes first. The first
    `WARM_UP` frames (seen twice) are not timed. `pace_hz` sleeps between frames; `cores` are the subscriber's."""
    ours = OurSide(cores, pipeline)
    try:
        peer = None if teacher is None else PeerSide(teacher)
        ours.start(pictures[0])
        warm = [*pictures[:WARM_UP]]
        due = time.perf_counter()
        for index, picture in enumerate([*warm, *pictures]):
            timed, number = index >= len(warm), index - len(warm)
            if timed and number % 30 == 0:
                say(number, len(pictures), name)
            if pace_hz:
                due = max(due + 1 / pace_hz, time.perf_counter())
                time.sleep(max(0.0, due - time.perf_counter()))
            if peer and index % 2:
                peer.step(picture, index * 33, timed)
            ours.step(picture, number, index / 30.0, timed)
            if peer and not index % 2:
                peer.step(picture, index * 33, timed)
        our_sum = ours.finish()
        peer_sum = peer.finish() if peer else None
    finally:
        ours.close()
    ratio = peer_sum.total.p50_ns / our_sum.published.p50_ns if peer_sum else None
    return Pass(name, our_sum, peer_sum, ratio)


def _pinned_pass(settings: Settings) -> Pass:
    """In a fresh process, pinned before any library starts a thread; the subscriber runs on the other cores."""
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    pictures = decode(settings.clip, settings.scale, settings.frames)
    teacher = settings.teacher if settings.peer else None
    return run_pass("one core", pictures, teacher, cores=tuple(allowed - {core}) or (core,))


def measure(settings: Settings, progress: Progress | None = None, *, pipeline: Any = None) -> Result:
    """All passes: interleaved with the peer, ours alone at a live pace, and on one core where asked. `pipeline`
    stands in for ours where given. Raises SourceError for a bad clip, AssetError for a bad model."""
    say = progress or quiet
    if settings.one_core and not hasattr(os, "sched_setaffinity"):
        raise SettingsError("one_core needs a system that can pin a process to a core (Linux); leave the flag out")
    say(0, settings.frames, "decoding")
    pictures = decode(settings.clip, settings.scale, settings.frames)
    teacher = settings.teacher if settings.peer else None
    passes = [run_pass("interleaved" if teacher else "ours", pictures, teacher, pipeline=pipeline, say=say)]
    paced = f"ours alone at {PACE_HZ:.0f} Hz"
    passes.append(run_pass(paced, pictures, None, pace_hz=PACE_HZ, pipeline=pipeline, say=say))
    size = pictures[0].width, pictures[0].height
    count = len(pictures)
    del pictures  # the pinned pass decodes its own
    if settings.one_core:
        say(0, count, "one core")
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            passes.append(pool.submit(_pinned_pass, settings).result())
    return Result(Path(settings.clip).name, *size, count, tuple(passes))


def report(result: Result) -> str:
    """One table a pass."""
    head = f"{result.clip} at {result.width_px} x {result.height_px}, {result.frames} frames"
    return "\n\n".join([head, *map(_report_pass, result.passes)])


def _report_pass(one: Pass) -> str:
    rows: list[list[object]] = [[f"  {name}", *spread_cells(stage)] for name, stage in one.ours.stages.items()]
    rows.append(["ours: decoded to published", *spread_cells(one.ours.published)])
    rows.append(["ours: published to received", *spread_cells(one.ours.received)])
    if one.peer:
        rows.append(["  to RGB", *spread_cells(one.peer.conversion)])
        rows.append(["  detect", *spread_cells(one.peer.detect)])
        rows.append([f"{PEER}: conversion and detect", *spread_cells(one.peer.total)])
    found = f"faces found: ours {percent(one.ours.found_share, 1)}"
    if one.peer:
        found += f", {PEER} {percent(one.peer.found_share, 1)}; at the median ours is {one.ratio:.1f} times as fast"
    return f"{table(('stage', *SPREAD_HEADERS), rows, one.name)}\n{found}; messages lost: {one.ours.lost}"

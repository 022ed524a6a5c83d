"""From an address to decoded pictures, in order, with their times: the one place that demuxes and decodes.

Given an address and settings it opens a container and yields its pictures until the end, those held back by the
decoder included. What is damaged is counted and passed over. It does not pace, drop, convert or know about threads.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame

from tracker.clock import monotonic_ns
from tracker.errors import SourceError
from tracker.source.address import Address
from tracker.source.complaint import complaint, silence
from tracker.source.frame import NANOSECOND
from tracker.source.opening import accelerator, open_container, open_pipe, video_stream
from tracker.source.settings import SourceSettings

USUAL_FPS = Fraction(25)
PATIENCE = 16
"""Damaged places in a row after which the rest is given up."""
LOOK_SECONDS = 0.001
"""How often a camera that does not wait is asked for a frame."""
IN_FLIGHT = 64
"""More packets than any decoder holds back."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture as the decoder gave it."""

    picture: VideoFrame
    """In the decoder's own format, not turned."""
    pts: int
    """Presentation time in units of `time_base`."""
    time_base: Fraction
    index: int
    """Pictures decoded before this one."""
    arrived_ns: int
    """Monotonic; when its data had been read."""
    decoded_ns: int
    """Monotonic; when the decoder gave it."""


class Decoder:
    """Iterates over the pictures of one address, once; `rewound` iterates again.

    Raises SourceError when opened, and where there are no pictures.
    """

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        self.address = address
        self.damaged = 0
        self._timeout_seconds = settings.timeout_seconds
        self._pipe = open_pipe(address) if address.kind == "pipe" else None
        self._container = self._open(settings)
        try:
            self._stream = video_stream(self._container, address)
        except SourceError:
            self.close()
            raise
        self._codec = self._stream.codec_context
        self._must_stay = settings.decode == "cuda"
        # Frame threads would hold back a picture each. With low_delay, MPEG-2 and MPEG-4 give B-frames in the wrong
        # order, and no decoder gains by it; so only where there are none.
        self._codec.thread_type = "SLICE"
        if not self._codec.has_b_frames:
            self._codec.flags |= Flags.low_delay.value
        self.rate = self._rate()
        self.live = address.kind == "camera" or (
            address.kind == "url" and not (address.pulled and self._container.duration)
        )
        self.frames_expected = None if self.live else self._stream.frames or None
        # Where times may jump, or there are none, a search by time ends anywhere: past the first pictures of MPEG-TS.
        by_time = not (self._is(av.format.Flags.ts_discont) or self._is(av.format.Flags.no_timestamps))
        self._begins_at_a_byte = not (by_time or self._is(av.format.Flags.no_byte_seek))
        self._numbered = self._container.format.name == "avi"
        # FFmpeg would make up times at a rate that it guesses, 25 a second whatever a web camera sends.
        self._clocked = self.live and self._is(av.format.Flags.no_timestamps)
        self._began_ns: int | None = None
        self._index = 0
        self._last: tuple[int, Fraction] | None = None
        self._time_base: Fraction | None = None
        self._arrived: dict[int | None, int] = {}

    def _open(self, settings: SourceSettings) -> InputContainer:
        """With the hardware decoder where that is asked for and works. Raises SourceError."""
        if settings.decode in ("auto", "cuda"):
            try:
                container = open_container(self.address, settings, self._pipe, accelerator())
                if settings.decode == "auto" or video_stream(container, self.address).codec_context.is_hwaccel:
                    return container
                container.close()
            except SourceError:
                # Without the hardware it fails again for what is wrong with the source, and says so.
                self._check_without(settings)
            if settings.decode == "cuda":
                raise self._no_device()
        return open_container(self.address, settings, self._pipe)

    def _no_device(self) -> SourceError:
        return SourceError(
            f"{self.address.name!r} cannot be decoded on a CUDA device here: no NVDEC, or not for this codec; leave "
            "out --decode, or say --decode auto"
        )

    def _check_without(self, settings: SourceSettings) -> None:
        """Raise SourceError where the source itself cannot be opened."""
        if self.address.kind != "pipe":
            open_container(self.address, settings, None).close()

    def _is(self, flag: av.format.Flags) -> bool:
        """Whether FFmpeg says this of the container's format."""
        return flag in av.format.Flags(self._container.format.flags)

    def _rate(self) -> Fraction | None:
        bare = self._is(av.format.Flags.no_timestamps)
        # For a bare stream the demuxer's average is its own guess; the codec's is in the stream.
        rate = self._stream.guessed_rate if bare else self._stream.average_rate or self._stream.guessed_rate
        return Fraction(rate) if rate else None

    def __iter__(self) -> Iterator[Decoded]:
        arrived_ns = 0
        for packet in self._packets():
            arrived_ns = monotonic_ns()
            if len(self._arrived) > IN_FLIGHT:
                self._arrived.clear()
            self._arrived[packet.pts] = arrived_ns
            self.damaged += packet.is_corrupt
            yield from self._decode(packet, arrived_ns)
        yield from self._decode(None, arrived_ns)
        if self._pipe:
            self._pipe.check()
        if not self._index:
            raise SourceError(f"{self.address.name!r} has a video stream without a single frame; give another video")
        self.damaged += self._ended_early()

    def rewound(self) -> Iterator[Decoded]:
        """The pictures from the start, as far as the container finds it: none, or others, where it does not."""
        try:
            if self._begins_at_a_byte:
                self._container.seek(0, unsupported_byte_offset=True)
            else:
                self._container.seek(self._container.start_time or 0)
        except av.FFmpegError:
            return
        self._last = None
        self._arrived.clear()
        yield from self

    def _packets(self) -> Iterator[Packet]:
        """The video's packets. A damaged place is passed over; anything else that goes wrong is raised."""
        failures, heard_ns = 0, monotonic_ns()
        while failures < PATIENCE:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        yield packet
                        failures, heard_ns = 0, monotonic_ns()
                    elif packet.dts is None:
                        # PyAV's sign to flush, after the last one. It goes on to streams that appeared while reading,
                        # of which it knows nothing: to ask for more would raise IndexError.
                        return
                return
            except av.error.InvalidDataError:
                failures += 1
                self.damaged += failures == 1
            except av.error.BlockingIOError as error:
                # AVFoundation does not wait for a camera's next frame, but says that there is none yet.
                if monotonic_ns() - heard_ns > self._timeout_seconds * 1e9:
                    raise silence(self.address, self._timeout_seconds) from error
                time.sleep(LOOK_SECONDS)
            except av.FFmpegError as error:
                raise complaint(error, self.address, self._timeout_seconds) from error

    def _decode(self, packet: Packet | None, arrived_ns: int) -> Iterator[Decoded]:
        """The pictures that `packet` sets free; without one, all that are held back."""
        try:
            pictures = self._codec.decode(packet)
        except av.FFmpegError:
            self.damaged += not (packet and packet.is_corrupt)
            return
        decoded_ns = monotonic_ns()
        for picture in pictures:
            if self._must_stay and picture.sw_format is None:  # known only now: FFmpeg falls back without a word
                raise self._no_device()
            arrived_ns = self._arrived.pop(picture.pts, arrived_ns)
            self._last = self._time_of(picture, arrived_ns)
            yield Decoded(picture, *self._last, self._index, arrived_ns, decoded_ns)
            self._index += 1

    def _time_of(self, picture: VideoFrame, arrived_ns: int) -> tuple[int, Fraction]:
        """The picture's own time. Bare streams carry none: then when it came, or of a file, a frame after the last."""
        if self._clocked:
            self._began_ns = self._began_ns or arrived_ns
            return max(arrived_ns - self._began_ns, self._last[0] + 1 if self._last else 0), NANOSECOND
        # AVI numbers its frames as they are to be decoded: where that is not the order to show them in, what a picture
        # carries is another one's number. The decoding order's numbers are shown in theirs.
        pts = picture.dts if self._numbered else picture.pts
        if pts is not None:
            # A stream's pictures share one; to ask each for it makes a fraction anew, 40 us while caches are cold.
            self._time_base = self._time_base or Fraction(picture.time_base or self._stream.time_base or self._step())
            return pts, self._time_base
        if self._last is None:
            return 0, self._step()
        pts, time_base = self._last
        return pts + max(1, round(self._step() / time_base)), time_base

    def _step(self) -> Fraction:
        """From frame to frame, as far as one knows."""
        return 1 / (self.rate or USUAL_FPS)

    def _ended_early(self) -> bool:
        """Whether a Matroska file stops before its header says: such a cut makes no error."""
        if self._last is None or "matroska" not in self._container.format.name:
            return False
        expected_seconds = _tagged_seconds(self._stream.metadata.get("DURATION", ""))
        if expected_seconds is None and len(self._container.streams) == 1 and self._container.duration:
            expected_seconds = self._container.duration / av.time_base
        pts, time_base = self._last
        end_seconds = float(pts * time_base + 2 / (self.rate or USUAL_FPS))
        return expected_seconds is not None and end_seconds + 0.1 < expected_seconds

    def close(self) -> None:
        """Close the container; only from the thread that iterates, or when none does."""
        self._container.close()
        if self._pipe:
            self._pipe.close()


def _tagged_seconds(duration: str) -> float | None:
    """Seconds of such as `00:01:02.500000000`."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", duration)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None

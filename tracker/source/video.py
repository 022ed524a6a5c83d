"""Video that waits for us: a file, a generator, standard input. Every frame, in order.

Given a decoder it decodes when asked, so it is never ahead by more than a frame; with `realtime` each frame is held
back until it is due. It does not know what the frames are for, and it drops none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from tracker.clock import monotonic_ns
from tracker.source.decoder import USUAL_FPS, Decoded, Decoder
from tracker.source.frame import Frame
from tracker.source.hardware import Stamp, framed, stays_there
from tracker.source.planes import PlaneReader
from tracker.source.settings import SourceSettings

LONGEST_WAIT_NS = 2_000_000_000
"""A longer step in time is a cut in the video, not a pause."""


class Pace:
    """Says when a frame is due, if the first one was due when it was asked about."""

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._last_ns = 0

    def due_ns(self, pts_ns: int, now_ns: int) -> int:
        """The monotonic time at which to hand out the frame with time `pts_ns`.

        A jump in time, back or far ahead, starts the schedule anew. A late consumer does not: it may catch up.
        """
        step_ns = pts_ns - self._last_ns
        self._last_ns = pts_ns
        if self._start_ns is None or not 0 <= step_ns <= LONGEST_WAIT_NS:
            self._start_ns = now_ns - pts_ns
        return self._start_ns + pts_ns


class VideoSource:
    """Frames in order. `live` is False; see `Source` for the rest."""

    live = False
    dropped = 0

    def __init__(self, decoder: Decoder, settings: SourceSettings) -> None:
        self.name = decoder.address.name
        self.fps = float(decoder.rate) if decoder.rate else None
        self.frames_expected = None if settings.loop else decoder.frames_expected
        self._decoder = decoder
        self._settings = settings
        self._read = PlaneReader()
        self._pace = Pace()
        self._damaged_before = 0
        self._index = 0
        self._pictures = self._rounds() if settings.loop else self._once()

    @property
    def reformatted(self) -> int:
        """Frames converted to I420 so far."""
        return self._read.reformatted

    @property
    def damaged(self) -> int:
        """Places so far where data was missing or could not be decoded."""
        return self._damaged_before + self._decoder.damaged

    def _once(self) -> Iterator[tuple[Decoded, int]]:
        for decoded in self._decoder:
            yield decoded, decoded.pts

    def _rounds(self) -> Iterator[tuple[Decoded, int]]:
        """Pictures for ever, with times that go on from round to round."""
        pictures, shift = iter(self._decoder), 0
        while True:
            first = last = None
            for last in pictures:
                first = last if first is None else first
                yield last, last.pts + shift
            assert first is not None and last is not None  # a decoder without pictures has raised
            step = max(1, round(1 / (self._decoder.rate or USUAL_FPS) / last.time_base))
            shift += last.pts - first.pts + step
            pictures = self._again(first.pts)

    def _again(self, first_pts: int) -> Iterator[Decoded]:
        """The pictures from the first on: of the same container, or where that does not find it, of another.

        A decoder that goes back keeps its memory for pictures. To open hundreds of them, one after another, tears so
        many holes into the heap that it grows by tens of megabytes.
        """
        damaged, pictures = self._decoder.damaged, self._decoder.rewound()
        if (first := next(pictures, None)) is not None and first.pts == first_pts:
            return chain((first,), pictures)
        self._decoder.close()
        self._decoder = Decoder(self._decoder.address, self._settings)
        self._damaged_before += damaged
        return iter(self._decoder)

    def __iter__(self) -> VideoSource:
        return self

    def __next__(self) -> Frame:
        """Decode the next frame; with `realtime`, wait until it is due. Raises SourceError."""
        decoded, pts = next(self._pictures)
        pixels = None if stays_there(decoded.picture) else self._read(decoded.picture)
        ready_ns = captured_ns = monotonic_ns()
        if self._settings.realtime:
            captured_ns = self._pace.due_ns(int(pts * decoded.time_base * 10**9), ready_ns)
            # Stamped as if it came from a camera: taken when due and decoded at once, though it was decoded ahead.
            ready_ns = _sleep_until(captured_ns)
        index, self._index = self._index, self._index + 1
        return framed(decoded.picture, pixels, Stamp(pts, decoded.time_base, index, captured_ns, ready_ns))

    def close(self) -> None:
        """Let go of the file; the iteration ends. May be called again."""
        self._pictures = iter(())
        self._decoder.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sleep_until(due_ns: int) -> int:
    """Sleep; the monotonic time afterwards, not before `due_ns`."""
    while (now_ns := monotonic_ns()) < due_ns:
        time.sleep((due_ns - now_ns) / 1e9)
    return now_ns

"""Video that does not wait: cameras and network streams. Always the newest frame; what is missed is counted.

Given a decoder, a thread reads and decodes without pause, so that nothing piles up behind a slow consumer, and leaves
the newest picture in a slot of one. It does not know what the frames are for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Protocol

from tracker.clock import Anchor, anchor
from tracker.source.address import Address
from tracker.source.complaint import silence
from tracker.source.decoder import Decoded
from tracker.source.frame import Frame
from tracker.source.hardware import Stamp, framed, stays_there
from tracker.source.planes import PlaneReader

CLOSING_SECONDS = 1.0
STALE_NS = 2_000_000_000
"""A stamp further in the past is of another clock."""


class Pictures(Protocol):
    """What a live source reads from: a `Decoder`."""

    address: Address
    damaged: int
    rate: Fraction | None

    def __iter__(self) -> Iterator[Decoded]: ...

    def close(self) -> None:
        """Called by the reading thread when it ends."""


class LiveSource:
    """The newest frame at each look. `live` is True; see `Source` for the rest."""

    live = True
    frames_expected: int | None = None

    def __init__(self, decoder: Pictures, timeout_seconds: float) -> None:
        self.name = decoder.address.name
        self.fps = float(decoder.rate) if decoder.rate else None
        self.dropped = 0
        self._decoder = decoder
        self._timeout_seconds = timeout_seconds
        self._own_clock = decoder.address.kind == "camera"
        self._anchor = anchor()
        self._read = PlaneReader()
        self._slot: Decoded | None = None
        self._failure: BaseException | None = None
        self._ended = self._closed = False
        self._guard = threading.Lock()
        # Held while there is nothing to look at. A condition would do the same in many more steps of Python, all
        # of them cold when a frame comes, and wake the consumer only for it to wait for the guard once more.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread = threading.Thread(target=self._decode, name=f"reader of {self.name}", daemon=True)
        self._thread.start()

    @property
    def reformatted(self) -> int:
        """Frames converted to I420 so far."""
        return self._read.reformatted

    @property
    def damaged(self) -> int:
        """Places so far where data was missing or could not be decoded."""
        return self._decoder.damaged

    def _decode(self) -> None:
        """The reading thread: it alone touches the decoder, and closes it."""
        try:
            for decoded in self._decoder:
                with self._guard:
                    if self._closed:
                        return
                    self.dropped += self._slot is not None
                    self._slot = decoded
                self._ring()
        except BaseException as failure:  # raised again where the frames are asked for
            self._failure = failure
        finally:
            try:
                self._decoder.close()
            finally:
                self._ended = True
                self._ring()

    def _ring(self) -> None:
        """Wake the consumer, or have it look again before it waits."""
        with suppress(RuntimeError):  # it has been rung already
            self._bell.release()

    def __iter__(self) -> LiveSource:
        return self

    def __next__(self) -> Frame:
        """Wait for a frame that was not given yet. Raises SourceError when none comes for too long."""
        decoded, dropped = self._take()
        pixels = None if stays_there(decoded.picture) else self._read(decoded.picture)
        captured_ns = captured(decoded, self._anchor) if self._own_clock else decoded.arrived_ns
        stamp = Stamp(decoded.pts, decoded.time_base, decoded.index, captured_ns, decoded.decoded_ns, dropped)
        return framed(decoded.picture, pixels, stamp)

    def _take(self) -> tuple[Decoded, int]:
        while True:
            over = self._closed or self._ended  # asked first: the last picture is there before its end is said
            with self._guard:
                if self._slot is not None:
                    decoded, self._slot = self._slot, None
                    return decoded, self.dropped
            if over:
                if self._failure is not None and not self._closed:
                    raise self._failure
                raise StopIteration
            # Always looked before it is waited for: a ring while the last one is being heard goes unnoticed.
            if not self._bell.acquire(timeout=self._timeout_seconds):
                raise silence(self._decoder.address, self._timeout_seconds)

    def close(self) -> None:
        """End the iteration, from any thread. A reader stuck in driver or network is left behind after a moment."""
        with self._guard:
            self._closed = True
            self._slot = None
        self._ring()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSING_SECONDS)

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def captured(decoded: Decoded, tie: Anchor) -> int:
    """When a camera took the picture, monotonic: by its own stamp if that is of this machine's clocks, else on arrival.

    Video4Linux stamps frames in the kernel by the monotonic clock, some drivers by the wall clock.
    """
    stamp_ns = int(decoded.pts * decoded.time_base * 10**9)
    to_monotonic_ns = tie.monotonic_ns - tie.wall_ns
    for own_ns in (stamp_ns, stamp_ns + to_monotonic_ns):
        if 0 <= decoded.arrived_ns - own_ns < STALE_NS:
            return own_ns
    return decoded.arrived_ns

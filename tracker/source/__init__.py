"""Where video comes in: files, URLs, cameras, generators and pipes as one iterator of `Frame`s.

Given what a user writes, `open_source` opens it and returns frames in the decoder's own planes, with their times. It
does not know what will be done with them.
"""

from __future__ import annotations

from typing import Protocol

from tracker.errors import SettingsError
from tracker.source.address import Address, parse_address, require_apart
from tracker.source.decoder import Decoder
from tracker.source.devices import Device, list_devices
from tracker.source.frame import Frame
from tracker.source.image import frame_from_av, frame_from_image
from tracker.source.live import LiveSource
from tracker.source.settings import SourceSettings
from tracker.source.video import VideoSource

__all__ = [
    "Device",
    "Frame",
    "Source",
    "SourceSettings",
    "frame_from_av",
    "frame_from_image",
    "list_devices",
    "open_source",
    "require_apart",
]


class Source(Protocol):
    """An iterator of frames and a context manager. What goes wrong while reading is raised as SourceError."""

    name: str
    """What it was opened as; a URL's password is hidden."""
    fps: float | None
    """Frames a second as the container or camera says, or None."""
    live: bool
    """Whether only the newest frame is given, and what is missed is dropped."""
    frames_expected: int | None
    """Frames to come in all, where the container says."""
    dropped: int
    """Frames decoded but never given, so far."""

    @property
    def reformatted(self) -> int:
        """Frames that had to be converted to I420, so far."""

    @property
    def damaged(self) -> int:
        """Places so far where data was missing or could not be decoded, such as a cut end."""

    def __iter__(self) -> Source: ...

    def __next__(self) -> Frame: ...

    def close(self) -> None:
        """End the iteration and let go of file, socket or camera. May be called again."""

    def __enter__(self) -> Source: ...

    def __exit__(self, *_: object) -> None: ...


def open_source(spec: str, settings: SourceSettings = SourceSettings()) -> Source:
    """Open a path, `rtsp://...` and other URLs, `v4l2:/dev/video0`, `lavfi:testsrc2=...` or `-` for standard input.

    Files, generators and pipes, by name or as standard input, give every frame; cameras and streams the newest.
    Something fetched by HTTP is read as a file if it has an end. Raises SourceError for what cannot be opened,
    SettingsError for what does not fit.
    """
    address = parse_address(spec)
    _check(address, settings)
    decoder = Decoder(address, settings)
    if decoder.live:
        return LiveSource(decoder, settings.timeout_seconds)
    return VideoSource(decoder, settings)


def _check(address: Address, settings: SourceSettings) -> None:
    if settings.asks_for_a_mode and address.kind != "camera":
        raise SettingsError(f"{address.name!r} is no camera: leave out --width-px, --height-px and --fps")
    if settings.loop and address.kind != "file":
        raise SettingsError(f"{address.name!r} is no file: leave out --loop")

"""How a source is to be read: the pace of a file, the mode of a camera, patience with a network.

Built by the command line or the caller, read by the sources. It does not know which source it will be used for;
what does not fit one is refused there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracker.errors import SettingsError

MOST = 10**9
"""Of anything: more than any camera gives, and seconds that still fit a lock's counter."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The defaults suit every kind of source."""

    realtime: bool = False
    """Give a file's frames at the pace of their stamps; without it, as fast as they are asked for."""
    width_px: int | None = None
    """Width to ask of a camera, together with the height; its own default otherwise."""
    height_px: int | None = None
    """Height to ask of a camera, together with the width."""
    fps: float | None = None
    """Frames a second to ask of a camera; its own default otherwise."""
    loop: bool = False
    """Start a file anew at its end, for ever; time goes on."""
    decode: Literal["auto", "cpu", "cuda"] | None = None
    """Where to decode: cuda is NVDEC, or fails; auto is NVDEC where it can, the default with --device cuda."""
    timeout_seconds: float = 10.0
    """How long to wait for a camera's or a network's next data before giving up."""

    def __post_init__(self) -> None:
        if (self.width_px is None) != (self.height_px is None):
            raise SettingsError(
                f"width_px={self.width_px} with height_px={self.height_px}; give both, such as 1280 and 720, or neither"
            )
        for name in ("width_px", "height_px", "fps", "timeout_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= MOST:
                raise SettingsError(f"{name}={value}; it must be above 0, and {MOST} at most")

    @property
    def asks_for_a_mode(self) -> bool:
        """Whether anything is set that only a camera can be asked for."""
        return self.width_px is not None or self.fps is not None

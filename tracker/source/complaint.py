"""What went wrong when a source was opened or read, in one line that says what to try.

Given FFmpeg's error and where it met it, it returns the SourceError to raise. It raises and reads nothing itself.
"""

from __future__ import annotations

import errno

import av

from tracker.errors import SourceError
from tracker.source.address import CAMERA_SYSTEMS, Address, without_password

NOT_A_VIDEO = (av.error.InvalidDataError, av.error.EOFError, av.error.DemuxerNotFoundError)
SILENT = (av.error.ExitError, av.error.TimeoutError)


def complaint(error: Exception, address: Address, timeout_seconds: float) -> SourceError:
    """`error` met at `address` as a user should read it."""
    if isinstance(error, SILENT):
        return silence(address, timeout_seconds)
    if address.kind == "camera":
        return _of_camera(error, address)
    if address.kind == "generator":
        return SourceError(
            f"FFmpeg cannot make {address.name!r} ({_reason(error)}); "
            "try lavfi:testsrc2=size=640x480:rate=30, and see ffmpeg -filters"
        )
    if isinstance(error, av.error.ProtocolNotFoundError):
        return SourceError(f"{address.name}: this build of FFmpeg lacks the protocol; try rtsp, http, tcp or udp")
    if isinstance(error, NOT_A_VIDEO):
        return _not_a_video(error, address)
    tip = "check the address and the sender" if address.kind == "url" else "check the path and its permissions"
    return SourceError(f"cannot read {address.name!r}: {_reason(error)}; {tip}")


def silence(address: Address, timeout_seconds: float) -> SourceError:
    """Nothing came for too long."""
    return SourceError(
        f"nothing came from {address.name!r} for {timeout_seconds:g} s; "
        "check that it is there and sends, or wait longer with --timeout-seconds"
    )


def _not_a_video(error: Exception, address: Address) -> SourceError:
    if address.kind == "pipe":
        tip = "pipe MPEG-TS, Matroska or a faststart MP4, such as: ffmpeg -i talk.mp4 -f mpegts - | facewire run -"
    else:
        tip = "give one that plays elsewhere; a file cut short may have lost its index"
    return SourceError(f"{address.name!r} is not a video that FFmpeg can read ({_reason(error)}); {tip}")


def _of_camera(error: Exception, address: Address) -> SourceError:
    number = getattr(error, "errno", None)
    if isinstance(error, ValueError) and "no container format" in str(error):
        homes = ", ".join(f"{system} on {home}" for system, home in CAMERA_SYSTEMS.items())
        return SourceError(f"FFmpeg on this machine knows no {address.system} cameras; valid: {homes}")
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return SourceError(f"no camera {address.target!r}; list them with: facewire devices")
    if number == errno.EBUSY:
        return SourceError(f"camera {address.target!r} is in use by another program; close that one or take another")
    if number in (errno.EACCES, errno.EPERM):
        return SourceError(f"no permission to open camera {address.target!r}; on Linux join the group video")
    if number == errno.EINVAL:
        return SourceError(
            f"camera {address.target!r} refuses what was asked for; try without --width-px, --height-px and --fps"
        )
    return SourceError(f"cannot read camera {address.target!r}: {_reason(error)}; list them with: facewire devices")


def _reason(error: Exception) -> str:
    """What FFmpeg says, on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return without_password(" ".join(str(text).split()))

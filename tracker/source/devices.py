"""The cameras of this machine, with what to write to open them.

Asks FFmpeg; where it cannot say, Linux' own list. It opens no camera.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import av

from tracker.errors import SourceError

SYSTEM_OF = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


@dataclass(frozen=True, slots=True)
class Device:
    """A camera."""

    name: str
    """What the system calls it."""
    description: str
    """What its maker calls it, or why that is not known."""
    spec: str
    """What to give to `open_source`."""


def list_devices(platform: str = sys.platform) -> list[Device]:
    """All cameras that can be named. Raises SourceError where this build of FFmpeg cannot list any."""
    system = SYSTEM_OF.get(platform)
    if system is None:
        raise SourceError(f"cameras of {platform!r} are not known; valid: {', '.join(SYSTEM_OF)}; use a file or a URL")
    try:
        found = av.enumerate_input_devices(system)
    except (AttributeError, ValueError, OSError, av.FFmpegError) as error:
        if system == "v4l2":
            return linux_cameras(Path("/sys/class/video4linux"), f"FFmpeg cannot list cameras ({error})")
        raise SourceError(
            f"this build of PyAV cannot list {system} cameras ({error}); "
            f"try {'avfoundation:0' if system == 'avfoundation' else 'dshow:video=NAME'}, or a newer PyAV"
        ) from error
    seeing = [device for device in found if not device.media_types or "video" in device.media_types]
    return [Device(each.name, each.description, _spec(system, each.name, each.description)) for each in seeing]


def _spec(system: str, name: str, description: str) -> str:
    return f"dshow:video={description or name}" if system == "dshow" else f"{system}:{name}"


def linux_cameras(folder: Path, why: str) -> list[Device]:
    """Cameras by the kernel's own list in `folder`; `why` stands where the name is missing."""
    cameras = []
    for entry in sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name)):
        label = entry / "name"
        description = label.read_text(errors="replace").strip() if label.is_file() else why
        cameras.append(Device(f"/dev/{entry.name}", description, f"v4l2:/dev/{entry.name}"))
    return cameras

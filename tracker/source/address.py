"""What a user writes to name a source, taken apart: file, URL, camera, generator or pipe.

Given the text, it says what kind of source it is and what FFmpeg is to be told; a mistake is refused here if it can be
seen without opening anything. It does not know how any kind is opened or read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from tracker.errors import SettingsError, SourceError

Kind = Literal["file", "url", "camera", "generator", "pipe"]

CAMERA_SYSTEMS = {"v4l2": "Linux", "avfoundation": "macOS", "dshow": "Windows"}
SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "tcp", "tls", "srt", "file")
PULLED = ("http", "https")
"""Schemes by which files are fetched, too: what has an end is read as a file."""
FORMS = "a file, a URL (rtsp, http, ...), v4l2:/dev/video0, avfoundation:0, dshow:video=NAME, lavfi:testsrc2, or -"


@dataclass(frozen=True, slots=True)
class Address:
    """Where video comes from."""

    kind: Kind
    """Decides how it is opened and paced."""
    target: str
    """What FFmpeg is given. Of a pipe its path, which FFmpeg never sees; of standard input nothing."""
    system: str | None
    """FFmpeg's name of the input device, or None to let it look at the data."""
    name: str
    """For people: as written, a URL's password hidden."""

    @property
    def pulled(self) -> bool:
        """Whether this URL may be a file that lies elsewhere."""
        return self.kind == "url" and self.target.partition("://")[0].lower() in PULLED

    def reads(self, path: Path) -> bool:
        """Whether `path` is the very file that is read here, by whatever name, or what standard input comes from."""
        if self.kind not in ("file", "camera", "pipe"):
            return False
        try:
            read = os.stat(self.target.removeprefix("file:")) if self.target else os.fstat(0)
            return os.path.samestat(read, path.stat())
        except (OSError, ValueError):  # one of them is not there
            return False


def parse_address(spec: str) -> Address:
    """Take `spec` apart. Raises SourceError for an unknown scheme and for what is plainly no readable file."""
    if spec == "-":
        return Address("pipe", "", None, "standard input")
    if spec.startswith("/dev/video"):
        return Address("camera", spec, "v4l2", spec)
    scheme, separator, _ = spec.partition("://")
    if separator:
        return _url(spec, scheme.lower())
    prefix, separator, rest = spec.partition(":")
    if prefix in CAMERA_SYSTEMS or prefix == "lavfi":
        if not rest:
            raise SourceError(f"{spec!r} names no {'camera' if prefix != 'lavfi' else 'generator'}; valid: {FORMS}")
        return Address("generator" if prefix == "lavfi" else "camera", rest, prefix, spec)
    # One letter is a Windows drive.
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9+-]+", prefix) and separator and not os.path.exists(spec):
        raise SourceError(f"no file {spec!r}, and {prefix + ':'!r} is no kind of source; valid: {FORMS}")
    return _file(spec, spec)


def require_apart(spec: str, outputs: Iterable[Path], flag: str) -> None:
    """Raises SettingsError where writing one of the `outputs`, which `flag` names, would destroy what `spec` reads."""
    address = parse_address(spec)
    for output in outputs:
        if address.reads(output):
            raise SettingsError(f"{output} is the source itself, which writing would destroy; give another with {flag}")


def _url(spec: str, scheme: str) -> Address:
    if scheme not in SCHEMES:
        raise SourceError(f"{without_password(spec)!r} has the unknown scheme {scheme!r}; valid: {', '.join(SCHEMES)}")
    if scheme == "file":
        try:
            return _file(unquote(urlsplit(spec).path), spec)
        except ValueError as error:
            raise SourceError(f"{spec!r} is no file's address ({error}); give the path itself") from error
    return Address("url", spec, None, without_password(spec))


def _file(path_text: str, name: str) -> Address:
    try:
        found = os.stat(path_text)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SourceError(f"no file {name!r}; check the path, or give {FORMS}") from error
    except OSError as error:
        raise SourceError(f"cannot look at {name!r}: {error.strerror}; check the path and its permissions") from error
    if stat.S_ISDIR(found.st_mode):
        raise SourceError(f"{name!r} is a directory; give one video file in it")
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise SourceError(f"{name!r} is empty; give a video file")
    if stat.S_ISFIFO(found.st_mode):
        return Address("pipe", path_text, None, name)
    # Without the prefix, FFmpeg would take a name such as `concat:a` for one of its protocols.
    return Address("file", f"file:{path_text}", None, name)


def without_password(url: str) -> str:
    """The URL as it may be shown: `rtsp://user:secret@host` as `rtsp://user:***@host`."""
    return re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", url)

"""Opening FFmpeg's containers: the options that each kind of source needs, and its video stream.

Given an address and settings it returns an open container, or raises the one line that says why not. It decodes
nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.stream import VideoStream

from tracker.errors import SourceError
from tracker.source.address import Address
from tracker.source.complaint import complaint
from tracker.source.settings import SourceSettings

# Not `fflags=nobuffer`: it throws away what was read to recognise the stream, whole seconds up to the next key frame.
NETWORK_OPTIONS = {
    "rtsp_transport": "tcp",
    # FFmpeg would look at the stream for 5 s before it gives the first frame.
    "analyzeduration": "500000",
}
TEXT_ART = ("ansi", "bintext", "idf", "xbin")
"""Codecs by which FFmpeg draws any text file as a video."""
DRIVER = {"win32": "nvcuda.dll"}.get(sys.platform, "libcuda.so.1")
LARGEST_RAW_PIXELS = 640 * 480
"""Beyond it USB 2 cannot carry raw frames at a useful rate, and cameras send MJPEG."""


class Pipe:
    """Standard input as FFmpeg reads it: whatever is there now, without waiting for a buffer to fill.

    PyAV swallows an interrupt that is raised while it reads; it is kept here, and raised by `check`.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._interrupt: BaseException | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end, and none ever again after an interrupt."""
        if self._interrupt is not None:
            return b""
        try:
            return os.read(self._descriptor, size)
        except Exception:
            raise
        except BaseException as interrupt:
            self._interrupt = interrupt
            return b""

    def check(self) -> None:
        """Raise the interrupt that came while reading, if one did."""
        if self._interrupt is not None:
            raise self._interrupt


def open_pipe() -> Pipe:
    """Standard input. Raises SourceError where it is closed or a terminal."""
    try:
        descriptor = sys.__stdin__.fileno() if sys.__stdin__ else 0
        os.fstat(descriptor)
    except (OSError, ValueError) as error:
        raise SourceError("standard input is closed; pipe a video into it, or give a file") from error
    if os.isatty(descriptor):
        raise SourceError("standard input is a terminal; pipe a video into it, such as from ffmpeg -f mpegts -")
    return Pipe(descriptor)


def accelerator() -> HWAccel:
    """NVIDIA's decoder, whose pictures stay on the device, in the context of torch and CuPy. Raises SourceError.

    These work in the device's primary context. FFmpeg enters one that exists only if it has flags that theirs has not
    (and would make it with flags by which every wait sleeps), so it is told to take the current one where there is one.
    """
    there = in_context()
    context: dict[str, object] = {"primary_ctx": str(int(not there)), "current_ctx": str(int(there))}
    try:
        return HWAccel("cuda", allow_software_fallback=True, options=context, is_hw_owned=True)
    except (av.FFmpegError, ValueError, NotImplementedError) as error:
        raise SourceError(f"this build of FFmpeg decodes nothing on CUDA ({error}); leave out --decode") from error


def in_context() -> bool:
    """Whether this thread works on a CUDA device already."""
    context = ctypes.c_void_p()
    try:
        failed = ctypes.CDLL(DRIVER).cuCtxGetCurrent(ctypes.byref(context))
    except (OSError, AttributeError):  # no driver
        return False
    return not failed and bool(context.value)


def open_container(
    address: Address, settings: SourceSettings, pipe: Pipe | None = None, hardware: HWAccel | None = None
) -> InputContainer:
    """Open `address`, or `pipe`. Raises SourceError."""
    failure: Exception | None = None
    for options in option_sets(address, settings):
        try:
            return av.open(
                pipe or address.target,
                "r",
                format=address.system,
                options=options,
                metadata_errors="replace",  # a title in Latin-1 is no reason to refuse a video
                timeout=settings.timeout_seconds if address.kind == "url" else None,
                hwaccel=hardware,
            )
        except (av.FFmpegError, ValueError) as error:
            failure = error
            if pipe:
                pipe.check()
    assert failure is not None
    raise complaint(failure, address, settings.timeout_seconds) from failure


def option_sets(address: Address, settings: SourceSettings) -> list[dict[str, str]]:
    """Options to try in turn: a camera's wished-for mode may exist only without the wished-for coding."""
    if address.kind == "url":
        return [NETWORK_OPTIONS]
    if address.kind != "camera":
        return [{}]
    mode = {}
    if settings.width_px is not None and settings.height_px is not None:
        mode["video_size"] = f"{settings.width_px}x{settings.height_px}"
    if settings.fps is not None:
        mode["framerate"] = f"{settings.fps:g}"
    elif address.system == "avfoundation":
        mode["framerate"] = "30"  # FFmpeg's own default there is 29.97, which most cameras refuse
    coding = {"v4l2": {"input_format": "mjpeg"}, "dshow": {"vcodec": "mjpeg"}}.get(str(address.system))
    large = (settings.width_px or 0) * (settings.height_px or 0) > LARGEST_RAW_PIXELS
    return [mode | coding, mode] if coding and large else [mode]


def video_stream(container: InputContainer, address: Address) -> VideoStream:
    """The stream to track in; cover art does not count. Raises SourceError where there is none."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if any(stream.codec_context and stream.codec_context.name in TEXT_ART for stream in streams):
        raise SourceError(f"{address.name!r} is a text file, not a video; give a video file")
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise SourceError(f"{address.name!r} holds no video, only {kinds}; give one with a video stream")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in streams else streams[0]
    if stream.codec_context is None:
        raise SourceError(f"{address.name!r}: this build of FFmpeg cannot decode it; convert it to H.264 first")
    return stream

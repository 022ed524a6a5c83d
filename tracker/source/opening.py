"""Opening FFmpeg's containers: the options that each kind of source needs, and its video stream.

Given an address and settings it returns an open container, or raises the one line that says why not. It decodes
nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from io import FileIO

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
    """Standard input or a named pipe as FFmpeg reads it: whatever is there now, without waiting for a full buffer.

    FFmpeg itself would hear no interrupt while it waits for more. PyAV swallows one that is raised while it reads; it
    is kept here, and raised by `check`.
    """

    def __init__(self, opened: FileIO) -> None:
        self._opened = opened
        self._interrupt: BaseException | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end, and none ever again after an interrupt."""
        if self._interrupt is not None:
            return b""
        try:
            return os.read(self._opened.fileno(), size)
        except Exception:
            raise
        except BaseException as interrupt:
            self._interrupt = interrupt
            return b""

    def check(self) -> None:
        """Raise the interrupt that came while reading, if one did."""
        if self._interrupt is not None:
            raise self._interrupt

    def close(self) -> None:
        """Hang up; standard input stays open. May be called twice."""
        self._opened.close()


def open_pipe(address: Address) -> Pipe:
    """A named pipe, as soon as somebody writes to it, or standard input. Raises SourceError for a terminal, too."""
    if address.target:
        try:
            return Pipe(FileIO(address.target))
        except OSError as error:
            raise complaint(error, address, 0) from error
    try:
        descriptor = sys.__stdin__.fileno() if sys.__stdin__ else 0
        os.fstat(descriptor)
    except (OSError, ValueError) as error:
        raise SourceError("standard input is closed; pipe a video into it, or give a file") from error
    if os.isatty(descriptor):
        raise SourceError("standard input is a terminal; pipe a video into it, such as from ffmpeg -f mpegts -")
    return Pipe(FileIO(descriptor, closefd=False))


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
        opening = partial(
            av.open,
            pipe or address.target,
            "r",
            format=address.system,
            options=options,
            metadata_errors="replace",  # a title in Latin-1 is no reason to refuse a video
            timeout=settings.timeout_seconds if address.kind == "url" else None,
            hwaccel=hardware,
        )
        try:
            # A hardware decoder must be opened by the thread that works with it: it takes over that one's context.
            return _aside(opening) if address.kind == "url" and hardware is None else opening()
        except (av.FFmpegError, ValueError) as error:
            failure = error
            if pipe:
                pipe.check()
    assert failure is not None
    raise complaint(failure, address, settings.timeout_seconds) from failure


def _aside(opening: Callable[[], InputContainer]) -> InputContainer:
    """What it returns or raises, from a thread of its own: FFmpeg hears no interrupt while it waits for a network, and
    PyAV loses one that came meanwhile. After an interrupt the thread is left behind until its time is up."""
    opened: Future[InputContainer] = Future()

    def work() -> None:
        try:
            opened.set_result(opening())
        except BaseException as failure:  # raised again where it is waited for
            opened.set_exception(failure)

    threading.Thread(target=work, name="facewire-open", daemon=True).start()
    return opened.result()


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

"""What the tracker saw, as video: frames with what is drawn on them, encoded beside a run that must not suffer from it.

Given frames and their faces it draws by an `Overlay` and encodes H.264, or tiles pictures into one PNG. Only numpy and
the video library are used. It does not know where the faces came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from tracker.clients.overlay import Overlay, stamp
from tracker.clients.picture import Painter, scaled
from tracker.errors import BackendUnavailable, OutputError, SettingsError
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.source.frame import Frame

_CLOCK = 90_000
_USUAL_FPS, _MOST_FPS = 30.0, 1000.0  # some streams name their clock's 90,000
# An MP4's index comes at the end. Until then these write it in pieces of a second, so that of a run that is killed, or
# whose disk is full, all but the last two or three seconds play; closed it is the file that it would be without them.
_IN_PIECES = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "1000000", "flush_packets": "1"}


class Preview:
    """An overlay video in the making: H.264 in the container of the file's suffix, even width and height.

    The first frame sets the size; one of another size is fitted into it. Frames keep their own times.
    """

    def __init__(self, path: str | Path, fps: float | None, model: FaceModel, render: str | None = None) -> None:
        """Frames without time go by `fps`, or by 30 where a stream names none, or one that can be none.

        `render` is as for `Overlay`. Raises SettingsError for another, for a file that holds no H.264 and where it
        cannot be written, BackendUnavailable without an encoder.
        """
        self.path, self._overlay = Path(path), Overlay(model, render)
        self._fps = fps if fps is not None and 0 < fps <= _MOST_FPS else _USUAL_FPS
        self._container, self._stream = _open(self.path, self._fps)
        self._painter: Painter | None = None
        self._first_seconds: float | None = None
        self._ticks = -1
        self._refused: OutputError | None = None
        self._closed = False

    def add(self, frame: Frame, faces: Sequence[Face]) -> np.ndarray:
        """Draw and encode one frame; returns the drawn picture uint8 [H, W, 3], valid until the next call.

        Raises OutputError where the encoder or the disk refuses it, and from then on.
        """
        if self._painter is None:
            self._painter = Painter(frame.width_px + frame.width_px % 2, frame.height_px + frame.height_px % 2)
            self._begin(self._painter)
        picture, scale = self._painter.rgb(frame)
        self._overlay(picture, faces, scale)
        stamp(picture, frame)
        drawn = self._painter.encodable(picture, self._next_ticks(frame), Fraction(1, _CLOCK))
        self._written(lambda: self._container.mux(self._stream.encode(drawn)))
        return picture

    def close(self) -> None:
        """Finish the file. Without a single frame it is removed again: an empty video opens nowhere.

        Raises OutputError where the encoder or the disk refuses the rest; closed it is all the same.
        """
        if self._closed:
            return
        self._closed = True
        if self._painter is None:
            self._container.close()
            self.path.unlink(missing_ok=True)
        elif self._refused is None:
            self._written(lambda: self._container.mux(self._stream.encode(None)))
            self._written(self._container.close)

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _written(self, write: Callable[[], None]) -> None:
        """Raises OutputError where the library cannot. It is not called again then: after a header that could not be
        written, it would crash at the next packet."""
        if self._refused is None:
            try:
                write()
                return
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                self._refused = OutputError(f"cannot write {self.path} ({reason}); give a file on a disk with room")
                with suppress(av.FFmpegError, OSError):  # as much as can be
                    self._container.close()
        raise self._refused

    def _begin(self, painter: Painter) -> None:
        self._stream.width, self._stream.height = painter.width_px, painter.height_px
        self._stream.pix_fmt, self._stream.codec_context.time_base = "yuv420p", Fraction(1, _CLOCK)
        painter.tag(self._stream.codec_context)

    def _next_ticks(self, frame: Frame) -> int:
        """The frame's own time since the first, where it has one and it moves on; else one frame later."""
        after = self._ticks + max(1, round(_CLOCK / self._fps)) if self._ticks >= 0 else 0
        seconds = frame.pts_seconds
        if seconds is not None:
            self._first_seconds = seconds if self._first_seconds is None else self._first_seconds
            ticks = round((seconds - self._first_seconds) * _CLOCK)
            after = ticks if ticks > self._ticks else after
        self._ticks = after
        return after


class Bystander:
    """A preview beside a run that must go on: what goes wrong with it, drawing, encoder or disk, ends it alone.

    A line says so when it happens, and `outcome` at the end.
    """

    def __init__(self, preview: Preview, tell: Callable[[str], None]) -> None:
        self._preview, self._tell = preview, tell
        self._frames, self._whole = 0, True

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Draw and encode one frame; from the first that fails on, nothing. Raises nothing."""
        if not self._whole:
            return
        try:
            self._preview.add(frame, faces)
            self._frames += 1
        except Exception as error:  # whatever it is, it is not worth the run
            self._give_up(error, "; tracking and publishing go on")
            self.close()

    def close(self) -> None:
        """Finish the file. Raises nothing."""
        try:
            self._preview.close()
        except Exception as error:
            self._give_up(error)

    def outcome(self) -> str:
        """What has been written, when all is done. Raises OutputError where that is not the whole video."""
        path = self._preview.path
        if not self._whole:
            raise OutputError(f"{path} is not whole: it was given up after {self._frames} frames, as said above")
        return f"wrote {path}" if self._frames else f"no frame came, so there is no {path}"

    def _give_up(self, error: Exception, then: str = "") -> None:
        if self._whole:
            self._tell(f"the preview ends after {self._frames} frames: {str(error) or type(error).__name__}{then}")
        self._whole = False


def _open(path: Path, fps: float) -> tuple[Any, Any]:
    """A new file and its stream. The file is made at once, when nothing else is left that may be refused: the library
    would say only after some frames that it cannot be."""
    try:
        container = av.open(f"file:{path}", "w")  # without the prefix `9:30.mp4` would be a protocol
    except (OSError, ValueError) as error:
        raise SettingsError(f"no video format goes by {path.name!r}; give a file such as preview.mp4") from error
    if container.format.name in ("mp4", "mov"):
        container.container_options.update(_IN_PIECES)
    # No B-frames: with them the last picture may be written before the last but one, and an MP4 ends with what was
    # written last.
    rate, options = Fraction(fps).limit_denominator(1001), {"preset": "veryfast", "crf": "21", "bf": "0"}
    try:
        stream = container.add_stream("libx264", rate=rate, options=options)
    except UnknownCodecError as error:
        raise BackendUnavailable(f"no H.264 encoder ({error}); pip install --force-reinstall av") from error
    except ValueError as error:
        raise SettingsError(f"{path.name!r} cannot hold H.264; give a file such as preview.mp4") from error
    try:
        path.open("wb").close()
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror}); give a file in a folder that exists") from error
    return container, stream


def contact_sheet(images: Sequence[np.ndarray], path: str | Path, columns: int = 4, cell_px: int = 480) -> Path:
    """Tile pictures (uint8 [H, W, 3], any sizes) into one PNG, `cell_px` wide each; returns its path.

    Raises SettingsError without pictures, or where the file cannot be written.
    """
    if not images:
        raise SettingsError("no picture for the contact sheet; give at least one")
    columns = min(max(columns, 1), len(images))
    cells = [scaled(image, cell_px) for image in images]
    tall, gap = max(cell.shape[0] for cell in cells), 4
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (tall + gap) + gap, columns * (cell_px + gap) + gap, 3), 24, np.uint8)
    for index, cell in enumerate(cells):
        top, left = (index // columns) * (tall + gap) + gap, (index % columns) * (cell_px + gap) + gap
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return write_png(sheet, path)


def write_png(picture: np.ndarray, path: str | Path) -> Path:
    """Write uint8 [H, W, 3] as PNG."""
    codec: Any = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = picture.shape[1], picture.shape[0], "rgb24", Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame.pts = 0
    packets = [*codec.encode(frame), *codec.encode(None)]
    target = Path(path)
    try:
        target.write_bytes(b"".join(bytes(packet) for packet in packets))
    except OSError as error:
        raise SettingsError(f"cannot write {target} ({error.strerror}); give a file in a folder that exists") from error
    return target

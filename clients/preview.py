"""What the tracker saw, as video: the mesh on the face, or what is rendered of it, the head's axes, the strongest
shapes and the track's state.

Given frames and their faces it draws on an RGB copy and encodes H.264, or tiles pictures into one PNG. Only numpy and
the video library are used. It does not know where the faces came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tracker.clients import ink
from tracker.clients.picture import Painter, scaled
from tracker.errors import BackendUnavailable, SettingsError
from tracker.face.expression import ARKIT_NAMES
from tracker.face.model import FaceModel
from tracker.face.parameters import Face, TrackState
from tracker.face.topology import NOSE_TIP
from tracker.render import Renderer, require_kind
from tracker.source.frame import Frame

BARS = 5
AXIS_OF_FACE = 0.45
_WHITE, _GREY, _BLACK = (245, 245, 245), (110, 110, 110), (0, 0, 0)
_STATE_RGB = {
    TrackState.ACQUIRING: (255, 225, 80), TrackState.TRACKING: (70, 235, 200),
    TrackState.COASTING: (255, 150, 60), TrackState.LOST: (255, 80, 80),
}  # fmt: skip
_AXES_RGB = ((255, 70, 70), (90, 230, 90), (90, 150, 255))
_CLOCK = 90_000
_LONGEST_NAME = max(len(name) for name in ARKIT_NAMES)


class Overlay:
    """Draws faces on a picture."""

    def __init__(self, model: FaceModel, render: str | None = None) -> None:
        """`render` is one of `render.KINDS`, drawn instead of the mesh. Raises SettingsError for another."""
        if render is not None:
            require_kind(render)
        self._render, self._renderer = render, Renderer(model) if render else None
        edges = np.sort(model.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        self._edges, times = np.unique(edges, axis=0, return_counts=True)
        self._rims = self._edges[times == 1]  # eyes, irises, lips and the face's outline

    def __call__(self, picture: np.ndarray, faces: Sequence[Face], scale: float = 1.0) -> None:
        """Draw on uint8 [H, W, 3], `scale` picture pixels a source pixel; without a seen face it says so."""
        dot = _dot_px(picture)
        for face in faces:
            if face.state != TrackState.LOST:
                if self._renderer is None:
                    self._mesh(picture, face, scale)
                else:
                    self._surface(picture, face, scale, self._renderer)
                _axes(picture, face, scale, dot)
        top = 4 * dot
        if not any(face.state in (TrackState.TRACKING, TrackState.ACQUIRING) for face in faces):
            ink.box(picture, 4 * dot, top, (50 * dot, 13 * dot), _BLACK, 0.55)
            ink.text(picture, 8 * dot, top + 3 * dot, "no face", _STATE_RGB[TrackState.LOST], dot)
            top += 15 * dot
        for face in faces:
            if top < picture.shape[0]:
                top = _panel(picture, face, top, dot)

    def _mesh(self, picture: np.ndarray, face: Face, scale: float) -> None:
        points = face.landmarks_px[:, :2].astype(np.float64) * scale
        rgb = _STATE_RGB[face.state]
        ink.lines(picture, points[self._edges[:, 0]], points[self._edges[:, 1]], rgb, 0.55)
        ink.lines(picture, points[self._rims[:, 0]], points[self._rims[:, 1]], _WHITE, 0.85)

    def _surface(self, picture: np.ndarray, face: Face, scale: float, renderer: Renderer) -> None:
        """What is rendered, in the picture's own pixels."""
        sized = replace(face, landmarks_px=face.landmarks_px * np.float32(scale))
        found = renderer(sized, picture.shape[1], picture.shape[0])
        tall, wide = found.mask.shape
        part = picture[found.y_px : found.y_px + tall, found.x_px : found.x_px + wide]
        part[found.mask] = found.picture(self._render or "")[found.mask]


def _axes(picture: np.ndarray, face: Face, scale: float, dot: int) -> None:
    """From the tip of the nose: red to the picture's right, green down, blue out of the face."""
    points = face.landmarks_px[:, :2].astype(np.float64) * scale
    length = AXIS_OF_FACE * float(np.ptp(points[:, 1]))
    tip = points[NOSE_TIP]
    for axis, sign in ((0, 1), (1, 1), (2, -1)):
        ink.thick_line(picture, tip, tip + sign * length * face.rotation[:2, axis], _AXES_RGB[axis], 1.2 * dot)


def _panel(picture: np.ndarray, face: Face, top: int, dot: int) -> int:
    """Track, state, confidence and the strongest shapes as bars; returns where the next panel may begin."""
    bar_left, bar_wide, row = (10 + 6 * _LONGEST_NAME) * dot, 40 * dot, 10 * dot
    ink.box(picture, 4 * dot, top, (bar_left + bar_wide + 30 * dot, (BARS + 1) * row + 4 * dot), _BLACK, 0.55)
    rgb = _STATE_RGB[face.state]
    words = f"#{face.track_id} {face.state.name.lower()} {face.confidence:.2f}"
    ink.text(picture, 8 * dot, top + 3 * dot, words, rgb, dot)
    for place, shape in enumerate(np.argsort(-face.blendshapes, kind="stable")[:BARS]):
        y, value = top + (place + 1) * row + 3 * dot, float(face.blendshapes[shape])
        ink.text(picture, 8 * dot, y, ARKIT_NAMES[shape], _WHITE, dot)
        ink.box(picture, bar_left, y, (bar_wide, 7 * dot), _GREY, 0.5)
        ink.box(picture, bar_left, y, (round(bar_wide * min(max(value, 0.0), 1.0)), 7 * dot), rgb)
        ink.text(picture, bar_left + bar_wide + 3 * dot, y, f"{value:.2f}", _WHITE, dot)
    return top + (BARS + 1) * row + 6 * dot


def _stamp(picture: np.ndarray, frame: Frame) -> None:
    """Number and time of the frame, at the lower left."""
    dot = _dot_px(picture)
    time = "" if frame.pts_seconds is None else f"  {frame.pts_seconds:.2f} s"
    ink.text(picture, 6 * dot, picture.shape[0] - 12 * dot, f"frame {frame.index}{time}", _WHITE, dot)


def _dot_px(picture: np.ndarray) -> int:
    """The size of a dot of text."""
    return max(1, round(picture.shape[0] / 320))


class Preview:
    """An overlay video in the making: H.264 in the container of the file's suffix, even width and height.

    The first frame sets the size; one of another size is fitted into it. Frames keep their own times.
    """

    def __init__(self, path: str | Path, fps: float, model: FaceModel, render: str | None = None) -> None:
        """`render` is as for `Overlay`. Raises SettingsError for another and where the file cannot be written,
        BackendUnavailable without an H.264 encoder."""
        if not 0 < fps <= 1000:
            raise SettingsError(f"{fps} frames a second for the preview; give a number above 0, such as 30")
        self.path, self._overlay = Path(path), Overlay(model, render)
        self._container = _open(self.path)
        self._fps = fps
        self._painter: Painter | None = None
        self._stream: Any = None
        self._first_seconds: float | None = None
        self._ticks = -1

    def add(self, frame: Frame, faces: Sequence[Face]) -> np.ndarray:
        """Draw and encode one frame; returns the drawn picture uint8 [H, W, 3], valid until the next call."""
        if self._painter is None:
            self._painter = Painter(frame.width_px + frame.width_px % 2, frame.height_px + frame.height_px % 2)
            self._stream = self._open_stream(self._painter)
        picture, scale = self._painter.rgb(frame)
        self._overlay(picture, faces, scale)
        _stamp(picture, frame)
        drawn = self._painter.encodable(picture, self._next_ticks(frame), Fraction(1, _CLOCK))
        self._container.mux(self._stream.encode(drawn))
        return picture

    def close(self) -> None:
        """Finish the file. Without a single frame it is removed again: an empty video opens nowhere."""
        if self._container is None:
            return
        container, self._container = self._container, None
        if self._stream is not None:
            container.mux(self._stream.encode(None))
            container.close()
        else:
            container.close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_stream(self, painter: Painter) -> Any:
        options = {"preset": "veryfast", "crf": "21"}
        try:
            rate = Fraction(self._fps).limit_denominator(1001)
            stream: Any = self._container.add_stream("libx264", rate=rate, options=options)
        except (ValueError, OSError) as error:
            raise BackendUnavailable(f"no H.264 encoder ({error}); pip install --force-reinstall av") from error
        stream.width, stream.height, stream.pix_fmt = painter.width_px, painter.height_px, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _CLOCK)
        painter.tag(stream.codec_context)
        return stream

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


def _open(path: Path) -> Any:
    """A new file, made at once: the library would say only at the first frame that it cannot be."""
    try:
        path.open("wb").close()
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror}); give a file in a folder that exists") from error
    try:
        return av.open(str(path), "w")
    except (OSError, ValueError) as error:
        path.unlink()
        raise SettingsError(f"no video format goes by {path.name!r}; give a file such as preview.mp4") from error


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

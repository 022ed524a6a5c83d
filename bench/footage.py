"""Encoded video to measure with: a clip's face, once or tiled, at any size and rate, numbered in its pixels.

Given a clip with a face it writes an H.264 file without B-frames that ends where it began, so that it can be played
round and round without a cut: the clip runs forth and back. Every frame has its number in a strip. It does not know
how it will be played.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tracker.bench import strip
from tracker.bench.peers import contiguous_rgb
from tracker.errors import SettingsError, SourceError

SECONDS_FORTH = 5.0
"""Taken from the clip; there and back is a round."""
GROUP_SECONDS = 2
"""From key frame to key frame, as in a video call."""
FACE_MARGIN = 1.9
"""Side of a tile, by that of the box around the landmarks."""
GREY = 128
FACES = (1, 8)


@dataclass(frozen=True, slots=True)
class Shot:
    """What is to be filmed."""

    height_px: int = 720
    rate_hz: int = 30
    faces: int = 1
    crf: int = 23
    """x264's quality: 23 is its usual, 45 a bad line."""

    def __post_init__(self) -> None:
        if self.height_px % 2 or not 120 <= self.height_px <= 2160 or not 1 <= self.rate_hz <= 240:
            raise SettingsError(
                f"{self.height_px} rows at {self.rate_hz} Hz; give an even number of 120 to 2160 rows, 1 to 240 Hz"
            )
        if not FACES[0] <= self.faces <= FACES[1]:
            raise SettingsError(f"{self.faces} faces; give {FACES[0]} to {FACES[1]}")

    @property
    def width_px(self) -> int:
        """16 to 9."""
        return round(self.height_px * 16 / 9 / 2) * 2

    def __str__(self) -> str:
        faces = f"{self.faces} face{'s' if self.faces > 1 else ''}"
        return f"{self.width_px} x {self.height_px} at {self.rate_hz} Hz, {faces}"


@dataclass(frozen=True, slots=True)
class Reel:
    """The beginning of a clip, as it was decoded."""

    pictures: list[Any]
    """`av.VideoFrame`s, upright."""
    rate_hz: float
    face_px: tuple[float, float, float] | None
    """Where the face is: its middle, and the side of a square around it in every picture. None before it is needed."""


def load(clip: Path, find_face: bool) -> Reel:
    """Decode the beginning of `clip`, and look for the face there. Raises SourceError for what shows none."""
    import av

    if not clip.is_file():
        raise SourceError(f"no file at {clip}; give the path of a video with a face")
    pictures: list[Any] = []
    try:
        with av.open(str(clip)) as container:
            rate = float(container.streams.video[0].average_rate or 30)
            for picture in container.decode(video=0):
                pictures.append(_upright(picture))
                if len(pictures) >= SECONDS_FORTH * rate:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise SourceError(f"{clip} is not a video that can be read ({error}); try `ffprobe {clip}`") from error
    if len(pictures) < 2:
        raise SourceError(f"{clip} holds {len(pictures)} frames; give a video of some seconds")
    return Reel(pictures, rate, _face(clip, pictures, rate) if find_face else None)


def _upright(picture: Any) -> Any:
    """A phone's picture lies on its side, and says so; what is filmed of it stands."""
    import av

    return av.VideoFrame.from_ndarray(contiguous_rgb(picture), "rgb24") if picture.rotation else picture


def _face(clip: Path, pictures: list[Any], rate_hz: float) -> tuple[float, float, float]:
    """The square that holds the face all along."""
    from tracker import Tracker  # compiles and loads the networks

    tracker = Tracker(max_faces=1)
    found = [tracker.track(picture, pts_seconds=k / rate_hz) for k, picture in enumerate(pictures)]
    corners = [(f[0].landmarks_px[:, :2].min(0), f[0].landmarks_px[:, :2].max(0)) for f in found if f]
    if not corners:
        raise SourceError(f"no face in the first {SECONDS_FORTH:g} s of {clip}; give a clip with one, to be tiled")
    low, high = (np.median([pair[side] for pair in corners], 0) for side in (0, 1))
    x, y = (low + high) / 2
    return float(x), float(y), float(FACE_MARGIN * (high - low).max())


def film(reel: Reel, shot: Shot, path: Path) -> int:
    """Write `shot` of `reel` to `path`, an MP4; the number of frames in a round."""
    import av

    count = frames_of(reel, shot)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=shot.rate_hz, options={
            "preset": "veryfast", "tune": "zerolatency", "crf": str(shot.crf), "bf": "0",
            "g": str(GROUP_SECONDS * shot.rate_hz),
        })  # fmt: skip
        stream.width, stream.height, stream.pix_fmt = shot.width_px, shot.height_px, "yuv420p"
        stream.codec_context.time_base = Fraction(1, shot.rate_hz)
        for number in range(count):
            planes = compose(reel, shot, number)
            strip.draw(planes[: shot.height_px], number)
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, shot.rate_hz)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return count


def frames_of(reel: Reel, shot: Shot) -> int:
    """Frames of `shot` in a round, forth and back."""
    return max(2, round((2 * len(reel.pictures) - 2) / reel.rate_hz * shot.rate_hz))


def compose(reel: Reel, shot: Shot, number: int) -> np.ndarray:
    """Frame `number` of a round as I420 planes below each other, uint8 [H * 3 / 2, W], without the strip."""
    base = int(number * reel.rate_hz / shot.rate_hz)
    whole = np.full((shot.height_px * 3 // 2, shot.width_px), GREY, np.uint8)
    if shot.faces == 1:
        picture = _picture(reel, base)
        high = shot.height_px
        wide = min(shot.width_px, round(picture.width * high / picture.height / 2) * 2)
        _paste(whole, picture.reformat(wide, high, "yuv420p").to_ndarray(), ((shot.width_px - wide) // 4 * 2, 0))
        return whole
    columns, rows = grid(shot.faces)
    top = strip.cell_px(shot.height_px)
    side = min(shot.width_px // columns, (shot.height_px - top) // rows) // 2 * 2
    for k in range(shot.faces):
        row, column = divmod(k, columns)
        # No two alike: each runs a little later than the one before.
        tile = _tile(reel, _picture(reel, base + 11 * k), side)
        _paste(whole, tile, (column * side, top + row * side))
    return whole


def grid(faces: int) -> tuple[int, int]:
    """Columns and rows for so many square tiles in a wide picture."""
    columns = math.ceil(math.sqrt(faces * 16 / 9))
    return columns, math.ceil(faces / columns)


def _picture(reel: Reel, index: int) -> Any:
    """Of forth and back for ever."""
    last = len(reel.pictures) - 1
    return reel.pictures[last - abs(last - index % (2 * last))]


def _tile(reel: Reel, picture: Any, side: int) -> np.ndarray:
    """The face's square, cut out and scaled to `side`, as I420 [side * 3 / 2, side]; it stays within the picture."""
    import av

    assert reel.face_px is not None  # looked for when the reel was loaded
    x, y, wanted = reel.face_px
    size = min(round(wanted / 2) * 2, picture.width, picture.height) // 2 * 2
    left = int(np.clip(x - size / 2, 0, picture.width - size)) // 2 * 2
    top = int(np.clip(y - size / 2, 0, picture.height - size)) // 2 * 2
    planes = picture.reformat(format="yuv420p").to_ndarray()
    cut = np.empty((size * 3 // 2, size), np.uint8)
    for target, plane, halves in zip(_planes(cut), _planes(planes), (1, 2, 2), strict=True):
        rows = slice(top // halves, (top + size) // halves)
        target[:] = plane[rows, left // halves : (left + size) // halves]
    scaled: np.ndarray = av.VideoFrame.from_ndarray(cut, format="yuv420p").reformat(side, side).to_ndarray()
    return scaled


def _paste(whole: np.ndarray, part: np.ndarray, place: tuple[int, int]) -> None:
    """Lay I420 `part` into I420 `whole` at column, row; both even."""
    for target, plane, halves in zip(_planes(whole), _planes(part), (1, 2, 2), strict=True):
        left, top = place[0] // halves, place[1] // halves
        target[top : top + plane.shape[0], left : left + plane.shape[1]] = plane


def _planes(stacked: np.ndarray) -> list[np.ndarray]:
    """Y, U and V as views of [H * 3 / 2, W], whole in memory; H and W even."""
    rows, columns = stacked.shape[0] * 2 // 3, stacked.shape[1]
    flat, luma = stacked.reshape(-1), rows * columns
    chroma = [flat[a : a + luma // 4].reshape(rows // 2, columns // 2) for a in (luma, luma + luma // 4)]
    return [stacked[:rows], *chroma]

"""Real clips, encoded on the spot: solid pictures whose luma counts the frames, so that each can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.source import Frame

FIRST_LUMA, LUMA_STEP = 30, 5


@dataclass
class Clip:
    """What to encode; the defaults make 30 frames of H.264."""

    frames: int = 30
    size: tuple[int, int] = (160, 120)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    rotation_deg: int | None = None
    fps: int = 30
    noisy: bool = False
    """With colour noise, which makes frames of some kilobytes."""

    def write(self, path: Path) -> Path:
        with av.open(str(path), "w", options=self.muxer) as container:
            stream = container.add_stream(self.codec, rate=self.fps, options=self.options)
            stream.width, stream.height = self.size
            stream.pix_fmt = self.pix_fmt
            if self.rotation_deg is not None:
                stream.set_display_rotation(self.rotation_deg)
            for index in range(self.frames):
                picture = solid("yuv420p", self.size, (FIRST_LUMA + LUMA_STEP * (index % 40), 128, 128))
                if self.noisy:
                    blotch(picture, index)
                picture.pts, picture.time_base = index, Fraction(1, self.fps)
                container.mux(stream.encode(picture.reformat(format=self.pix_fmt)))
            container.mux(stream.encode(None))
        return path


def blotch(picture: av.VideoFrame, seed: int) -> None:
    """Fill the chroma with noise, and leave the luma that tells frames apart."""
    for plane in picture.planes[1:]:
        samples = np.frombuffer(plane, np.uint8)
        samples[:] = np.random.default_rng(seed).integers(100, 156, samples.size, np.uint8)


def solid(pix_fmt: str, size: tuple[int, int], values: tuple[int, ...]) -> av.VideoFrame:
    """A picture of one colour, given as the samples of its components in storage order."""
    picture = av.VideoFrame(*size, pix_fmt)
    dtype = np.uint16 if pix_fmt.endswith("le") else np.uint8
    left = list(values)
    for number, plane in enumerate(picture.planes):
        samples = np.frombuffer(plane, dtype)
        count = len(values) if len(picture.planes) == 1 else 2 if len(picture.planes) == 2 and number else 1
        row = np.resize(np.array(left[:count], dtype), plane.line_size // samples.itemsize)
        samples.reshape(plane.height, -1)[:] = row
        left = left[count:]
    return picture


def shown(frame: Frame) -> int:
    """Which frame of the clip this is, by its luma."""
    luma = float(np.median(frame.planes[0])) / (1 if frame.bit_depth == 8 else 4)
    if frame.full_range:
        luma = 16 + luma * 219 / 255
    return round((luma - FIRST_LUMA) / LUMA_STEP)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Encode a clip under a file name, once per session for the same wishes."""
    folder, made = tmp_path_factory.mktemp("source"), {}

    def encode(name: str, **wishes: object) -> Path:
        key = (name, repr(sorted(wishes.items())))
        if key not in made:
            place = folder / str(len(made))
            place.mkdir()
            made[key] = Clip(**wishes).write(place / name)  # type: ignore[arg-type]
        return made[key]

    return encode


@pytest.fixture(scope="session")
def frame_shown() -> Callable[[Frame], int]:
    return shown


@pytest.fixture(scope="session")
def solid_picture() -> Callable[..., av.VideoFrame]:
    return solid

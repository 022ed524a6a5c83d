"""What many tests need: a small encoded clip without a face, and the data folder beside the repository."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

CLIP_FRAMES = 30
CLIP_SIZE = (160, 120)

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def write_clip(path: Path, frames: int = CLIP_FRAMES, fps: int = 30) -> Path:
    """Encode a drifting colour gradient as H.264: no face, but every frame differs from the last."""
    import av

    width, height = CLIP_SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(frames):
            channels = (columns + 4 * index, rows + 2 * index, columns + rows)
            picture = av.VideoFrame.from_ndarray(np.stack(channels, -1).astype(np.uint8), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def faceless_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of 30 frames, 160 x 120, 30 a second, without a face."""
    return write_clip(tmp_path_factory.mktemp("clips") / "faceless.mp4")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The data folder that lies beside the repository; a test that needs it is skipped where it does not."""
    if not _DATA.is_dir():
        pytest.skip(f"no data folder beside the repository ({_DATA.parent.name}/{_DATA.name})")
    return _DATA

"""What the device's tests share: the bundled clip as the processor saw it, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

CLIP = str(files("tracker.assets").joinpath("demo.mp4"))


@dataclass(frozen=True)
class Look:
    """One frame of the clip."""

    seconds: float
    roi: Any
    """The square the processor looked at."""
    crop: np.ndarray
    vector: np.ndarray
    """What its network said."""
    face: Any
    camera: Any


@pytest.fixture(scope="session")
def looks() -> list[Look]:
    """Twenty looks at the bundled clip's face, one after the other."""
    from tracker.pipeline import build_pipeline
    from tracker.source import open_source

    pipeline, found = build_pipeline(), []
    with open_source(CLIP) as source:
        for frame in source:
            squares = [track.roi for track in pipeline.finder.tracks]
            faces = pipeline.track(frame)
            if faces and squares:
                network = pipeline.regressor.network
                found.append(Look(
                    frame.pts_seconds or 0.0, squares[0], network.input[0].copy(), network.output[0].copy(), faces[0],
                    pipeline.camera_for(frame),
                ))  # fmt: skip
            if len(found) == 20:
                return found
    raise AssertionError("the bundled clip shows a face for longer")


@pytest.fixture(scope="session")
def here() -> Any:
    """The processor, as torch names it."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
    torch.set_num_threads(1)
    return torch.device("cpu")

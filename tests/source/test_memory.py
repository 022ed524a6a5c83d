"""A decoded picture is freed as soon as nobody holds it: by its reference count, without a garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from tracker.source import SourceSettings, frame_from_av, open_source


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _pictures() -> int:
    return sum(isinstance(one, VideoFrame) for one in gc.get_objects())


def test_pictures_do_not_pile_up(faceless_clip: Path) -> None:
    before = _pictures()
    with open_source(str(faceless_clip), SourceSettings(loop=True)) as source:
        for count, _ in enumerate(source):
            if count == 100:
                break
        assert _pictures() - before <= 4


def test_a_picture_from_memory_goes_with_its_frame() -> None:
    before = _pictures()
    for _ in range(10):
        frame_from_av(VideoFrame(64, 48, "yuv420p"), 0.0)
    assert _pictures() <= before

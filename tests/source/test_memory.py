"""A decoded picture is freed as soon as nobody holds it: by its reference count, without a garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from av.video.frame import VideoFrame

from tracker.source import SourceSettings, frame_from_av, hardware, open_source
from tracker.source.hardware import Stamp, framed, stays_there
from tracker.source.planes import display_matrix


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _pictures() -> int:
    return sum(type(one) is VideoFrame for one in gc.get_objects())


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


class Surface:
    """A picture of PyAV that says it lies on a device, with everything else its own: `side_data` too."""

    def __init__(self, picture: VideoFrame) -> None:
        self.picture, self.sw_format = picture, SimpleNamespace(name="nv12")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.picture, name)


def test_a_picture_on_the_device_goes_with_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder has a few surfaces for all its pictures: one that nothing frees is one that it waits for."""
    monkeypatch.setattr(hardware, "display_matrix", lambda surface: display_matrix(surface.picture))
    before = _pictures()
    for index in range(10):
        surface: Any = Surface(VideoFrame(64, 48, "nv12"))
        assert stays_there(surface)
        framed(surface, None, Stamp(index, Fraction(1, 30), index, 0, 0))
    del surface
    assert _pictures() <= before


def test_a_picture_to_be_labelled_goes_with_its_patch(clip: Callable[..., Path]) -> None:
    label = pytest.importorskip("tracker.distill.label", reason="training code comes with the train extra")
    before = _pictures()
    for turn, shape in ((0, (64, 96)), (90, (96, 64))):
        frames = label._frames(clip("turned.mp4", frames=20, size=(96, 64), rotation_deg=turn), None)
        assert {rgb.shape[:2] for _, rgb in frames} == {shape}
        del frames
        assert _pictures() - before <= 2

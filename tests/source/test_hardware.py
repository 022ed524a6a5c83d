"""Pictures in a device's memory, by stand-ins for the decoder's: what is copied here, when, and what stays there."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from tracker.errors import SourceError
from tracker.source import SourceSettings, hardware, open_source, opening
from tracker.source.address import parse_address
from tracker.source.decoder import Decoder
from tracker.source.frame import Frame
from tracker.source.hardware import HardwareFrame, Stamp, framed, picture_on_device, stays_there

av = pytest.importorskip("av")
STAMP = Stamp(30, Fraction(1, 60), 3, 100, 200, 1)


class Picture:
    """NV12 in a device's memory, as PyAV shows it."""

    def __init__(self, width=64, height=48, inner="nv12", turned=False):
        self.width, self.height, self.colorspace, self.color_range = width, height, 1, 2
        self.sw_format = inner and SimpleNamespace(name=inner)
        self.turn = np.eye(3, dtype=np.int32).ravel() if turned else None
        self.copies = 0

    def reformat(self, format):
        self.copies += 1
        made = av.VideoFrame(self.width, self.height, format)
        for number, plane in enumerate(made.planes):
            plane.update(bytes([50 + number]) * plane.buffer_size)
        made.color_range = self.color_range
        return made


def test_planes_come_here_once_and_only_when_asked_for():
    picture = Picture()
    frame = framed(picture, None, STAMP)
    assert isinstance(frame, HardwareFrame) and picture_on_device(frame) is picture
    assert (frame.width_px, frame.height_px, frame.layout, frame.bit_depth) == (64, 48, "nv12", 8)
    assert (frame.matrix, frame.full_range, frame.pts_seconds) == ("bt709", True, 0.5)
    assert (frame.pts, frame.index, frame.captured_ns, frame.decoded_ns, frame.dropped) == (30, 3, 100, 200, 1)
    assert picture.copies == 0
    luma, chroma = frame.planes
    assert luma.shape == (48, 64) and chroma.shape == (24, 32, 2) and (luma == 50).all() and (chroma == 51).all()
    assert frame.planes[0] is luma and picture.copies == 1


def test_it_has_every_attribute_of_a_frame():
    frame = framed(Picture(), None, STAMP)
    for name in Frame.__slots__:
        assert getattr(frame, name) is not None


@pytest.mark.parametrize(
    ("picture", "there"),
    [
        (Picture(), True),
        (Picture(inner="p010le"), False),
        (Picture(width=63), False),
        (Picture(turned=True), False),
        (Picture(inner=None), False),
    ],
)
def test_what_the_devices_kernels_cannot_read_does_not_stay_there(picture, there, monkeypatch):
    monkeypatch.setattr(hardware, "display_matrix", lambda picture: picture.turn)  # PyAV asks a picture of its own
    assert stays_there(picture) is there


def test_a_picture_that_cannot_be_copied_is_the_sources_error():
    picture = Picture()
    picture.reformat = lambda format: (_ for _ in ()).throw(OSError("the device is gone"))
    with pytest.raises(SourceError, match="cannot be copied from its device: the device is gone"):
        _ = framed(picture, None, STAMP).planes


def test_a_hardware_decoder_that_has_to_work_works_or_says_why_not(faceless_clip):
    """And with `auto` the processor decodes where there is none."""
    with open_source(str(faceless_clip), SourceSettings(decode="auto")) as source:
        frames = list(source)
    assert len(frames) == 30
    if picture_on_device(frames[0]) is not None:
        pytest.skip("there is NVDEC here")
    with pytest.raises(SourceError, match="cannot be decoded on a CUDA device here"):
        open_source(str(faceless_clip), SourceSettings(decode="cuda"))
    with pytest.raises(SourceError, match="is not a video"):
        open_source(__file__, SourceSettings(decode="cuda"))


class Driver:
    """NVIDIA's, as far as it says whether this thread works on a device."""

    def __init__(self, code=0, context=7):
        self._code, self._context = code, context

    def cuCtxGetCurrent(self, into):  # noqa: N802
        into._obj.value = self._context
        return self._code


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        (Driver(), {"primary_ctx": "0", "current_ctx": "1"}),
        (Driver(context=0), {"primary_ctx": "1", "current_ctx": "0"}),
        (Driver(code=3), {"primary_ctx": "1", "current_ctx": "0"}),
        (SimpleNamespace(), {"primary_ctx": "1", "current_ctx": "0"}),
        (None, {"primary_ctx": "1", "current_ctx": "0"}),
    ],
)
def test_a_decoder_joins_the_context_that_is_there(driver, options, monkeypatch):
    """Torch's, whose flags FFmpeg would refuse: it then decodes on the processor without a word."""

    def library(name):
        if driver is None:
            raise OSError(f"{name}: cannot open shared object file")
        return driver

    monkeypatch.setattr(opening.ctypes, "CDLL", library)
    made = {}
    monkeypatch.setattr(opening, "HWAccel", lambda kind, **parts: made.update(parts))
    opening.accelerator()
    assert made == {"allow_software_fallback": True, "is_hw_owned": True, "options": options}


def test_a_decoder_that_has_to_stay_there_and_does_not_is_told_at_the_first_picture(faceless_clip):
    """FFmpeg falls back when the first picture comes: without libnvcuvid, say, as in many a container."""
    decoder = Decoder(parse_address(str(faceless_clip)), SourceSettings())
    decoder._must_stay = True
    with pytest.raises(SourceError, match="cannot be decoded on a CUDA device here"):
        next(iter(decoder))
    decoder.close()

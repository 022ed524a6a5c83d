"""Crops into the frame: cut here and brought to the frame's precision; a decoder's plane adopted without its stream."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.device import crop  # noqa: E402
from tracker.device.crop import Cropper, Exported  # noqa: E402
from tracker.device.row import ASKED_WIDTH, ask  # noqa: E402
from tracker.face.camera import Camera  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.regress.outputs import CROP_PX  # noqa: E402
from tracker.source import frame_from_av, frame_from_image  # noqa: E402

ROIS = Roi(120, 90, 150, 0.3), Roi(10, 10, 60, -1.0), Roi(60, 50, 80, 0.0)


class Frame:
    """What a cropper writes to."""

    def __init__(self, batch):
        self.crops = torch.full((batch, 3, CROP_PX, CROP_PX), 7.0, dtype=torch.float16)
        self.asked = torch.zeros((batch, ASKED_WIDTH), dtype=torch.float64)
        for row, roi in zip(self.asked.numpy(), ROIS, strict=False):
            ask(row, roi, Camera(1, 1, 0, 0), 0, (0, 0, 0, 0), 0.5)


def assert_cropped(found, frame, roi):
    wanted = np.empty((3, CROP_PX, CROP_PX), np.float32)
    arguments = (frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range)
    choose().crop_roi(*arguments, roi.px_from_crop(CROP_PX), wanted)
    np.testing.assert_allclose(found.float(), wanted, atol=0.07)


@pytest.fixture(scope="module")
def frames():
    """Of several sizes and pixel formats."""
    import av

    rng = np.random.default_rng(0)
    rgb = [rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8) for rows, columns in ((200, 300), (120, 160))]
    picture = av.VideoFrame.from_ndarray(rng.integers(0, 256, (100, 180, 3), dtype=np.uint8))
    return [*(frame_from_image(one, 0.0) for one in rgb), frame_from_av(picture.reformat(format="nv12"), 0.0)]


def test_crops_are_the_regressors(here, frames):
    into = Frame(4)
    Cropper(choose().crop_roi, 4, here)([(frames[0], ROIS[:2])], into)
    for roi, found in zip(ROIS, into.crops[:2], strict=False):
        assert_cropped(found, frames[0], roi)
    assert (into.crops[2:] == 7).all(), "places without a face are left alone"


def test_frames_of_several_streams_are_cropped_in_their_order(here, frames):
    into, cropper = Frame(4), Cropper(choose().crop_roi, 4, here)
    cropper([(frames[0], ROIS[:1]), (frames[2], ROIS[1:2]), (frames[1], ROIS[2:])], into)
    for roi, frame, found in zip(ROIS, (frames[0], frames[2], frames[1]), into.crops, strict=False):
        assert_cropped(found, frame, roi)


def test_pictures_here_and_on_the_device_share_a_batch(here, frames, monkeypatch):
    """The first and last rows from NVDEC's pictures, by stand-ins for them, CuPy and its kernel."""
    picture = SimpleNamespace(planes=frames[2].planes)
    monkeypatch.setattr(crop, "picture_on_device", lambda frame: picture if frame is frames[2] else None)
    monkeypatch.setattr(crop, "on_stream", lambda address: nullcontext())
    monkeypatch.setattr(crop, "Nv12", lambda luma, chroma, matrix, full_range: (luma, chroma, matrix, full_range))
    monkeypatch.setattr(crop, "Crops", lambda tensor, scale: tensor)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(from_dlpack=lambda plane: plane._plane))
    calls = []

    def crop_nv12(picture, maps, crops):
        assert maps.is_contiguous() and crops.is_contiguous() and len(maps) == len(crops)
        luma, chroma, matrix, full_range = picture
        for one, crop_of in zip(maps.numpy(), crops, strict=True):
            found = np.empty((3, CROP_PX, CROP_PX), np.float32)
            choose().crop_roi((luma, chroma), "nv12", 8, matrix, full_range, one, found)
            crop_of.copy_(torch.from_numpy(found))
        calls.append(len(maps))

    into, cropper = Frame(4), Cropper(choose().crop_roi, 4, here)
    cropper._crop_nv12 = crop_nv12
    cropper._here.fill_(3.0)
    cropper([(frames[2], ROIS[:1]), (frames[0], ROIS[1:2]), (frames[2], ROIS[2:])], into)
    for roi, frame, found in zip(ROIS, (frames[2], frames[0], frames[2]), into.crops, strict=False):
        assert_cropped(found, frame, roi)
    assert calls == [1, 1] and (into.crops[3:] == 7).all()


def test_a_plane_is_adopted_whatever_stream_is_named():
    import av

    picture = av.VideoFrame.from_ndarray(np.arange(64 * 96, dtype=np.uint8).reshape(96, 64), format="yuv420p")
    plane = torch.from_dlpack(Exported(picture.planes[0]))
    assert plane.shape == (64, 64) and plane[1, 3] == 67
    assert Exported(picture.planes[0]).__dlpack__(stream=5, max_version=(1, 0)) is not None
    assert Exported(picture.planes[0], 3).__dlpack_device__() == (1, 3), "PyAV says 0 wherever it is"

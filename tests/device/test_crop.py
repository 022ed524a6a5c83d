"""Crops into the frame: cut here and brought to the frame's precision; a decoder's plane adopted without its stream."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.detect.roi import Roi  # noqa: E402
from tracker.device.crop import Cropper, Exported  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.regress.outputs import CROP_PX  # noqa: E402
from tracker.source import frame_from_image  # noqa: E402


class Frame:
    """What a cropper writes to."""

    def __init__(self, batch):
        self.crops = torch.full((batch, 3, CROP_PX, CROP_PX), 7.0, dtype=torch.float16)


def test_crops_are_the_regressors(here):
    rng = np.random.default_rng(0)
    frame = frame_from_image(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8), 0.0)
    rois, kernels = (Roi(120, 90, 150, 0.3), Roi(10, 10, 60, -1.0)), choose()
    into = Frame(4)
    Cropper(kernels.crop_roi, 4, here)(frame, rois, into)
    for roi, found in zip(rois, into.crops, strict=False):
        wanted = np.empty((3, CROP_PX, CROP_PX), np.float32)
        arguments = (frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range)
        kernels.crop_roi(*arguments, roi.px_from_crop(CROP_PX), wanted)
        np.testing.assert_allclose(found.float(), wanted, atol=0.07)
    assert (into.crops[2:] == 7).all(), "places without a face are left alone"


def test_a_plane_is_adopted_whatever_stream_is_named():
    import av

    picture = av.VideoFrame.from_ndarray(np.arange(64 * 96, dtype=np.uint8).reshape(96, 64), format="yuv420p")
    plane = torch.from_dlpack(Exported(picture.planes[0]))
    assert plane.shape == (64, 64) and plane[1, 3] == 67
    assert Exported(picture.planes[0]).__dlpack__(stream=5, max_version=(1, 0)) is not None

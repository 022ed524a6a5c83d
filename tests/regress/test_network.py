"""The shipped networks load, run and refuse what does not belong to them."""

import numpy as np
import pytest

from tracker.errors import AssetError
from tracker.face.model import FaceModel
from tracker.regress.network import Network
from tracker.regress.outputs import CROP_PX, SLICES, WIDTH

STUDENT = (1, 3, CROP_PX, CROP_PX)


def test_slices_fill_the_vector_without_overlap():
    covered = np.zeros(WIDTH, int)
    for part in SLICES.values():
        covered[part] += 1
    assert (covered == 1).all()


def test_the_student_belongs_to_the_shipped_face_model():
    network = Network("student.onnx", STUDENT, FaceModel.load().hash)
    assert network.output.shape == (1, WIDTH) and network.version
    network.input[:] = 127
    first = network().copy()
    assert np.isfinite(first).all()
    network.input[:, :, 40:90, 40:90] = 20
    assert np.abs(network() - first).max() > 1e-3, "the buffers really are the network's"


def test_another_face_model_is_refused():
    with pytest.raises(AssetError, match="trained for face model"):
        Network("student.onnx", STUDENT, b"\x01" * 8)


def test_files_that_are_no_network(tmp_path):
    with pytest.raises(AssetError, match="no network at"):
        Network("student.onnx", STUDENT, path=tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(AssetError, match="not a network"):
        Network("student.onnx", STUDENT, path=tmp_path / "text.onnx")


def test_the_output_cannot_be_written():
    network = Network("student.onnx", STUDENT)
    with pytest.raises(ValueError):
        network()[0, 0] = 1


def test_some_rows_give_what_all_rows_give():
    network = Network("student.onnx", (3, *STUDENT[1:]))
    network.input[:] = np.random.default_rng(0).uniform(0, 255, network.input.shape)
    every = network().copy()
    network.input[2] = 0
    two = network(2)
    assert two.shape == (2, WIDTH)
    np.testing.assert_array_equal(two, every[:2])


def test_squares_looked_at_together_are_seen_as_one_by_one():
    from tracker.detect.roi import Roi
    from tracker.kernels.backend import choose
    from tracker.regress.regressor import Regressor
    from tracker.source import frame_from_image

    frame = frame_from_image(np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8))
    rois = [Roi(60.0, 60.0, 80.0, 0.1), Roi(100.0, 50.0, 40.0, -0.3), Roi(10.0, 90.0, 90.0, 1.0)]
    regressor = Regressor(choose().crop_roi, 3, FaceModel.load().hash)
    together = [(guess.roi, guess.output.copy(), guess.presence) for guess in regressor(frame, rois)]
    assert [roi for roi, _, _ in together] == rois and regressor(frame, []) == []
    for roi, output, presence in together:
        (alone,) = regressor(frame, [roi])
        np.testing.assert_array_equal(alone.output, output)
        assert alone.presence == presence

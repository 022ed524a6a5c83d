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

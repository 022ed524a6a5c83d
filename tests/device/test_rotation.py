"""Batched rotations against the references of the kernels, and their laws."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device.rotation import Rotations, inverse, orthonormal  # noqa: E402
from tracker.kernels.imm import reference as one  # noqa: E402
from tracker.kernels.lift.reference import orthonormal as one_orthonormal  # noqa: E402


@pytest.fixture
def turns():
    return Rotations(torch.device("cpu"))


@pytest.fixture
def vectors():
    """Small, large, none at all, and about each axis by nearly half a turn."""
    rng = np.random.default_rng(3)
    rows = [*rng.normal(0, 1.5, (40, 3)), *rng.normal(0, 1e-6, (4, 3)), np.zeros(3), *(np.eye(3) * 3.14)]
    return torch.tensor(np.array(rows))


def test_matrices_and_quaternions_equal_the_references(turns, vectors):
    matrices = turns.exp(vectors)
    quaternions = turns.quaternion(matrices)
    np.testing.assert_allclose(quaternions, [one._quaternion(m.numpy()) for m in matrices], atol=1e-12)
    np.testing.assert_allclose(turns.matrix(quaternions), matrices, atol=1e-12)
    others = quaternions.roll(1, 0)
    np.testing.assert_allclose(
        turns.times(quaternions, others),
        [one._times(p.numpy(), q.numpy()) for p, q in zip(quaternions, others, strict=True)], atol=1e-12,
    )  # fmt: skip


def test_a_share_of_a_turn(turns, vectors):
    quaternions = turns.quaternion(turns.exp(vectors))
    others = quaternions.roll(3, 0)
    turn = turns.between(quaternions, others)
    expected = [one._log(one._between(p.numpy(), q.numpy())) for p, q in zip(quaternions, others, strict=True)]
    np.testing.assert_allclose(turn, expected, atol=1e-9)
    whole = turns.moved(quaternions, turn, torch.ones(len(turn), 1, dtype=torch.float64))
    assert float((whole * others).sum(1).abs().min()) > 1 - 1e-12, "the whole turn leads there"
    none = turns.moved(quaternions, turn, torch.zeros(len(turn), 1, dtype=torch.float64))
    np.testing.assert_allclose(none, quaternions, atol=1e-12)


def test_inverses_and_columns(turns, vectors):
    matrices = turns.exp(vectors) * 3 + 0.1
    found, determinant = inverse(matrices)
    np.testing.assert_allclose(found @ matrices, torch.eye(3).double().expand_as(matrices), atol=1e-10)
    np.testing.assert_allclose(determinant[:, 0, 0], np.linalg.det(matrices.numpy()), rtol=1e-10)
    six = matrices.transpose(1, 2)[:, :2].flatten(1)
    np.testing.assert_allclose(orthonormal(six), [one_orthonormal(row.numpy()) for row in six], atol=1e-12)

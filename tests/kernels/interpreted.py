"""What `test_triton.py` runs in a process of its own, where Triton interprets its kernels: they equal numba's.

Whether kernels are interpreted is settled when they are defined, so the variable has to be set before anything is
imported.
"""

from __future__ import annotations

import os
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from lent import Lent, full, lent  # noqa: E402

from tracker.errors import SettingsError  # noqa: E402
from tracker.kernels.backend import operator  # noqa: E402
from tracker.kernels.rasterize import Rasterize, _triton  # noqa: E402
from tracker.kernels.rasterize.cases import CASES, Case  # noqa: E402
from tracker.kernels.shade import Shade  # noqa: E402
from tracker.kernels.shade import _triton as _shade  # noqa: E402
from tracker.kernels.shade.cases import CASES as SHADED  # noqa: E402
from tracker.kernels.shade.cases import TOLERANCE, filled  # noqa: E402


@pytest.fixture(scope="module")
def rasterize() -> Rasterize:
    """Many triangles in a program, because the interpreter pays for programs."""
    return Rasterize(_triton.Raster(full, triangles=128))


SMALL = (
    Case("face", 14, 10, 32, batch=2),
    Case("ball", 14, 9, 32, closed=True),
    Case("folded_with_backs", 12, 10, 28, noise_px=3.0, keep_back=True),
    Case("larger_than_the_picture", 12, 10, 21, size=4.0),
    Case("smaller_than_pixels", 20, 12, 12),
    CASES[6],
)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_rasterize_equals_numba_to_the_bit(rasterize: Rasterize, case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    shares = [np.full((*wanted[2].shape, 3), np.nan, np.float32) for _ in range(2)]
    operator("rasterize", "numba")[0](*wanted, shares[0], case.keep_back)
    rasterize(*lent(found), Lent(shares[1]), case.keep_back)
    for ours, theirs in zip((*found[2:], shares[1]), (*wanted[2:], shares[0]), strict=True):
        np.testing.assert_array_equal(ours.view(np.int32), theirs.view(np.int32))
    rasterize.check()


def test_a_small_triangle_beside_a_large_one_is_not_asked_beyond_32_bits(rasterize: Rasterize) -> None:
    """The interpreter checks for overflow; programs sweep the box of their largest triangle."""
    points = [[-990.0, -990, 1], [-990, 1050, 1], [1050, -990, 1], [58, 58, 0.5], [58, 62, 0.5], [62, 58, 0.5]]
    vertices, triangles = np.array([points], np.float32), np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    found, wanted = ([np.empty((1, 64, 64), kind) for kind in (np.int32, np.float32)] for _ in range(2))
    operator("rasterize", "numba")[0](vertices, triangles, *wanted)
    rasterize(*lent((vertices, triangles, *found)))
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    assert set(np.unique(found[0])) == {-1, 0, 1}


def test_slivers_and_shared_edges(rasterize: Rasterize) -> None:
    rng = np.random.default_rng(0)
    rise = np.sort(rng.integers(32, 320, 80)) / 16
    points = np.concatenate([np.stack([np.full(80, x), rise, np.full(80, 3.0)], 1) for x in (2.5, 19.0)])
    k = np.arange(79)
    strip = np.concatenate([np.stack([k, k + 1, k + 80], 1), np.stack([k + 80, k + 1, k + 81], 1)]).astype(np.int32)
    vertices = points[None].astype(np.float32)
    found, wanted = ([np.empty((1, 24, 24), kind) for kind in (np.int32, np.float32)] for _ in range(2))
    operator("rasterize", "numba")[0](vertices, strip, *wanted)
    rasterize(*lent((vertices, strip, *found)))
    np.testing.assert_array_equal(found[0], wanted[0])


def test_bad_vertices_draw_what_numba_draws_and_are_counted(rasterize: Rasterize) -> None:
    case = SMALL[0]
    vertices, triangles, *found = case.arguments()
    wanted = [array.copy() for array in found]
    vertices[0, 3], vertices[0, 40, 2], vertices[1, 50, 2] = np.nan, -1, np.inf
    vertices[1, 60, 1], vertices[1, 70, 0] = np.inf, 5e4
    triangles[5, 1], triangles[9, 2] = -1, vertices.shape[1]
    with pytest.raises(SettingsError, match=r"^(\d+) triangles") as error:
        operator("rasterize", "numba")[0](vertices, triangles, *wanted)
    rasterize(*lent((vertices, triangles, *found)))
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    with pytest.raises(SettingsError, match=f"^{str(error.value).split()[0]} triangles"):
        rasterize.check()
    rasterize.check()


def test_an_empty_mesh(rasterize: Rasterize) -> None:
    vertices, triangles, ids, depth = SMALL[1].arguments()
    rasterize(*lent((vertices, np.empty((0, 3), np.int32), ids, depth)))
    assert (ids == -1).all() and np.isinf(depth).all()


def test_chunks_of_a_batch_make_one_picture_each(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("batch", 6, 5, 12, batch=5)
    monkeypatch.setattr(_triton, "CHUNK_BYTES", 2 * 8 * 12 * 12)
    wanted, found = case.arguments(), case.arguments()
    operator("rasterize", "numba")[0](*wanted)
    Rasterize(_triton.Raster(full, triangles=64))(*lent(found))
    np.testing.assert_array_equal(found[2], wanted[2])
    np.testing.assert_array_equal(found[3], wanted[3])


def test_numpy_arrays_are_for_the_other_backends(rasterize: Rasterize) -> None:
    with pytest.raises(SettingsError, match="vertices_px is numpy float32 .* a device's contiguous"):
        rasterize(*SMALL[0].arguments())


@pytest.mark.parametrize("case", [SHADED[4], SHADED[6]], ids=lambda case: case.name)
def test_shade_equals_numba(case: Any) -> None:
    shade = Shade(_shade.Shader(full))
    wanted, found = case.arguments(), case.arguments()
    found[1][0, :2], wanted[1][0, :2] = 10**6, 10**6
    operator("shade", "numba")[0](*wanted)
    shade(*lent(found))
    np.testing.assert_allclose(filled(found), filled(wanted), rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(found[-1].pixels, wanted[-1].pixels)
    before = found[-1].error.tobytes()
    shade(*lent(found))
    assert found[-1].error.tobytes() == before

"""`rasterize`: every implementation against the reference, to the bit, and its laws."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.spatial import Delaunay

from tracker.errors import SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.rasterize import FARTHEST, Rasterize, guard_px
from tracker.kernels.rasterize.cases import BARYCENTRIC_TOLERANCE, CASES, Case

SIDE_PX = 24
FRONT = np.array([[[2.0, 2.0, 5.0], [2.0, 20.0, 5.0], [20.0, 2.0, 5.0]]], np.float32)
ONE = np.array([[0, 1, 2]], np.int32)


@pytest.fixture(scope="module", params=["numba", "reference"])
def rasterize(request: pytest.FixtureRequest) -> Rasterize:
    return operator("rasterize", request.param)[0]


@pytest.fixture(scope="module")
def fast() -> Rasterize:
    return operator("rasterize", "numba")[0]


def draw(
    rasterize: Rasterize, vertices: np.ndarray, triangles: np.ndarray, side_px: int = SIDE_PX, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and depths, from buffers full of rubbish and NaN."""
    shape = (len(vertices), side_px, side_px)
    ids, depth = np.full(shape, -77, np.int32), np.full(shape, np.nan, np.float32)
    rasterize(vertices, triangles, ids, depth, **options)
    return ids, depth


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_reference_to_the_bit(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    shares = [np.full((*wanted[2].shape, 3), np.nan, np.float32) for _ in range(2)]
    operator("rasterize", "reference")[0](*wanted, shares[0], case.keep_back)
    operator("rasterize", "numba")[0](*found, shares[1], case.keep_back)
    np.testing.assert_array_equal(found[2], wanted[2])
    np.testing.assert_array_equal(found[3].view(np.int32), wanted[3].view(np.int32))
    np.testing.assert_allclose(shares[1], shares[0], rtol=0, atol=BARYCENTRIC_TOLERANCE)
    assert (wanted[2] >= 0).any()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_barycentrics_sum_to_one_and_lead_back_to_the_pixel(rasterize: Rasterize, case: Case) -> None:
    vertices, triangles, ids, depth = case.arguments()
    share = np.full((*ids.shape, 3), np.nan, np.float32)
    rasterize(vertices, triangles, ids, depth, share, case.keep_back)
    shown = ids >= 0
    assert (share[~shown] == 0).all() and (share >= 0).all()
    np.testing.assert_allclose(share[shown].sum(1), 1, atol=1e-6)
    image, row, column = np.nonzero(shown)
    corners = vertices[image[:, None], triangles[ids[shown]], :2]
    back = np.abs((share[shown][:, :, None] * corners).sum(1) - np.stack([column, row], 1) - 0.5)
    within = (share[shown] > 0).all(1)
    assert back[within].max() < 1e-3
    # Snapping moves an edge by a sixteenth; clipping slides along a sliver's.
    assert within.mean() > 0.8 and back.max() < 1


def counts(rasterize: Rasterize, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Per pixel how many fronts own it, less how many backs: triangles are drawn one by one."""
    vertices = np.concatenate([points, np.ones((len(points), 1))], 1).astype(np.float32)[None]
    total = np.zeros((SIDE_PX, SIDE_PX), int)
    for triangle in triangles:
        for flipped, sign in ((triangle, 1), (triangle[[0, 2, 1]], -1)):
            total += sign * (draw(rasterize, vertices, flipped[None])[0][0] >= 0)
    return total


def inside_of_square(low: float, top: float) -> np.ndarray:
    """The pixels whose centres the square owns: its left and top edges are its own."""
    at = np.arange(SIDE_PX) + 0.5
    owned = (at >= low) & (at < top)
    return (owned[:, None] & owned).astype(int)


def fronts(points: np.ndarray) -> np.ndarray:
    """A triangulation of the points, every triangle a front."""
    found = Delaunay(points).simplices
    a, b, c = (points[found[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    found[area > 0] = found[area > 0][:, [0, 2, 1]]
    return found.astype(np.int32)


def square(rng: np.random.Generator, count: int, low: float, top: float, lattice: int | None) -> np.ndarray:
    """The square's corners and points in it: on a lattice of so many places a pixel, or anywhere."""
    inner = rng.uniform(low, top, (count, 2))
    if lattice:
        inner = np.round(inner * lattice) / lattice
    corners = [(low, low), (top, low), (low, top), (top, top)]
    return np.unique(np.concatenate([corners, inner]).clip(low, top), axis=0)


@pytest.mark.parametrize("lattice", [2, 16, None], ids=["centres_and_corners", "sixteenths", "anywhere"])
def test_every_pixel_of_a_random_mesh_has_one_owner(fast: Rasterize, lattice: int | None) -> None:
    rng = np.random.default_rng(lattice)
    for _ in range(334):
        low, top = rng.integers(2, 10) / 2, rng.integers(30, 46) / 2
        points = square(rng, int(rng.integers(1, 12)), low, top, lattice)
        np.testing.assert_array_equal(counts(fast, points, fronts(points)), inside_of_square(low, top))


def test_the_reference_owns_the_same_pixels(rasterize: Rasterize) -> None:
    points = square(np.random.default_rng(1), 14, 2.5, 20.5, 2)
    np.testing.assert_array_equal(counts(rasterize, points, fronts(points)), inside_of_square(2.5, 20.5))


@pytest.mark.parametrize("slope", [0.0, 0.3, 7.0])
def test_slivers_leave_no_hole(fast: Rasterize, slope: float) -> None:
    """Long triangles a thirtieth of a pixel high, whose shared edges floating point cannot place."""
    rise = np.linspace(2, 20, 541)
    left, right = np.stack([np.full(541, 3.0), rise], 1), np.stack([np.full(541, 19.0), rise + slope / 3], 1)
    right[[0, -1]] = [[19, 2], [19, 20]]
    right[:, 1] = np.sort(right[:, 1].clip(2, 20))
    points = np.concatenate([left, right])
    k = np.arange(540)
    strip = np.concatenate([np.stack([k, k + 1, k + 541], 1), np.stack([k + 541, k + 1, k + 542], 1)]).astype(np.int32)
    wanted = inside_of_square(3, 19) * 0
    wanted[2:20, 3:19] = 1
    np.testing.assert_array_equal(counts(fast, points, strip), wanted)


def test_a_fan_round_a_pixel_centre_owns_it_once(fast: Rasterize) -> None:
    angle = np.linspace(0, 2 * np.pi, 13)[:-1]
    points = np.concatenate([[[12.5, 12.5]], 12.5 + 9 * np.stack([np.cos(angle), np.sin(angle)], 1)])
    k = np.arange(12)
    fan = np.stack([np.zeros(12, int), (k + 1) % 12 + 1, k + 1], 1).astype(np.int32)
    found = counts(fast, points, fan)
    assert set(np.unique(found)) == {0, 1} and found[12, 12] == 1


@pytest.mark.parametrize("case", [CASES[1], CASES[4]], ids=lambda case: case.name)
def test_the_order_of_triangles_changes_only_their_numbers(rasterize: Rasterize, case: Case) -> None:
    vertices, triangles, *_ = case.arguments()
    order = np.random.default_rng(0).permutation(len(triangles))
    ids, depth = draw(rasterize, vertices, triangles, case.side_px, keep_back=case.keep_back)
    other, same = draw(rasterize, vertices, triangles[order], case.side_px, keep_back=case.keep_back)
    np.testing.assert_array_equal(same.view(np.int32), depth.view(np.int32))
    np.testing.assert_array_equal(np.where(other >= 0, order[other], -1), ids)


def test_of_equally_near_triangles_the_smaller_number_shows(rasterize: Rasterize) -> None:
    vertices = np.concatenate([FRONT, FRONT], 1)
    ids, _ = draw(rasterize, vertices, np.array([[3, 4, 5], [0, 1, 2]], np.int32))
    assert set(np.unique(ids)) == {-1, 0}


def test_the_nearer_triangle_shows_wherever_it_stands_in_the_list(rasterize: Rasterize) -> None:
    vertices = np.concatenate([FRONT, FRONT - np.float32([0, 0, 1])], 1)
    triangles = np.array([[3, 4, 5], [0, 1, 2]], np.int32)
    for order, number in (([0, 1], 0), ([1, 0], 1)):
        ids, depth = draw(rasterize, vertices, triangles[order])
        assert set(np.unique(ids)) == {-1, number} and depth[0, 4, 4] == 4


def test_which_corner_comes_first_does_not_matter(rasterize: Rasterize) -> None:
    vertices, triangles, *_ = CASES[1].arguments()
    ids, depth = draw(rasterize, vertices, triangles, 64)
    turned, near = draw(rasterize, vertices, np.ascontiguousarray(np.roll(triangles, 1, 1)), 64)
    assert (turned != ids).mean() < 1e-3  # two triangles may be equally near but for rounding
    shown = np.isfinite(depth)
    np.testing.assert_allclose(near[shown], depth[shown], rtol=1e-6)


def test_backs_are_left_out_unless_asked_for(rasterize: Rasterize) -> None:
    back = np.ascontiguousarray(ONE[:, ::-1])
    assert (draw(rasterize, FRONT, back)[0] == -1).all()
    kept, depth = draw(rasterize, FRONT, back, keep_back=True)
    wanted, same = draw(rasterize, FRONT, ONE)
    np.testing.assert_array_equal(kept, wanted)
    np.testing.assert_array_equal(depth, same)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_not_finite_is_not_drawn(rasterize: Rasterize, axis: int, value: float) -> None:
    vertices = np.concatenate([FRONT, FRONT + np.float32([3, 3, 1])], 1)
    vertices[0, 4, axis] = value
    ids, depth = draw(rasterize, vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32))
    assert set(np.unique(ids)) == {-1, 0} and (np.isfinite(depth) == (ids == 0)).all()


@pytest.mark.parametrize("z", [0.0, -0.0, -3.0, FARTHEST, 3e38])
def test_what_is_behind_the_camera_or_too_far_is_not_drawn(rasterize: Rasterize, z: float) -> None:
    vertices = FRONT.copy()
    vertices[0, 1] = [-1e9, 7e5, z]  # nor is it asked where it is
    ids, depth = draw(rasterize, vertices, ONE)
    assert (ids == -1).all() and np.isinf(depth).all()


def test_an_empty_mesh_and_one_without_area_leave_the_picture_empty(rasterize: Rasterize) -> None:
    for triangles in (np.empty((0, 3), np.int32), np.array([[0, 1, 1], [2, 2, 2]], np.int32)):
        ids, depth = draw(rasterize, FRONT, triangles, keep_back=True)
        assert (ids == -1).all() and np.isinf(depth).all()


@pytest.mark.parametrize("place", [(-1, 0), (1, 0), (0, -1), (0, 1)])
def test_the_guard_band(rasterize: Rasterize, place: tuple[int, int]) -> None:
    assert guard_px(512, 300) == 768
    reach = guard_px(SIDE_PX, SIDE_PX)
    edge = np.where(np.array(place) > 0, SIDE_PX + reach, -reach)
    vertices = np.concatenate([FRONT, FRONT], 1)
    for axis in range(2):
        if place[axis]:
            vertices[0, 4, axis] = edge[axis]
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    draw(rasterize, vertices, triangles, keep_back=True)
    vertices[0, 4] += np.float32([*place, 0])
    ids, depth = np.full((1, SIDE_PX, SIDE_PX), 9, np.int32), np.empty((1, SIDE_PX, SIDE_PX), np.float32)
    with pytest.raises(SettingsError, match="1 triangles with a corner .* outside x -1012 to 1036"):
        rasterize(vertices, triangles, ids, depth)
    assert set(np.unique(ids)) == {-1, 0}  # the others are there


@pytest.mark.parametrize("index", [-1, 3, 2**31 - 1, -(2**31)])
def test_a_triangle_of_no_vertex_is_refused(rasterize: Rasterize, index: int) -> None:
    with pytest.raises(SettingsError, match="not one of 3 vertices"):
        draw(rasterize, FRONT, np.array([[0, 1, index]], np.int32))


class Elsewhere:
    """What an array on a device looks like."""

    shape, dtype = FRONT.shape, "torch.float32"

    def data_ptr(self) -> int:
        return 0

    def is_contiguous(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (0, FRONT.astype(np.float64), "vertices_px is numpy float64"),
        (0, FRONT[0], "vertices_px has shape .* 3 dimensions"),
        (0, FRONT[..., :2], "must be numpy contiguous float32"),
        (0, Elsewhere(), "vertices_px is Elsewhere float32"),
        (1, ONE.astype(np.int64), "triangles is numpy int64"),
        (2, np.zeros((2, 8, 8), np.int32), r"ids is numpy int32 \[2, 8, 8\]"),
        (2, np.zeros((1, 8, 16), np.int32)[..., ::2], "ids is"),
        (3, np.zeros((1, 8, 9), np.float32), "depth is"),
        (4, np.zeros((1, 8, 8, 2), np.float32), "barycentrics is"),
    ],
)
def test_wrong_arrays_are_named(rasterize: Rasterize, place: int, wrong: Any, message: str) -> None:
    given: list[Any] = [FRONT, ONE, np.zeros((1, 8, 8), np.int32), np.zeros((1, 8, 8), np.float32), None]
    given[place] = wrong
    with pytest.raises(SettingsError, match=message):
        rasterize(*given)


@pytest.mark.parametrize("high, wide", [(0, 8), (8, 1025)])
def test_sides_have_limits(rasterize: Rasterize, high: int, wide: int) -> None:
    with pytest.raises(SettingsError, match=f"1 pictures of {wide} x {high} px"):
        rasterize(FRONT, ONE, np.zeros((1, high, wide), np.int32), np.zeros((1, high, wide), np.float32))


def test_nothing_is_allocated_after_the_first_call(fast: Rasterize) -> None:
    arguments = CASES[0].arguments()
    fast(*arguments)
    tracemalloc.start()
    try:
        fast(*arguments)
        assert tracemalloc.get_traced_memory()[1] < 4096
    finally:
        tracemalloc.stop()

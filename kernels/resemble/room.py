"""The arrays of `resemble`: what is known of every body, what is remembered of one, and room for a look at it.

Given sizes it makes the arrays once; compiled code finds them by a table of their addresses, because handing over each
of some fifty at every call would cost as much as a fifth of what is done with them. It does not know what that is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracker.kernels.linearize import POSE

ROWS_AT_ONCE = 256
"""Of the working space of `gauss_newton`."""


class Sizes(NamedTuple):
    """How many there are of everything."""

    vertices: int
    triangles: int
    moving: int
    """Coefficients that differ from look to look; the `lasting` ones are the body's."""
    lasting: int
    stepped: int
    """Of the moving coefficients those that a step changes."""
    landmarks: int
    regions: int
    side: int
    """Of the halved picture, px."""


class Known(NamedTuple):
    """What is known of every body."""

    mean: np.ndarray
    """float32 [V, 3]."""
    lasting: np.ndarray
    """float32 [I, V, 3]: how the lasting coefficients move it."""
    moving: np.ndarray
    """float32 [E, V, 3]."""
    shapes: np.ndarray
    """float32 [S, V, 3]: of the moving ones those that a step changes."""
    triangles: np.ndarray
    """int32 [T, 3]."""
    regions: np.ndarray
    """int32 [T]: the region each triangle counts for; negative for none."""
    whole: np.ndarray
    """float64 [R]: the area from which on a region counts as all there, in squares of the mean's unit."""
    stepped: np.ndarray
    """int32 [S]: which of the moving coefficients."""
    landmarks: np.ndarray
    """int32 [L]: which of the vertices."""
    rest: np.ndarray
    """float32 [L, 2]: where the landmarks are counted from, in sides of the picture."""
    rules: np.ndarray
    """float64: `Rules`."""


class Kept(NamedTuple):
    """What is remembered of one body."""

    lasting: np.ndarray
    """float32 [I]: the running mean of its lasting coefficients."""
    rest: np.ndarray
    """float32 [V, 3]: the body with those, unmoved."""
    albedo: np.ndarray
    """float32 [1, V, 3]: its colours without the light, in shares of white."""
    weight: np.ndarray
    """float32 [V]: of how many looks each vertex's albedo is the mean."""
    lighting: np.ndarray
    """float32 [1, 9, 3]: the running light."""
    tally: np.ndarray
    """float64 [2]: the weight of the lasting coefficients' mean, and the number of looks."""


class Seen(NamedTuple):
    """What a look leaves behind until the next, and working space."""

    mesh: np.ndarray
    """float32 [V, 3]: moved, in the body's own space."""
    vertices: np.ndarray
    """float32 [1, V, 3]: in the picture."""
    normals: np.ndarray
    """float32 [1, V, 3]."""
    shown: np.ndarray
    """float32 [1, V, 3]: the picture at the vertices."""
    colours: np.ndarray
    """float32 [1, V, 3]: what they should show."""
    counts: np.ndarray
    """float32 [1, V]: how clearly each is seen, and how well it fits."""
    lighting: np.ndarray
    """float32 [1, 9, 3]: this look's own."""
    error: np.ndarray
    """float32 [1, R]."""
    pixels: np.ndarray
    """int32 [1, R]."""
    ids: np.ndarray
    """int32 [1, H, H], H the side: which triangle each pixel shows."""
    depth: np.ndarray
    """float32 [1, H, H]."""
    picture: np.ndarray
    """uint8 [1, H, H, 3]: what was looked at, halved."""
    rotation: np.ndarray
    """float64 [3, 3]: of the body, as that picture shows it."""
    center: np.ndarray
    """float64 [3]: its place there, px, and a zero."""
    landmarks: np.ndarray
    """float32 [L, 2]: where the landmarks are said to be, px."""
    std: np.ndarray
    """float32 [L], px."""
    residual: np.ndarray
    """float32 [1, N], N = V + 2 L."""
    weight: np.ndarray
    """float32 [1, N]."""
    jacobian: np.ndarray
    """float32 [1, N, P], P = 6 + S."""
    prior: np.ndarray
    """float32 [1, P]."""
    deviation: np.ndarray
    """float32 [1, P]."""
    step: np.ndarray
    """float32 [1, P]: the last one."""
    damping: np.ndarray
    """float32 [1]; the next two as well."""
    energy: np.ndarray
    decrease: np.ndarray
    solved: np.ndarray
    """uint8 [1]."""
    about: np.ndarray
    """float32 [3]: the point about which a step turns."""
    axes: np.ndarray
    """float32 [2, 3]: how a unit of each axis of the body moves in the picture."""
    slope: np.ndarray
    """float32 [2, V]: room for `linearize`."""
    turned: np.ndarray
    """float64 [4, 3]: room for a turn."""
    basis: np.ndarray
    """float32 [9]: room for `relight`, as the next."""
    sums: np.ndarray
    """float64 [9, 12]."""
    corners: np.ndarray
    """float32 [V, 8]: room for `shade`, as the next."""
    totals: np.ndarray
    """float64 [R]."""
    snapped: np.ndarray
    """int32 [V, 2]: room for `rasterize`, as the next."""
    state: np.ndarray
    """uint8 [V]."""
    rows: np.ndarray
    """float32 [256, P + 1]: room for `gauss_newton`, as the next three."""
    products: np.ndarray
    """float32 [P + 1, P + 1]."""
    matrix: np.ndarray
    """float64 [P + 1, P + 1]."""
    lines: np.ndarray
    """float64 [2, P + 1]."""


def kept(sizes: Sizes) -> Kept:
    """Nothing remembered yet."""
    v = sizes.vertices
    return Kept(
        lasting=_floats(sizes.lasting), rest=_floats(v, 3), albedo=_floats(1, v, 3), weight=_floats(v),
        lighting=_floats(1, 9, 3), tally=_doubles(2),
    )  # fmt: skip


def seen(sizes: Sizes) -> Seen:
    """Nothing seen yet."""
    v, n, r, h, p = sizes.vertices, sizes.landmarks, sizes.regions, sizes.side, POSE + sizes.stepped
    rows = v + 2 * n
    return Seen(
        mesh=_floats(v, 3), vertices=_floats(1, v, 3), normals=_floats(1, v, 3), shown=_floats(1, v, 3),
        colours=_floats(1, v, 3), counts=_floats(1, v), lighting=_floats(1, 9, 3), error=_floats(1, r),
        pixels=_ints(1, r), ids=_ints(1, h, h), depth=_floats(1, h, h), picture=_bytes(1, h, h, 3),
        rotation=_doubles(3, 3), center=_doubles(3), landmarks=_floats(n, 2), std=_floats(n), residual=_floats(1, rows),
        weight=_floats(1, rows), jacobian=_floats(1, rows, p), prior=_floats(1, p), deviation=_floats(1, p),
        step=_floats(1, p), damping=_floats(1), energy=_floats(1), decrease=_floats(1), solved=_bytes(1),
        about=_floats(3), axes=_floats(2, 3), slope=_floats(2, v), turned=_doubles(4, 3), basis=_floats(9),
        sums=_doubles(9, 12), corners=_floats(v, 8), totals=_doubles(r), snapped=_ints(v, 2), state=_bytes(v),
        rows=_floats(ROWS_AT_ONCE, p + 1), products=_floats(p + 1, p + 1), matrix=_doubles(p + 1, p + 1),
        lines=_doubles(2, p + 1),
    )  # fmt: skip


def _floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def _doubles(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float64)


def _ints(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.int32)


def _bytes(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def table(known: Known, remembered: Kept, room: Seen, sizes: Sizes) -> np.ndarray:
    """int64: the addresses of the arrays in the order of their names, then the sizes."""
    return np.array([*(array.ctypes.data for array in (*known, *remembered, *room)), *sizes], np.int64)

"""`resemble` for the CPU, compiled by numba: the compiled operators that it joins, one after the other.

Given checked arrays. The operators' machine code becomes part of this function's, so there is one source of each
formula, and nothing of Python between them. Arrays are made of the memory's table where they are used: to carry fifty
of them from function to function is as much code again as the operators, all of it cold when a frame comes.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, types
from numba.np.unsafe.ndarray import to_fixed_tuple

from tracker.kernels.addresses import doubles, floats, ints, octets
from tracker.kernels.align import _numba as align_
from tracker.kernels.compiled import compiled, part
from tracker.kernels.forms import MISFIT, sees_misfits
from tracker.kernels.gauss_newton import _numba as gauss_newton_
from tracker.kernels.halve import _numba as halve_
from tracker.kernels.linearize import POSE
from tracker.kernels.linearize import _numba as linearize_
from tracker.kernels.morph import _numba as morph_
from tracker.kernels.normals import _numba as normals_
from tracker.kernels.project import _numba as project_
from tracker.kernels.rasterize import _numba as rasterize_
from tracker.kernels.relight import _numba as relight_
from tracker.kernels.resemble import LOOKS, NUMBERS, Look, Memory, Resembled, Rules
from tracker.kernels.resemble._numba_parts import (
    bear_out,
    cut_out,
    follow,
    gather,
    hold,
    keep,
    move,
    point,
    put_back,
    remember,
)
from tracker.kernels.resemble.room import ROWS_AT_ONCE, Kept, Known, Seen, Sizes
from tracker.kernels.shade import _numba as shade_

morph, project, normals, halve = morph_.morph, project_.project, normals_.normals, halve_.halve
rasterize, relight, shade = rasterize_.rasterize, relight_.relight, shade_.shade
linearize, solve, turn = linearize_.linearize, gauss_newton_.solve, align_._turn

_FIRST, _THEN = len(Known._fields), len(Known._fields) + len(Kept._fields)
_SIZES, _COUNT = _THEN + len(Seen._fields), len(Sizes._fields)
KNOWN, KEPT, SEEN = Known(*range(_FIRST)), Kept(*range(_FIRST, _THEN)), Seen(*range(_THEN, _SIZES))
"""Where in the table the address of each array stands."""
_Sizes, _Rules, _RULES, _LOOKS = Sizes, Rules, len(Rules._fields), LOOKS
_ZERO = np.float32(0)


@part
def _place(table, n, rules, weights, scale):
    """Put the body into the picture's pixels, with its normals."""
    mesh, vertices = floats(table, SEEN.mesh, (n.vertices, 3)), floats(table, SEEN.vertices, (1, n.vertices, 3))
    morph(floats(table, KEPT.rest, (n.vertices, 3)), floats(table, KNOWN.moving, (n.moving, n.vertices, 3)), weights,
          mesh)  # fmt: skip
    project(mesh, doubles(table, SEEN.rotation, (3, 3)), scale, doubles(table, SEEN.center, (3,)), vertices[0])
    before = np.float32(rules.before_px)
    for v in range(n.vertices):
        vertices[0, v, 2] += before
    normals(vertices, ints(table, KNOWN.triangles, (n.triangles, 3)), floats(table, SEEN.normals, (1, n.vertices, 3)))


@part
def _draw(table, n, picture):
    """Halve the picture, and rasterize; returns how many triangles were refused."""
    halve(picture, octets(table, SEEN.picture, (n.side, n.side, 3)))
    return rasterize(
        floats(table, SEEN.vertices, (1, n.vertices, 3)), ints(table, KNOWN.triangles, (n.triangles, 3)), False,
        ints(table, SEEN.snapped, (n.vertices, 2)), octets(table, SEEN.state, (n.vertices,)),
        ints(table, SEEN.ids, (1, n.side, n.side)), floats(table, SEEN.depth, (1, n.side, n.side)),
        floats(table, SEEN.depth, (0, 0, 0, 0)),
    )  # fmt: skip


@part
def _relight(table, n, slack, soft):
    relight(
        floats(table, SEEN.vertices, (1, n.vertices, 3)), floats(table, SEEN.normals, (1, n.vertices, 3)),
        floats(table, KEPT.albedo, (1, n.vertices, 3)), floats(table, KEPT.lighting, (1, 9, 3)),
        floats(table, SEEN.depth, (1, n.side, n.side)), octets(table, SEEN.picture, (1, n.side, n.side, 3)),
        slack, soft, floats(table, SEEN.basis, (9,)), doubles(table, SEEN.sums, (9, 12)),
        floats(table, SEEN.lighting, (1, 9, 3)), floats(table, SEEN.shown, (1, n.vertices, 3)),
        floats(table, SEEN.counts, (1, n.vertices)),
    )  # fmt: skip


@part
def _light(table, n, rules, first):
    """The running light; a new body's is first that which explains most, whatever is before it."""
    running, found = floats(table, KEPT.lighting, (9, 3)), floats(table, SEEN.lighting, (9, 3))
    slack, soft = np.float32(rules.slack_px), np.float32(1.0 / (rules.softness * rules.softness))
    if first:
        _relight(table, n, slack, _ZERO)
        for k in range(9):
            for c in range(3):
                running[k, c] = found[k, c]
    _relight(table, n, slack, soft)
    follow(found, np.float32(rules.light_share), running)


@part
def _shade(table, n, soft):
    shade(
        floats(table, SEEN.vertices, (1, n.vertices, 3)), ints(table, KNOWN.triangles, (n.triangles, 3)),
        floats(table, SEEN.normals, (1, n.vertices, 3)), floats(table, KEPT.albedo, (1, n.vertices, 3)),
        floats(table, KEPT.lighting, (1, 9, 3)), ints(table, KNOWN.regions, (n.triangles,)),
        ints(table, SEEN.ids, (1, n.side, n.side)), octets(table, SEEN.picture, (1, n.side, n.side, 3)), soft,
        floats(table, SEEN.corners, (n.vertices, 8)), doubles(table, SEEN.totals, (n.regions,)),
        floats(table, SEEN.colours, (1, n.vertices, 3)), floats(table, SEEN.error, (1, n.regions)),
        ints(table, SEEN.pixels, (1, n.regions)), floats(table, SEEN.depth, (1, 0, 0, 3)),
    )  # fmt: skip


@part
def _gather(table, n, rules, fresh):
    gather(
        floats(table, SEEN.shown, (n.vertices, 3)), floats(table, SEEN.colours, (n.vertices, 3)),
        floats(table, SEEN.counts, (n.vertices,)), fresh, np.float32(rules.least_light), np.float32(rules.dim),
        np.float32(rules.bright), np.float32(rules.longest_colour), floats(table, KEPT.albedo, (n.vertices, 3)),
        floats(table, KEPT.weight, (n.vertices,)),
    )  # fmt: skip


@part
def _linearize(table, n, rules, scale):
    """The rows around what is placed."""
    center, rotation = doubles(table, SEEN.center, (3,)), doubles(table, SEEN.rotation, (3, 3))
    about, axes = floats(table, SEEN.about, (3,)), floats(table, SEEN.axes, (2, 3))
    about[0], about[1], about[2] = center[0], center[1], rules.before_px
    for i in range(2):
        for j in range(3):
            axes[i, j] = scale * rotation[i, j]
    rows = n.vertices + 2 * n.landmarks
    linearize(
        floats(table, SEEN.vertices, (n.vertices, 3)), about, axes,
        floats(table, KNOWN.shapes, (n.stepped, n.vertices, 3)), floats(table, SEEN.colours, (n.vertices, 3)),
        floats(table, SEEN.counts, (n.vertices,)), octets(table, SEEN.picture, (n.side, n.side, 3)),
        ints(table, KNOWN.landmarks, (n.landmarks,)), floats(table, SEEN.landmarks, (n.landmarks, 2)),
        floats(table, SEEN.std, (n.landmarks,)), np.float32(rules.photometric), np.float32(1 / rules.spread),
        np.float32(rules.landmark), np.float32(rules.least_std_px), floats(table, SEEN.slope, (2, n.vertices)),
        floats(table, SEEN.residual, (rows,)), floats(table, SEEN.jacobian, (rows, POSE + n.stepped)),
        floats(table, SEEN.weight, (rows,)),
    )  # fmt: skip


@part
def _solve(table, n, rules):
    """The step; False where nothing holds a direction."""
    rows, p = n.vertices + 2 * n.landmarks, POSE + n.stepped
    damping, solved = floats(table, SEEN.damping, (1,)), octets(table, SEEN.solved, (1,))
    damping[0] = rules.damping
    solve(
        floats(table, SEEN.residual, (1, rows)), floats(table, SEEN.jacobian, (1, rows, p)),
        floats(table, SEEN.weight, (1, rows)), floats(table, SEEN.prior, (1, p)),
        floats(table, SEEN.deviation, (1, p)), damping, 1.0 / (rules.robust * rules.robust),
        floats(table, SEEN.step, (1, p)), floats(table, SEEN.energy, (1,)), floats(table, SEEN.decrease, (1,)), solved,
        floats(table, SEEN.rows, (ROWS_AT_ONCE, p + 1)), floats(table, SEEN.products, (p + 1, p + 1)),
        doubles(table, SEEN.matrix, (p + 1, p + 1)), doubles(table, SEEN.lines, (2, p + 1)),
    )  # fmt: skip
    return solved[0] != 0


@part
def _move(table, n, scale, moving):
    """Pose and coefficients a step further; returns the scale."""
    p, room = POSE + n.stepped, doubles(table, SEEN.turned, (4, 3))
    step, omega = floats(table, SEEN.step, (p,)), room[3]
    move(step, ints(table, KNOWN.stepped, (n.stepped,)), moving, doubles(table, SEEN.center, (3,)),
         floats(table, SEEN.deviation, (p,)))  # fmt: skip
    omega[0], omega[1], omega[2] = step[0], step[1], step[2]
    turn(doubles(table, SEEN.rotation, (3, 3)), omega, room)
    return scale * np.exp(np.float64(step[5]))


@part
def _sharpen(table, n, rules, offsets, log_std, std, scale, moving):
    """The steps; returns the scale after them, and whether there was one."""
    hold(std, ints(table, KNOWN.stepped, (n.stepped,)), rules.share, rules.least_std, rules.rotation_rad,
         rules.place_px, rules.log_scale, floats(table, SEEN.prior, (POSE + n.stepped,)))  # fmt: skip
    point(offsets, log_std, floats(table, KNOWN.rest, (n.landmarks, 2)), n.side,
          floats(table, SEEN.landmarks, (n.landmarks, 2)), floats(table, SEEN.std, (n.landmarks,)))  # fmt: skip
    deviation = floats(table, SEEN.deviation, (POSE + n.stepped,))
    for p in range(deviation.size):
        deviation[p] = _ZERO
    moves = False
    for number in range(int(rules.steps)):
        if number:
            _place(table, n, rules, moving, scale)
        _linearize(table, n, rules, scale)
        if not _solve(table, n, rules):
            break
        scale, moves = _move(table, n, scale, moving), True
    return scale, moves


_IN1, _IN3 = (types.Array(float32, rank, "C", readonly=True) for rank in (1, 3))
_PLACE, _TURN = (types.Array(float64, rank, "C", readonly=True) for rank in (1, 2))


@compiled(
    int64(
        int64[::1], _IN3, _IN1, _IN1, _IN1, _IN1, _IN1, _IN1, float64, _TURN, _PLACE, float64, float64, float64,
        float64, float64, float32[::1], float32[::1], float64[::1],
    )
)  # fmt: skip
def resemble(
    table, picture, offsets, log_std, given, std, lasting, said, trust, rotation, center, scale, x, y, side, roll,
    moving, confidence, pose,
):  # fmt: skip
    """Fill the last three; returns how many triangles were refused."""
    n = _Sizes(*to_fixed_tuple(table[_SIZES:], _COUNT))
    if not (
        picture.shape == (3, 2 * n.side, 2 * n.side) and offsets.size == 3 * n.landmarks
        and log_std.size == n.landmarks and given.size == std.size == moving.size == n.moving
        and lasting.size == n.lasting and said.size == confidence.size == n.regions and pose.size == NUMBERS
        and rotation.shape == (3, 3) and center.size == 2
    ):  # fmt: skip
        return MISFIT
    rules = _Rules(*to_fixed_tuple(doubles(table, KNOWN.rules, (_RULES,)), _RULES))
    tally, mean = doubles(table, KEPT.tally, (2,)), floats(table, KEPT.lasting, (n.lasting,))
    looks, zoom = tally[_LOOKS], n.side / side
    fresh = looks < rules.fresh
    gathers = fresh or looks % rules.gather_every == 0
    remember(lasting, mean, trust, rules.longest_lasting, tally)
    if gathers:
        morph(floats(table, KNOWN.mean, (n.vertices, 3)), floats(table, KNOWN.lasting, (n.lasting, n.vertices, 3)),
              mean, floats(table, KEPT.rest, (n.vertices, 3)))  # fmt: skip
    turned, place = doubles(table, SEEN.rotation, (3, 3)), doubles(table, SEEN.center, (3,))
    cut_out(rotation, center, x, y, roll, zoom, n.side, turned, place)
    _place(table, n, rules, given, scale * zoom)
    refused = _draw(table, n, picture)
    _light(table, n, rules, looks == 0)
    _shade(table, n, np.float32(rules.softness * rules.softness))
    if gathers:
        _gather(table, n, rules, fresh)
    tally[_LOOKS] += 1
    keep(rotation, center, scale, pose)
    pose[12] = bear_out(
        said, floats(table, SEEN.error, (n.regions,)), ints(table, SEEN.pixels, (n.regions,)),
        doubles(table, KNOWN.whole, (n.regions,)), scale * zoom, rules.clear, rules.covered, rules.vouches,
        confidence,
    )  # fmt: skip
    for k in range(n.moving):
        moving[k] = given[k]
    found, moves = _sharpen(table, n, rules, offsets, log_std, std, scale * zoom, moving)
    if moves:
        put_back(turned, place, x, y, roll, 1 / zoom, n.side, pose)
        pose[11] = found / zoom
    return refused


@sees_misfits
def join(memory: Memory, look: Look, out: Resembled) -> int:
    """Fill what the contract says."""
    *given, square = look
    refused: int = resemble(memory.table, *given, *square, *out)
    return refused

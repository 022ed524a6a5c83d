"""`resemble` in plain float64: the references of the operators it joins, one after the other. Given checked arrays."""

from __future__ import annotations

import math

import numpy as np

from tracker.kernels.gauss_newton import Problem, Solution
from tracker.kernels.gauss_newton.reference import solve
from tracker.kernels.halve.reference import halve
from tracker.kernels.linearize import POSE, Balance
from tracker.kernels.linearize.reference import linearize
from tracker.kernels.morph.reference import morph
from tracker.kernels.normals.reference import normals
from tracker.kernels.project.reference import project
from tracker.kernels.rasterize.reference import rasterize
from tracker.kernels.relight import Relit
from tracker.kernels.relight.reference import relight
from tracker.kernels.resemble import LASTING_WEIGHT, LEAST_TRUST, LOOKS, Look, Memory, Resembled
from tracker.kernels.shade import Shaded, Surface
from tracker.kernels.shade.reference import shade


def join(memory: Memory, look: Look, out: Resembled) -> int:
    """Fill `out`, take the look into `memory`; returns how many triangles were refused."""
    rules, known, kept, seen = memory.body.rules, memory.body.known, memory.kept, memory.seen
    side, looks = memory.body.sizes.side, kept.tally[LOOKS]
    gathers = looks < rules.fresh or looks % rules.gather_every == 0
    _remember(memory, look)
    if gathers:
        morph(known.mean, known.lasting, kept.lasting, kept.rest)
    pose = _cut_out(look, side)
    _place(memory, look.moving, pose)
    halve(look.picture, seen.picture[0])
    refused = rasterize(seen.vertices, known.triangles, seen.ids, seen.depth, None, False)
    surface = Surface(seen.vertices, known.triangles, seen.normals, kept.albedo, kept.lighting, known.regions)
    _relight(memory, surface, looks == 0)
    shade(surface, seen.ids, seen.picture, rules.softness, Shaded(seen.colours, seen.error, seen.pixels))
    if gathers:
        _gather(memory, looks < rules.fresh)
    kept.tally[LOOKS] += 1
    shown = _shown(memory, pose[2])
    out.confidence[:] = look.confidence ** (1 - rules.vouches * shown) * shown
    out.moving[:] = look.moving
    found = _sharpen(memory, look, pose, out.moving)
    out.pose[:9], out.pose[9:11], out.pose[11] = look.rotation.reshape(-1), look.center_px, look.scale
    out.pose[12] = (look.confidence * shown).mean()
    if found is not None:
        _put_back(*found, look, side, out.pose)
    return refused


Pose = tuple[np.ndarray, np.ndarray, float]
"""Rotation [3, 3], place [2] and scale, as the halved picture shows them."""


def _remember(memory: Memory, look: Look) -> None:
    weight = max(look.trust, LEAST_TRUST)
    mean, tally = memory.kept.lasting, memory.kept.tally
    tally[LASTING_WEIGHT] = min(tally[LASTING_WEIGHT] + weight, memory.body.rules.longest_lasting)
    mean += weight / tally[LASTING_WEIGHT] * (look.lasting.astype(np.float64) - mean)


def _turn(roll_rad: float) -> np.ndarray:
    c, s = math.cos(roll_rad), math.sin(roll_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _cut_out(look: Look, side: int) -> Pose:
    x, y, side_px, roll_rad = look.square
    turn, zoom = _turn(roll_rad).T, side / side_px
    center_px = zoom * turn[:2, :2] @ (look.center_px - (x, y)) + side / 2
    return turn @ look.rotation, center_px, look.scale * zoom


def _put_back(
    rotation: np.ndarray, center_px: np.ndarray, scale: float, look: Look, side: int, pose: np.ndarray
) -> None:
    """Undo `_cut_out`."""
    x, y, side_px, roll_rad = look.square
    turn, zoom = _turn(roll_rad), side_px / side
    pose[:9] = (turn @ rotation).reshape(-1)
    pose[9:11] = zoom * turn[:2, :2] @ (center_px - side / 2) + (x, y)
    pose[11] = scale * zoom


def _place(memory: Memory, moving: np.ndarray, pose: Pose) -> None:
    rotation, center_px, scale = pose
    known, seen = memory.body.known, memory.seen
    morph(memory.kept.rest, known.moving, moving, seen.mesh)
    project(seen.mesh, rotation, scale, np.append(center_px, 0.0), seen.vertices[0])
    seen.vertices[0, :, 2] += memory.body.rules.before_px
    normals(seen.vertices, known.triangles, seen.normals)


def _relight(memory: Memory, surface: Surface, first: bool) -> None:
    rules, seen, light = memory.body.rules, memory.seen, memory.kept.lighting
    relit = Relit(seen.lighting, seen.shown, seen.counts)
    if first:
        relight(surface, seen.depth, seen.picture, rules.slack_px, 0.0, relit)
        light[:] = relit.lighting
    relight(surface, seen.depth, seen.picture, rules.slack_px, rules.softness**-2, relit)
    light += rules.light_share * (relit.lighting.astype(np.float64) - light)


def _gather(memory: Memory, fresh: bool) -> None:
    rules, seen, kept = memory.body.rules, memory.seen, memory.kept
    albedo, counts = kept.albedo[0].astype(np.float64), seen.counts[0, :, None].astype(np.float64)
    shown = np.where(counts > 0, 0.5, 0.0) if fresh else counts
    light = np.maximum(seen.colours[0] / albedo, rules.least_light)
    weight = kept.weight[:, None] + shown
    albedo += shown / weight * (seen.shown[0] / light - albedo)
    kept.albedo[0] = np.clip(albedo, rules.dim, rules.bright)
    kept.weight[:] = np.minimum(weight[:, 0], rules.longest_colour)


def _shown(memory: Memory, scale: float) -> np.ndarray:
    """float64 [R] in 0..1."""
    rules, pixels = memory.body.rules, memory.seen.pixels[0]
    mean = memory.seen.error[0] / np.maximum(pixels, 1)
    fits = np.clip((rules.covered - mean) / (rules.covered - rules.clear), 0, 1)
    shown: np.ndarray = fits * np.minimum(pixels / (memory.body.known.whole * scale**2), 1)
    return shown


def _sharpen(memory: Memory, look: Look, pose: Pose, moving: np.ndarray) -> Pose | None:
    """The pose after the steps, which change `moving`; None where none was taken."""
    rules, known, seen = memory.body.rules, memory.body.known, memory.seen
    stepped, side = known.stepped, memory.body.sizes.side
    stiff = [rules.rotation_rad] * 3 + [rules.place_px] * 2 + [rules.log_scale]
    seen.prior[0, :POSE] = np.array(stiff) ** -2.0
    seen.prior[0, POSE:] = (rules.share * np.maximum(look.std[stepped], rules.least_std)) ** -2.0
    seen.deviation[:], seen.damping[:] = 0, rules.damping
    seen.landmarks[:] = (look.offsets.reshape(-1, 3)[:, :2] + known.rest) * side
    seen.std[:] = np.exp(look.log_std.astype(np.float64)) * side
    problem = Problem(seen.residual, seen.jacobian, seen.weight, seen.prior, seen.deviation, seen.damping)
    solution = Solution(seen.step, seen.energy, seen.decrease, seen.solved)
    balance = Balance(rules.photometric, rules.spread, rules.landmark, rules.least_std_px)
    moved = None
    for number in range(int(rules.steps)):
        if number:
            _place(memory, moving, pose)
        rotation, center_px, scale = pose
        about_px = np.append(center_px, rules.before_px)
        linearize(seen.vertices[0], about_px, scale * rotation[:2], known.shapes, seen.colours[0],
                  seen.counts[0], seen.picture[0], known.landmarks, seen.landmarks, seen.std, balance,
                  problem)  # fmt: skip
        solve(problem, rules.robust**-2, solution)
        if not seen.solved[0]:
            break
        step = seen.step[0].astype(np.float64)
        moving[stepped] = np.clip(moving[stepped] + step[POSE:], 0, 1)
        pose = moved = _exp(step[:3]) @ rotation, center_px + step[3:5], scale * math.exp(step[5])
        seen.deviation[0] += seen.step[0]
    return moved


def _exp(omega: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(omega))
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = omega / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: np.ndarray = np.eye(3) + math.sin(angle) * skew + (1 - math.cos(angle)) * skew @ skew
    return turn

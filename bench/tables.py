"""What the accuracy bench says, as tables a person reads.

Given its result it lays out every suite that was run. It measures nothing and sorts only what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tracker.bench import stills
from tracker.bench.agreement import ClipRow, ClipsResult
from tracker.bench.groups import Group
from tracker.bench.identity import Identity
from tracker.bench.poor_shapes import PoorShapes
from tracker.bench.report import decimal, percent, table
from tracker.bench.steadiness import Steadiness
from tracker.bench.stills import StillsRow

if TYPE_CHECKING:
    from tracker.bench.accuracy import Result
    from tracker.bench.repeatability import Repeatability
    from tracker.bench.synthetic import SyntheticRow

WORST = 8


def of(result: Result) -> list[str]:
    """Every table of the result, suite by suite."""
    parts = [part for clips in result.clips for part in _clips(clips, result.poor)]
    if result.clips:
        parts += [_without(result), *_poor(result.poor), *_steady(result.steadiness), *_identity(result.identity)]
    parts += [part for name, rows in result.stills.items() for part in _stills(name, rows)]
    parts += [_groups(name, groups) for name, groups in result.groups.items() if groups]
    return [*parts, *_synthetic(result.synthetic), *_repeatability(result.repeatability)]


def _clip_cells(row: ClipRow) -> list[object]:
    return [row.name, row.frames, percent(row.found / row.frames, 1), percent(row.nme), row.correlation]


def _clips(result: ClipsResult, poor: PoorShapes | None) -> list[str]:
    headers = ("clip", "frames", "found", "of IOD", "shapes r")
    frames = sum(row.frames for row in result.rows)
    mean = ["mean over clips", frames, percent(result.found_share_by_clip, 1), percent(result.nme), result.correlation]
    everything = table(headers, [*map(_clip_cells, result.rows), mean], f"agreement with the teacher: {result.who}")
    pooled = f"found in {percent(result.found_share)} of the {frames} frames in which the teacher finds a face"
    by_error = sorted(result.rows, key=lambda row: -(row.nme if np.isfinite(row.nme) else np.inf))[:WORST]
    moving = [row for row in result.rows if np.isfinite(row.correlation)]
    by_shapes = sorted(moving, key=lambda row: row.correlation)[:WORST]
    shapes = sorted(result.by_shape.items(), key=lambda item: -item[1])
    known = poor or PoorShapes()
    rows = [
        (name, result.clips_by_shape[name], r, known.own_r.get(name), known.truth_r.get(name), known.why(name))
        for name, r in shapes
    ]
    about = f"shapes that move: {result.who}, beside the teacher with itself and with rendered truth"
    return [
        f"{everything}\n{pooled}",
        table(headers, [*map(_clip_cells, by_error)], f"worst by landmarks: {result.who}"),
        table(headers, [*map(_clip_cells, by_shapes)], f"worst by shapes: {result.who}"),
        table(("shape", "clips", "mean r", "teacher twice", "teacher, truth", "poor"), rows, about),
    ]


def _without(result: Result) -> str:
    names = list(result.without[0]) if result.without else []
    cells = [[f"without {name}", *(side[name] for side in result.without)] for name in names]
    headers = ("shapes r, mean over clips", *(side.who for side in result.clips))
    return table(headers, cells, "agreement in the shapes that move, and without those poor in the teacher")


def _poor(poor: PoorShapes | None) -> list[str]:
    if poor is None:
        return ["no list of shapes poor in the teacher was computed; see --suite repeatability"]
    return [
        f"unsteady in the teacher (r with itself below {poor.unsteady_below:g} on training clips, of shapes that move "
        f"in {poor.fewest_clips} or more): {', '.join(poor.unsteady) or 'none'}\n"
        f"dead in the teacher (r with rendered truth not above {poor.dead_below:.3f}, two standard errors): "
        f"{', '.join(poor.dead) or 'none'}"
    ]


def _steady(rows: Sequence[Steadiness]) -> list[str]:
    cells = [[row.who, row.clips, percent(row.landmarks, 3), decimal(row.shapes, 4)] for row in rows]
    headers = ("side", "clips", "landmarks, of IOD", "shapes that move")
    return [table(headers, cells, "second differences from frame to frame, less is steadier")] if rows else []


def _identity(identity: Identity | None) -> list[str]:
    if identity is None:
        return []
    cells = [
        [spread.unit, spread.within_clip, spread.within_person, spread.between,
         spread.within_clip / spread.between, spread.within_person / spread.between]
        for spread in identity.spreads
    ]  # fmt: skip
    about = f"variance of identity: {identity.clips} clips of {identity.people} people, {identity.people_with_several} "
    headers = ("unit, squared", "in a clip", "over a person's clips", "between people", "clip ratio", "person ratio")
    return [table(headers, cells, f"{about}of them in several")]


def _groups(suite: str, groups: Sequence[Group]) -> str:
    sides = [side.who for side in groups[0].sides]
    follows = any(np.isfinite(side.correlation) for group in groups for side in group.sides)
    what = ("missed", "NME", "NME both", "shapes r")[: 4 if follows else 3]
    cells = [
        [f"{group.by} {group.label}", group.faces,
         *(cell for side in group.sides for cell in (
             percent(side.missed / group.faces, 1), percent(side.nme_found), percent(side.nme_both),
             *([side.correlation] if follows else [])))]
        for group in groups
    ]  # fmt: skip
    headers = ("group", "faces", *(f"{who} {name}" for who in sides for name in what))
    return table(headers, cells, f"{suite}: by group")


def _stills(name: str, rows: Sequence[StillsRow]) -> list[str]:
    by = {"aflw2000": "square root of the box", "w300": "outer eye corners"}[name]
    bins = [f"yaw {low}-{high}" for low, high in stills.YAW_BINS_DEG] if rows[0].by_yaw else []
    headers = ("side", "images", "misses", "NME found", "NME both", *bins)
    cells = [
        [row.who, row.images, f"{row.misses} ({percent(row.misses / row.images, 1)})", percent(row.nme_found),
         percent(row.nme_both), *(f"{percent(error)} ({count})" for count, error in row.by_yaw)]
        for row in rows
    ]  # fmt: skip
    parts = [table(headers, cells, f"{name}: mean distance over 68 points by the {by}; both found {rows[0].both}")]
    posed = [(row.who, row.pose) for row in rows if row.pose is not None]
    if posed:
        headers = ("side", "faces", "pitch", "yaw", "roll", "mean", "less offset: pitch", "yaw", "roll", "geodesic")
        cells = [
            [who, pose.count, *pose.mean_absolute, float(np.mean(pose.mean_absolute)), *pose.without_offset,
             pose.geodesic] for who, pose in posed
        ]  # fmt: skip
        parts.append(table(headers, cells, f"{name}: head rotation, mean absolute error in degrees, faces both found"))
    return parts


def _synthetic(rows: Sequence[SyntheticRow]) -> list[str]:
    if not rows:
        return []
    from tracker.bench.synthetic import ALIVE_ABOVE, DEAD_BELOW

    peer = rows[-1]
    dead = [name for name, r in peer.by_shape.items() if r < DEAD_BELOW]
    headers = ("side", "faces", "found", "MAE", "mean r", "r of dead", "NME", "gaze deg")
    cells = [
        [row.who, row.faces, row.found, f"{row.mean_absolute:.4f}", row.correlation,
         float(np.mean([row.by_shape[name] for name in dead])) if dead else None, percent(row.nme), row.gaze_deg]
        for row in rows
    ]  # fmt: skip
    about = f"synthetic truth: 51 shapes, 478 points by the square root of the box, gaze; {rows[0].both} both found"
    sides = [row.who for row in rows]
    names = sorted(peer.by_shape, key=lambda name: peer.by_shape[name])
    by_shape = [
        [name, *(row.by_shape[name] for row in rows), *(row.error_by_shape[name] for row in rows),
         "dead" if name in dead else "", "alive" if name in dead and rows[0].by_shape[name] > ALIVE_ABOVE else ""]
        for name in names
    ]  # fmt: skip
    alive = sum(rows[0].by_shape[name] > ALIVE_ABOVE for name in dead)
    ratio = rows[0].mean_absolute / peer.mean_absolute
    summed = (
        f"MAE of {rows[0].who} over that of {peer.who}: {ratio:.2f}; of the {len(dead)} shapes that {peer.who} leaves "
        f"dead (r below {DEAD_BELOW}), {alive} have r above {ALIVE_ABOVE} with {rows[0].who}"
    )
    shape_headers = ("shape", *(f"{who} r" for who in sides), *(f"{who} MAE" for who in sides), peer.who, sides[0])
    blinks = [
        [f"yaw {at[0].yaw_deg}", at[0].faces,
         *(cell for one in at for cell in (percent(one.accuracy, 1), f"{percent(one.best, 1)} at {one.threshold:.2f}",
                                           one.auc, one.separation))]
        for at in zip(*(row.blinks for row in rows), strict=True)
    ]  # fmt: skip
    what = ("at 0.5", "at its best", "AUC", "apart")
    return [
        f"{table(headers, cells, f'{about}; the gaze of the peer is read from its eyeLook scores')}\n{summed}",
        table(shape_headers, by_shape, "synthetic: with the truth"),
        table(("blinks", "faces", *(f"{who} {name}" for who in sides for name in what)), blinks,
              "synthetic: the same faces with eyes closed and open, mean of the two eyeBlink scores"),
    ]  # fmt: skip


def _repeatability(result: Repeatability | None) -> list[str]:
    if result is None:
        return []
    from tracker.bench.repeatability import NOISE, SCALE, TURN_DEG

    cells = [[row.who, row.people, row.clips, row.frames, percent(row.nme), row.correlation] for row in result.rows]
    about = (
        f"each side with itself: a frame, and the same turned by {TURN_DEG:g} degrees, at {SCALE:g}, noise {NOISE:g}"
    )
    first = result.rows[0]
    names = sorted(
        dict.fromkeys((*first.by_shape, *result.by_truth)), key=lambda name: first.by_shape.get(name, np.inf)
    )
    rows = [
        [name, first.clips_by_shape.get(name, 0), *(row.by_shape.get(name) for row in result.rows),
         result.by_truth.get(name), "unsteady" if name in result.unsteady else "",
         "dead" if name in result.dead else ""]
        for name in names
    ]  # fmt: skip
    headers = ("shape", "clips", *(f"{row.who}, {row.people}" for row in result.rows), "truth", "", "")
    poor = PoorShapes(result.unsteady, result.dead, result.unsteady_below, result.fewest_clips, result.dead_below)
    return [
        table(("side", "on", "sets", "frames", "of IOD", "shapes r"), cells, about),
        table(
            headers, rows, f"shapes: r with itself, and the teacher's with truth on {result.rendered} rendered faces"
        ),
        *_poor(poor),
    ]

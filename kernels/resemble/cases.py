"""Named inputs for `resemble`, for tests and the bench: a dome that deforms, before pictures of smooth noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.kernels.rasterize.cases import Case as Mesh
from tracker.kernels.resemble import LOOKS, NUMBERS, Body, Look, Memory, Resembled, Rules

TOLERANCE = 1e-4
"""Of a coefficient, a confidence, a rotation, a colour, tens of px, and a unit of the body: float32 sums of some twenty
shapes of its size, and of what the operators that are joined make of them."""
RULES = Rules(
    before_px=256.0, slack_px=1.5, softness=0.15, clear=0.35, covered=0.65, vouches=0.5, fresh=12, gather_every=4,
    light_share=0.25, least_light=0.05, dim=0.03, bright=1.5, longest_colour=60.0, longest_lasting=120.0,
    photometric=2.0, spread=0.06, landmark=0.3, least_std_px=0.15, rotation_rad=0.02, place_px=0.4, log_scale=0.01,
    share=0.5, least_std=0.01, damping=1.0, robust=3.0, steps=1,
)  # fmt: skip
SIDE_MM, SQUARE = 224.0, (640.5, 360.25, 300.0, 0.3)

Arguments = tuple[Memory, Look, Resembled]


@dataclass(frozen=True, slots=True)
class Case:
    """A body that has been looked at so often, believed to be where it is but for an error."""

    name: str
    looks: int = 100
    steps: int = 1
    columns: int = 26
    rows: int = 18
    side: int = 64
    moving: int = 20
    stepped: int = 8
    landmarks: int = 40
    regions: int = 5
    off_px: float = 1.0
    settled: bool = False
    """Another look changes nothing that is remembered, so that calls can be repeated."""

    def arguments(self) -> Arguments:
        """What the operator takes; what it fills is full of NaN."""
        rng = np.random.default_rng(self.columns + self.looks)
        held = {"light_share": 0.0, "fresh": 0.0, "gather_every": 1e9} if self.settled else {}
        rules = RULES._replace(steps=self.steps, **held)
        body = self._body(rules, rng)
        memory = Memory(body)
        memory.forget(rng.uniform(0.6, 0.9, (body.sizes.vertices, 3)), 2.0)
        memory.kept.tally[LOOKS] = self.looks
        memory.kept.lighting[:] = rng.normal(0, 0.05, (1, 9, 3)) + np.eye(9, 1) * 2.4
        lasting = rng.normal(0, 1, body.sizes.lasting).astype(np.float32)
        if self.settled:
            memory.kept.lasting[:] = lasting
        memory.kept.rest[:] = body.known.mean + np.tensordot(memory.kept.lasting, body.known.lasting, 1)
        for array in memory.seen:
            array.fill(np.nan if array.dtype.kind == "f" else 77)
        moving, confidence = (np.full(length, np.nan, np.float32) for length in (self.moving, self.regions))
        return memory, self._look(lasting, rng), Resembled(moving, confidence, np.full(NUMBERS, np.nan))

    def _body(self, rules: Rules, rng: np.random.Generator) -> Body:
        vertices, triangles = Mesh("", self.columns, self.rows, side_px=200).mesh()
        mean = vertices[0] - [100, 100, 400]
        waves = np.cos(mean @ rng.normal(0, 0.02, (3, 4 + self.moving)) + rng.uniform(0, 6, 4 + self.moving))
        shapes = np.array(3 * waves.T[:, :, None] * rng.normal(0, 1, (4 + self.moving, 1, 3)), np.float32, order="C")
        regions = (np.arange(len(triangles)) * (self.regions + 1) // max(len(triangles), 1) - 1).astype(np.int32)
        at = rng.integers(0, len(mean), self.landmarks)
        return Body(
            mean.astype(np.float32), shapes[:4], shapes[4:], triangles, regions, np.full(self.regions, 800.0),
            rng.permutation(self.moving)[: self.stepped], at, mean[at, :2] / SIDE_MM + 0.5, self.side, rules,
        )  # fmt: skip

    def _look(self, lasting: np.ndarray, rng: np.random.Generator) -> Look:
        x, y, side_px, roll = SQUARE
        turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        wide = 2 * self.side
        high, across = np.mgrid[:wide, :wide] / wide
        picture = [128 + 25 * np.sin(f * high + g * across + p) for f, g, p in rng.uniform(-8, 8, (3, 3))]
        offsets = rng.normal(0, 0.01, (self.landmarks, 3)).astype(np.float32)
        confidence = rng.uniform(0.3, 0.9, self.regions).astype(np.float32)
        return Look(
            np.array(picture, np.float32), offsets.reshape(-1),
            rng.uniform(-5, -3, self.landmarks).astype(np.float32),
            rng.uniform(0, 0.6, self.moving).astype(np.float32),
            rng.uniform(0.001, 0.2, self.moving).astype(np.float32), lasting, confidence, float(confidence.mean()),
            turn, np.array([x, y]) + self.off_px, side_px / SIDE_MM, SQUARE,
        )  # fmt: skip


def filled(arguments: Arguments) -> np.ndarray:
    """What one call filled in, as one array: places in tens of px."""
    moving, confidence, pose = arguments[-1]
    return np.concatenate([moving, confidence, pose[:9], pose[9:11] / 10, pose[11:]]).astype(np.float64)


def difference(found: Arguments, wanted: Arguments) -> float:
    """The largest between what two calls filled in, and remember; but for the tally, as one may have been called more
    often."""
    kept = [np.abs(mine.astype(np.float64) - theirs).max() for mine, theirs in zip(
        found[0].kept[:-1], wanted[0].kept[:-1], strict=True)]  # fmt: skip
    return float(max(np.abs(filled(found) - filled(wanted)).max(), *kept))


CASES = (
    Case("known"), Case("first_look", looks=0), Case("new", looks=5), Case("between", looks=101),
    Case("compared_only", steps=0), Case("two_steps", steps=2), Case("far_off", off_px=20.0),
    Case("small", columns=5, rows=4, side=16, moving=3, stepped=1, landmarks=2, regions=1),
    Case("rigid", stepped=0, landmarks=0),
)  # fmt: skip
BENCH_CASES = (Case("face", looks=101, columns=24, rows=20, moving=52, stepped=18, landmarks=114, settled=True),)

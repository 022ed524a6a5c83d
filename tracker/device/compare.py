"""Render the fits of a batch and compare them with their crops: `refine.compare` on a device.

Given fits, crops and what is remembered of each face it draws, lights and compares as the processor's stage does, with
its constants, and returns the confidence of each region beside what is remembered from now on. Buffers belong to it and
never move. What the processor does only sometimes (a new face's first light, its colours every fourth look) is done
always here and taken only then.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import torch
from torch import Tensor

from tracker.device.memory import Memory
from tracker.device.mesh import Mesh
from tracker.device.operators import Operators
from tracker.device.pose import Pose
from tracker.face.expression import REGIONS
from tracker.kernels.relight import Relit
from tracker.kernels.shade import Shaded, Surface
from tracker.refine.compare import (
    BEFORE_PX,
    BRIGHT,
    CLEAR,
    COVERED,
    DIM,
    FRESH,
    GATHER_EVERY,
    LEAST_LIGHT,
    LIGHT_SHARE,
    LONGEST_COLOUR,
    SIDE_PX,
    SLACK_PX,
    SOFTNESS,
    WHOLE_SHARE,
)


def mean_albedo(mesh: Mesh) -> Tensor:
    """float32 [V, 3]: a new face's colours, in shares of white."""
    return (mesh.albedo / 255).clamp(DIM, BRIGHT)


class Compare:
    """Buffers for so many faces at a time."""

    def __init__(self, batch: int, mesh: Mesh, frontal_mm2: np.ndarray, operators: Operators) -> None:
        """`frontal_mm2` [5]: what each region covers when it looks straight ahead."""
        self._mesh, self._operators = mesh, operators
        self._whole_mm2 = torch.tensor(WHOLE_SHARE * frontal_mm2, device=mesh.device)
        vertices, regions = len(mesh.mean_mm), len(REGIONS)

        def room(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros((batch, *shape), dtype=dtype, device=mesh.device)

        self.surface = Surface(
            room(vertices, 3), mesh.triangles, room(vertices, 3), room(vertices, 3), room(9, 3), mesh.regions
        )
        self.picture = room(SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
        self.ids, self.depth = room(SIDE_PX, SIDE_PX, dtype=torch.int32), room(SIDE_PX, SIDE_PX)
        self.shaded = Shaded(room(vertices, 3), room(regions), room(regions, dtype=torch.int32))
        self.light = Relit(room(9, 3), room(vertices, 3), room(vertices))
        self.rest_mm, self._mesh_mm = room(vertices, 3), room(vertices, 3)
        self._before = torch.tensor([0.0, 0.0, BEFORE_PX], dtype=torch.float64, device=mesh.device)

    def __call__(
        self, crops: Tensor, expression: Tensor, pose: Pose, mine: Memory
    ) -> tuple[Tensor, Memory]:  # fmt: skip
        """How much of each region shows what it should [B, 5], and the memory as it becomes. `pose` is that in the crop
        at `SIDE_PX`."""
        operators, mesh = self._operators, self._mesh
        fresh = mine.looks < FRESH
        gathering = fresh | (mine.looks % GATHER_EVERY == 0)
        operators.morph(mesh.mean_mm, mesh.identity, mine.identity, self.rest_mm)
        rest_mm = torch.where(gathering[:, None, None], self.rest_mm, mine.rest_mm)
        self.place(rest_mm, expression, pose)
        operators.halve(crops.float(), self.picture)
        self.surface.albedo.copy_(mine.albedo)
        self.surface.lighting.copy_(mine.lighting)
        operators.rasterize(self.surface.vertices_px, mesh.triangles, self.ids, self.depth)
        self._relight(mine.looks == 0)
        operators.shade(self.surface, self.ids, self.picture, SOFTNESS, self.shaded)
        albedo, weight = self._gathered(fresh, mine)
        taken = gathering[:, None, None]
        kept = replace(
            mine, looks=mine.looks + 1, rest_mm=rest_mm, lighting=self.surface.lighting,
            albedo=torch.where(taken, albedo, mine.albedo),
            colour_weight=torch.where(taken, weight, mine.colour_weight),
        )  # fmt: skip
        return self._shown(pose.scale), kept

    def place(self, rest_mm: Tensor, expression: Tensor, pose: Pose) -> None:
        """Put the meshes into the crops' pixels, with their normals."""
        operators, surface = self._operators, self.surface
        operators.morph(rest_mm, self._mesh.expression, expression, self._mesh_mm)
        center = torch.nn.functional.pad(pose.center_px, (0, 1)) + self._before
        seen = (pose.rotation.float(), pose.scale[:, 0].float(), center.float())
        operators.project(self._mesh_mm, *seen, surface.vertices_px)
        operators.normals(surface.vertices_px, surface.triangles, surface.normals)

    def _relight(self, first: Tensor) -> None:
        """The running light; a new face's is first that which explains most, whatever is before it."""
        relight, surface, light = self._operators.relight, self.surface, self.surface.lighting
        relight(surface, self.depth, self.picture, SLACK_PX, inf, self.light)
        light.copy_(torch.where(first[:, None, None], self.light.lighting, light))
        relight(surface, self.depth, self.picture, SLACK_PX, SOFTNESS, self.light)
        light += LIGHT_SHARE * (self.light.lighting - light)

    def _shown(self, scale: Tensor) -> Tensor:
        """[B, 5] in 0..1: how much of each region is there to see, and looks as it should."""
        error, pixels = self.shaded.error, self.shaded.pixels
        fits = ((COVERED - error / pixels.clamp_min(1)) / (COVERED - CLEAR)).clamp(0, 1)
        return (fits * (pixels / (self._whole_mm2 * scale**2)).clamp_max(1)).float()

    def _gathered(self, fresh: Tensor, mine: Memory) -> tuple[Tensor, Tensor]:
        """Colours and their weights with what the vertices show folded in."""
        light = (self.shaded.colours / mine.albedo).clamp_min(LEAST_LIGHT)
        counts = self.light.weight[..., None]
        shown = torch.where(fresh[:, None, None], (counts > 0).float() * 0.5, counts)
        weight = mine.colour_weight + shown
        albedo = mine.albedo + shown / weight * (self.light.seen / light - mine.albedo)
        return albedo.clamp(DIM, BRIGHT), weight.clamp_max(LONGEST_COLOUR)

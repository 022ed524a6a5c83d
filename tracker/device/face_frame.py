"""Everything from a batch of crops to the published numbers, in buffers that never move: the body of the graph.

Given crops and a row of numbers per face it runs the student, lifts and aligns, renders and compares, takes the
Gauss-Newton steps, smooths, and writes one packed row per face; what it remembers per slot is shared with the frames of
other batch sizes. Every operation has a fixed shape and waits for nothing, so that the same run on a CUDA device is
captured once (`graph`). It does not know how crops come about or who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tracker.device.compare import Compare, mean_albedo
from tracker.device.fused import FusedLift, FusedSmooth
from tracker.device.memory import Memory, new_memory
from tracker.device.mesh import Mesh, mesh_on
from tracker.device.network import Student
from tracker.device.operators import Operators, operators_for
from tracker.device.portray import Projection
from tracker.device.pose import Lift, Lifted, Pose, Square, square_of
from tracker.device.rotation import Rotations
from tracker.device.row import ANSWERED_WIDTH, ASKED, ASKED_WIDTH, leave_empty
from tracker.device.sharpen import Sharpen
from tracker.device.smooth import Look, Smooth, Smoothed
from tracker.face.model import FaceModel
from tracker.face.regions import triangle_regions
from tracker.kernels.imm import STARTED
from tracker.kernels.portray import DIRECTIONS, SPREAD
from tracker.refine.compare import LONGEST_IDENTITY, SIDE_PX, borne_out, frontal_areas
from tracker.refine.sharpen import RefineSettings
from tracker.regress.outputs import CROP_PX, ROI_SIDE_MM
from tracker.smooth.dynamics import Dynamics, dynamics_of
from tracker.smooth.settings import SmoothSettings

LEAST_TRUST = 1e-3


@dataclass(frozen=True, slots=True)
class Shared:
    """What frames of every batch size have in common."""

    model: FaceModel
    mesh: Mesh
    rotations: Rotations
    student: nn.Module
    memory: Memory
    """Of every slot, and one row more."""
    newborn: Memory
    """One row: a face nobody has seen."""
    refine: RefineSettings
    smooth: SmoothSettings


def shared_on(
    device: torch.device, slots: int, model: FaceModel, student: Student, refine: RefineSettings, smooth: SmoothSettings
) -> Shared:  # fmt: skip
    """Put everything there: on a CUDA device the student in half precision."""
    mesh = mesh_on(model, device)
    albedo = mean_albedo(mesh)
    network: nn.Module = student.eval()
    if device.type == "cuda":
        network = network.to(device, torch.float16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Shared(
        model, mesh, Rotations(device), network, new_memory(mesh, albedo, slots + 1), new_memory(mesh, albedo, 1),
        refine, smooth,
    )  # fmt: skip


def smoother_on(
    batch: int, shared: Shared, constants: Dynamics, operators: Operators
) -> Callable[[Look, Tensor], Smoothed]:
    """The filters where they are one kernel, else in torch."""
    smooth = Smooth(constants, shared.rotations, shared.mesh.irises)
    return FusedSmooth(batch, shared.mesh, smooth, operators.follow) if operators.follow else smooth


class FaceFrame:
    """The frame of one batch size. The caller writes `crops` and `asked`, runs, and reads `answered`."""

    leave_empty = staticmethod(leave_empty)

    def __init__(self, batch: int, shared: Shared, operators: Operators | None = None) -> None:
        """Operators own scratch memory that a graph keeps the address of, so each frame has its own."""
        self.batch, self._shared = batch, shared
        mesh, device = shared.mesh, shared.mesh.device
        self.operators = operators or operators_for(mesh)
        self.crops = torch.zeros((batch, 3, CROP_PX, CROP_PX), dtype=torch.float16, device=device)
        """RGB 0..255."""
        self.asked = torch.zeros((batch, ASKED_WIDTH), dtype=torch.float64, device=device)
        self.answered = torch.zeros((batch, ANSWERED_WIDTH), dtype=torch.float32, device=device)
        heads = self.operators.heads
        self._lift = FusedLift(batch, mesh, heads) if heads else Lift(mesh, shared.rotations)
        self._smooth = smoother_on(batch, shared, dynamics_of(shared.smooth), self.operators)
        self._seen = torch.ones((batch, 1), dtype=torch.uint8, device=device)
        self.compare = Compare(batch, mesh, frontal_areas(shared.model, triangle_regions(shared.model)), self.operators)
        self._sharpen = Sharpen(batch, shared.refine.steps, mesh, shared.rotations, self.operators)
        middle = torch.full((1, 2), SIDE_PX / 2, dtype=torch.float64, device=device)
        scale = torch.full((1, 1), SIDE_PX / ROI_SIDE_MM, dtype=torch.float64, device=device)
        self._ordinary = Pose(shared.rotations.unit[None], middle, scale)
        self._projection = Projection(batch, mesh, self.operators.morph, self.operators.project)

    @torch.no_grad()
    def run(self) -> None:
        """Fill `answered`, and remember."""
        self.regress()
        self.follow()

    @torch.no_grad()
    def regress(self) -> None:
        """Only the student, into `vector`."""
        self.vector = self._shared.student(self.crops)

    @torch.no_grad()
    def follow(self) -> None:
        """All that comes after the student's vectors."""
        shared, asked = self._shared, self.asked
        square = square_of(asked[:, ASKED["square"]])
        lifted = self._lift(self.vector)
        good = lifted.plausible & (lifted.presence >= asked[:, ASKED["least_presence"]])
        slots = asked[:, ASKED["slot"].start].long()
        before = shared.memory.at(slots, asked[:, ASKED["fresh"].start] > 0, shared.newborn)
        before.smoothing[:, STARTED] *= asked[:, ASKED["anew"].start] <= 0

        mine = _remember_identity(before, lifted)
        # What is not accepted may lie anywhere, and numbers that are none do: an ordinary head is drawn for it.
        in_crop = lifted.pose.enlarged(SIDE_PX).where(good, self._ordinary)
        shown, mine = self.compare(self.crops, lifted.expression, in_crop, mine)
        expression, in_crop = self._sharpen(
            self.vector, lifted.expression, lifted.std[:, : lifted.expression.shape[1]], in_crop, mine.rest_mm,
            self.compare,
        )  # fmt: skip
        pose = in_crop.placed(square, SIDE_PX)
        doubt = self._doubt(lifted, square)
        count = expression.shape[1]
        look = Look(
            expression, pose, lifted.std[:, :count], lifted.std[:, count + 1 : count + 2], doubt,
            asked[:, ASKED["dt"]], asked[:, ASKED["ahead"]], asked[:, ASKED["camera"]], self._seen,
        )  # fmt: skip
        smoothed = self._smooth(look, mine.smoothing)
        mine = replace(mine, smoothing=smoothed.state)
        self._answer(_Seen(lifted, look, shown, smoothed, mine), good)
        # An unaccepted look is forgotten, but for a slot's old owner, who is gone.
        shared.memory.keep(slots, mine.where(good[:, 0], before))

    def _doubt(self, lifted: Lifted, square: Square) -> Tensor:
        """float64 [B, 2]: standard deviations of the place in px, and of the log scale."""
        std, count = lifted.std.double(), lifted.expression.shape[1]
        return torch.cat([std[:, count + 2 : count + 3] * square.side_px, std[:, count + 3 : count + 4]], 1)

    def _answer(self, seen: _Seen, good: Tensor) -> None:
        """Pack what is known of each face."""
        lifted, smoothed = seen.lifted, seen.smoothed
        filtered, before = smoothed.pose, smoothed.before
        landmarks_px = self._projection(self.compare.rest_mm, smoothed.expression, filtered)
        std, look, count = lifted.std, seen.look, lifted.expression.shape[1]
        trust = (lifted.trust * seen.shown).mean(1, keepdim=True)
        parts = {
            "landmarks_px": landmarks_px, "blendshapes": smoothed.expression, "blendshapes_raw": look.expression,
            "before_camera": before[:, :SPREAD], "identity": seen.mine.identity, "gaze": before[:, DIRECTIONS:],
            "lighting": seen.mine.lighting, "region_confidence": borne_out(lifted.trust, seen.shown),
            "expression_std": std[:, :count], "identity_std": std[:, count : count + 1],
            "rotation_std_rad": std[:, count + 1 : count + 2],
            "spread_mm": before[:, SPREAD:DIRECTIONS], "doubt": look.doubt,
            "confidence": lifted.presence * trust.sqrt(), "trust": trust, "presence": lifted.presence,
            "plausible": lifted.plausible, "accepted": good, "fit_rotation": look.pose.rotation,
            "fit_center_px": look.pose.center_px, "fit_scale": look.pose.scale, "identity_raw": lifted.identity,
            # What the network may err by and what the filters cannot know, together.
            "expression_deviation": torch.hypot(look.expression_std, smoothed.std[:, :count]),
            "rotation_deviation_rad": torch.hypot(look.rotation_std, smoothed.std[:, -3:].amax(1, keepdim=True)),
            "landmarks_deviation_px": before[:, SPREAD : SPREAD + 1] * filtered.scale,
        }  # fmt: skip
        torch.cat([part.flatten(1).float() for part in parts.values()], 1, out=self.answered)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A batch after all steps."""

    lifted: Lifted
    look: Look
    shown: Tensor
    smoothed: Smoothed
    mine: Memory


def _remember_identity(mine: Memory, lifted: Lifted) -> Memory:
    """Fold each look's code into the running mean, as `kernels.resemble` does."""
    weight = lifted.trust.double().mean(1, keepdim=True).clamp_min(LEAST_TRUST)
    total = (mine.identity_weight + weight).clamp_max(LONGEST_IDENTITY)
    identity = mine.identity + (weight / total).float() * (lifted.identity - mine.identity)
    return replace(mine, identity=identity, identity_weight=total)

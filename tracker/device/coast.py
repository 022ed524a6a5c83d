"""A face that is not seen now, as it likely is: its filters carried on, its mesh in the picture, one row of numbers.

Given its slot and how long it was not looked at it reads what is remembered of the face, lets the filters go on without
a sample by the constants of coasting, and keeps where they got to; so what it expects is less sure each time, and the
next look finds filters that are up to date. It has the shape of a `FaceFrame`, and is captured as one. It does not know
who is missed, or why.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tracker.device.face_frame import Shared, smoother_on
from tracker.device.operators import Operators, operators_for
from tracker.device.portray import Projection
from tracker.device.pose import Pose
from tracker.device.row import EXPECTED_WIDTH, MISSED, MISSED_WIDTH, miss_nobody
from tracker.device.smooth import Look
from tracker.kernels.portray import DIRECTIONS, ROTATION, ROTATION_RAW, SPREAD, TRANSLATION, TRANSLATION_RAW
from tracker.smooth.dynamics import dynamics_of


class Coast:
    """So many faces at a time. The caller writes `asked`, runs, and reads `answered`."""

    leave_empty = staticmethod(miss_nobody)

    def __init__(self, batch: int, shared: Shared, operators: Operators | None = None) -> None:
        """Operators as for `FaceFrame`."""
        self.batch, self._shared = batch, shared
        mesh, device = shared.mesh, shared.mesh.device
        operators = operators or operators_for(mesh)
        self.asked = torch.zeros((batch, MISSED_WIDTH), dtype=torch.float64, device=device)
        self.answered = torch.zeros((batch, EXPECTED_WIDTH), dtype=torch.float32, device=device)
        of = dynamics_of(shared.smooth)
        self._smooth = smoother_on(batch, shared, replace(of, dynamics=of.coasting), operators)
        self._projection = Projection(batch, mesh, operators.morph, operators.project)
        self._unread = torch.zeros((batch, len(mesh.expression)), dtype=torch.float32, device=device)
        self._unseen = torch.zeros((batch, 1), dtype=torch.uint8, device=device)

    @torch.no_grad()
    def run(self) -> None:
        """Fill `answered`, and remember."""
        shared, asked = self._shared, self.asked
        slots = asked[:, MISSED["slot"].start].long()
        pose = asked[:, MISSED["pose"]]
        look = Look(
            self._unread, Pose(pose[:, :9].view(-1, 3, 3), pose[:, 9:11], pose[:, 11:]), self._unread,
            self._unread[:, :1], asked[:, MISSED["doubt"]], asked[:, MISSED["dt"]], asked[:, MISSED["ahead"]],
            asked[:, MISSED["camera"]], self._unseen,
        )  # fmt: skip
        smoothed = self._smooth(look, shared.memory.smoothing.index_select(0, slots))
        rest_mm = shared.memory.rest_mm.index_select(0, slots)
        landmarks_px = self._projection(rest_mm, smoothed.expression, smoothed.pose)
        before = smoothed.before
        spread = before[:, SPREAD:DIRECTIONS]
        parts = (
            landmarks_px, smoothed.expression, before[:, ROTATION:ROTATION_RAW], before[:, TRANSLATION:TRANSLATION_RAW],
            before[:, DIRECTIONS:], spread, spread[:, :1] * smoothed.pose.scale, smoothed.std,
        )  # fmt: skip
        torch.cat([part.flatten(1).float() for part in parts], 1, out=self.answered)
        shared.memory.smoothing.index_copy_(0, slots, smoothed.state)

"""A batch of heads before the camera and in the picture: `kernels.portray` in torch.

Given poses in the picture and the camera it returns poses in camera axes and where the eyes look; given faces at rest
it puts their meshes into the picture, by operators that it is handed. It knows neither looks nor tracks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tracker.device.mesh import Mesh
from tracker.device.pose import Pose
from tracker.kernels.portray import STEEPEST


def before_camera(pose: Pose, camera: Tensor) -> tuple[Tensor, Tensor]:
    """cam_from_head [B, 3, 3] and the translation in mm [B, 3]; `camera` float64 [B, 4] is fx, fy, cx, cy."""
    ray = torch.nn.functional.pad((pose.center_px - camera[:, 2:]) / camera[:, :2], (0, 1), value=1.0)
    depth = (camera[:, :1] * camera[:, 1:2]).sqrt() / pose.scale
    unit = ray / ray.norm(dim=1, keepdim=True)
    aside, z = unit[:, :2], unit[:, 2:]
    # Columns of the smallest turn from +z onto the ray.
    corner = torch.diag_embed(torch.ones_like(aside)) - aside[:, :, None] * aside[:, None, :] / (1 + z)[..., None]
    onto_ray = torch.cat([torch.cat([corner, -aside[:, None]], 1), unit[..., None]], 2)
    return onto_ray @ pose.rotation, ray * depth


def directions(expression: Tensor, irises: Tensor) -> Tensor:
    """Unit vectors [B, 6] in head space, left eye first."""
    tilt = (expression.double() @ irises).view(-1, 2, 2)
    shrink = (STEEPEST / tilt.norm(dim=2, keepdim=True).clamp_min(1e-9)).clamp_max(1)
    tilt = tilt * shrink
    return torch.cat([tilt, -(1 - (tilt * tilt).sum(2, keepdim=True)).sqrt()], 2).flatten(1)


class Projection:
    """Meshes of so many faces in the picture, in buffers that the next call overwrites."""

    def __init__(
        self, batch: int, mesh: Mesh, morph: Callable[..., None], project: Callable[..., None]
    ) -> None:  # fmt: skip
        """The two are operators that take tensors."""
        self._mesh, self._morph, self._project = mesh, morph, project
        self._mesh_mm = mesh.mean_mm.new_zeros((batch, *mesh.mean_mm.shape))
        self._px = torch.zeros_like(self._mesh_mm)

    def __call__(self, rest_mm: Tensor, expression: Tensor, pose: Pose) -> Tensor:
        """float32 [B, V, 3] of faces at rest [B, V, 3], coefficients [B, 52] and poses in the picture."""
        self._morph(rest_mm, self._mesh.expression, expression, self._mesh_mm)
        center = torch.nn.functional.pad(pose.center_px, (0, 1)).float()
        turn, scale = pose.rotation.float().contiguous(), pose.scale[:, 0].float().contiguous()
        self._project(self._mesh_mm, turn, scale, center, self._px)
        return self._px

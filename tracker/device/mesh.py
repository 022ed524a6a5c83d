"""The face model as a device's tensors: what every step of the frame reads and none writes.

Given the face model and a device it copies what is needed there once. It computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tracker.face.expression import GROUP_OF
from tracker.face.model import IRIS_FROM_EYEBALL_MM, FaceModel
from tracker.face.regions import triangle_regions
from tracker.face.topology import GUIDES, LEFT_IRIS, RIGHT_IRIS
from tracker.refine.terms import SHAPES
from tracker.regress.guides import guides_at_rest


@dataclass(frozen=True, slots=True)
class Mesh:
    """Constants of the face model. `V` vertices, `T` triangles, `G` guides, `S` shapes that a step moves."""

    mean_mm: Tensor
    """float32 [V, 3]."""
    identity: Tensor
    """float32 [I, V, 3]."""
    expression: Tensor
    """float32 [52, V, 3]."""
    triangles: Tensor
    """int32 [T, 3]."""
    regions: Tensor
    """int32 [T]."""
    albedo: Tensor
    """float32 [V, 3]: of the mean face, 0..255."""
    guides: Tensor
    """int32 [G]."""
    guides_mean: Tensor
    """float64 [3 G]: of the mean face, mm."""
    guides_basis: Tensor
    """float64 [52 + I, 3 G]: expression, then identity."""
    guides_rest: Tensor
    """float64 [G, 3]: in crop sides."""
    shapes: Tensor
    """int64 [S]: the expression coefficients that a step moves."""
    shapes_mm: Tensor
    """float32 [S, V, 3]."""
    irises: Tensor
    """float64 [52, 4]: where each shape puts the irises' x and y, left first, in eyeball radii."""

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.mean_mm.device


def mesh_on(model: FaceModel, device: torch.device) -> Mesh:
    """Copy `model` there."""

    def there(array: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

    at, moving = list(GUIDES), np.array(SHAPES)
    irises = model.expression_mm[:, [LEFT_IRIS[0], RIGHT_IRIS[0]], :2].reshape(-1, 4) / IRIS_FROM_EYEBALL_MM
    irises[[group != "gaze" for group in GROUP_OF]] = 0
    basis = np.concatenate([model.expression_mm[:, at], model.identity_mm[:, at]])
    return Mesh(
        there(model.mean_mm), there(model.identity_mm), there(model.expression_mm),
        there(model.triangles, torch.int32), there(triangle_regions(model), torch.int32), there(model.albedo),
        there(np.array(at), torch.int32), there(model.mean_mm[at].reshape(-1), torch.float64),
        there(basis.reshape(len(basis), -1), torch.float64), there(guides_at_rest(model), torch.float64),
        there(moving, torch.int64), there(model.expression_mm[moving]), there(irises, torch.float64),
    )  # fmt: skip

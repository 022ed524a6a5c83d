"""Does the face, painted where the network says it is, look like the picture? A loss that needs no labels (torch).

Given crops and the face model's vertices in them it samples the picture at visible vertices and triangle centres,
solves light and albedo per face in closed form, and returns robust differences per region. Gradients reach geometry
through where it samples and through the normals; light and albedo get none. It knows no network and no teacher, and a
renderer that compares pixel by pixel can take the place of `Photometric.compare`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tracker.face.model import FaceModel
from tracker.face.topology import RIGHT_IRIS

SOLVES = 4
"""Rounds of light, albedo and weights."""
CELL_PX = 4
HIDDEN_PX = 8.0
"""A sample this far behind the nearest one of its cell is covered by another part of the face."""
FACING = (0.2, 0.5)
"""-z of the normal where a surface begins to count, and what it takes to count in full."""
MIN_LEVEL = 30.0
"""Grey levels; differences are counted as shares of the face's brightness, of at least this."""
SMOOTH = 0.02
ALBEDO_RIDGE = 2.0
# Each harmonic's pull to zero as a share of the constant one's pixels; the same as the albedo was learned with.
LIGHT_RIDGE = (1e-4, *[0.02] * 3, *[0.1] * 5)
# 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2 (Ramamoorthi and Hanrahan 2001), as `face.parameters.Face.lighting` has them.
_CONSTANTS = (0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274)


@dataclass(frozen=True, slots=True)
class Appearance:
    """What was solved for; no gradient passes. P samples, A albedo components."""

    light: Tensor
    """[B, 9, 3] harmonics' coefficients in camera axes, 1 = the albedo as it is."""
    albedo: Tensor
    """[B, A] coefficients."""
    colour: Tensor
    """[B, P, 3] the albedo they make at the samples, 0..255."""
    weight: Tensor
    """[B, P] in 0..1: seen, and not taken for an occluder, a shadow or a highlight."""
    level: Tensor
    """[B] mean brightness of the painted face, at least `MIN_LEVEL`."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Picture against painted face; R regions."""

    residual: Tensor
    """[B, R] mean robust difference, as a share of the face's brightness."""
    seen: Tensor
    """[B, R] how many samples that is the mean of, by weight; no gradient."""


def harmonics(normals: Tensor) -> Tensor:
    """The nine functions [..., 9] at unit normals [..., 3]."""
    x, y, z = normals.unbind(-1)
    functions = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack(functions, -1) * normals.new_tensor(_CONSTANTS)


def sample(picture: Tensor, at: Tensor) -> Tensor:
    """Bilinear colours [B, P, C] of [B, C, H, W] at pixel coordinates [B, P, 2], the first centre at (0.5, 0.5)."""
    size = at.new_tensor([picture.shape[3], picture.shape[2]])
    grid = (at / size * 2 - 1)[:, :, None]
    found = nn.functional.grid_sample(picture, grid, align_corners=False, padding_mode="border")
    return found[..., 0].transpose(1, 2)


def halved(crops: Tensor) -> Tensor:
    """[B, 3, H, W] at half the size and blurred there: with bilinear sampling a standard deviation of about 1.9 px of
    the crop. What samples 3 to 5 px apart cannot resolve must not reach them, and a wider slope pulls from farther."""
    small = nn.functional.avg_pool2d(crops, 2)
    return nn.functional.avg_pool2d(small, 3, stride=1, padding=1, count_include_pad=False)


class Photometric(nn.Module):
    """The face model's skin as samples: its vertices, then its triangles' centres. Irises move too much to be skin."""

    corners: Tensor
    mean: Tensor
    basis: Tensor
    regions: Tensor

    def __init__(self, model: FaceModel, regions: Tensor) -> None:
        """`regions` [R, 478]: which vertices belong to each, any positive weights. What is in none is one more; what is
        in several counts for the first."""
        super().__init__()
        triangles = torch.tensor(model.triangles[(model.triangles < RIGHT_IRIS[0]).all(1)]).long()
        self.register_buffer("corners", triangles)
        self.register_buffer("mean", self._spread(torch.tensor(model.albedo)[None])[0])
        self.register_buffer("basis", self._spread(torch.tensor(model.albedo_basis)))
        member = torch.cat([regions > 0, torch.ones_like(regions[:1], dtype=torch.bool)])
        member &= member.cumsum(0) == 1
        self.register_buffer("regions", self._spread(member.to(self.mean)[..., None])[..., 0])

    def _spread(self, values: Tensor) -> Tensor:
        """Values at vertices [N, 478, C] to samples [N, P, C]."""
        return torch.cat([values[:, : RIGHT_IRIS[0]], values[:, self.corners].mean(2)], 1)

    def forward(self, crops: Tensor, vertices: Tensor) -> Tensor:
        """[B]: `compare` over all regions, each sample counted once; 0 for a face of which nothing is seen."""
        compared = self.compare(crops, vertices)
        return (compared.residual * compared.seen).sum(1) / compared.seen.sum(1).clamp(min=1.0)

    def compare(self, crops: Tensor, vertices: Tensor, appearance: Appearance | None = None) -> Compared:
        """RGB crops [B, 3, H, W] in 0..255 against vertices [B, 478, 3] in their pixels, z away from the camera.

        `appearance` is solved for unless it is given.
        """
        places, functions, colour = self._look(halved(crops), vertices)
        if appearance is None:
            visible = self._visible(places.detach(), functions.detach(), crops.shape[2:])
            appearance = self._solve(functions.detach(), colour.detach(), visible)
        painted = appearance.colour * (functions @ appearance.light)
        apart = (colour - painted) / appearance.level[:, None, None]
        # Charbonnier: smooth where the two agree, linear where they do not.
        distance = ((apart**2).mean(2) + SMOOTH**2).sqrt() - SMOOTH
        seen = appearance.weight @ self.regions.T
        return Compared((distance * appearance.weight) @ self.regions.T / seen.clamp(min=1e-3), seen)

    @torch.no_grad()
    def solve(self, crops: Tensor, vertices: Tensor) -> Appearance:
        """Light, albedo and weights of each face by least squares, reweighted so that occluders drop out."""
        places, functions, colour = self._look(halved(crops), vertices)
        return self._solve(functions, colour, self._visible(places, functions, crops.shape[2:]))

    @torch.no_grad()
    def _solve(self, functions: Tensor, colour: Tensor, visible: Tensor) -> Appearance:
        # A median level to start from: an occluder on a third of the face does not move it.
        albedo = self.mean.expand_as(colour)
        light = functions.new_zeros(len(colour), 9, 3)
        light[:, 0] = _median(colour / albedo, visible) / _CONSTANTS[0]
        weight = _reweighted(colour, albedo * (functions @ light), visible)
        codes = colour.new_zeros(len(colour), len(self.basis))
        for _ in range(SOLVES):
            light = _solve_light(functions, albedo, colour, weight)
            codes = self._solve_albedo(functions @ light, colour, weight)
            albedo = self.mean + torch.einsum("ba,apc->bpc", codes, self.basis)
            weight = _reweighted(colour, albedo * (functions @ light), visible)
        shown = (albedo * (functions @ light)).mean(2)
        level = (shown * visible).sum(1) / visible.sum(1).clamp(min=1e-3)
        return Appearance(light, codes, albedo, weight, level.clamp(min=MIN_LEVEL))

    def _look(self, soft: Tensor, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Samples' places [B, P, 3], harmonics of their normals [B, P, 9] and the picture's colours [B, P, 3]."""
        corner = vertices[:, self.corners]
        flat = torch.linalg.cross(corner[:, :, 1] - corner[:, :, 0], corner[:, :, 2] - corner[:, :, 0])
        normals = torch.zeros_like(vertices)
        for k in range(3):
            normals = normals.index_add(1, self.corners[:, k], flat)
        every = torch.cat([normals[:, : RIGHT_IRIS[0]], flat], 1)
        places = self._spread(vertices)
        return places, harmonics(nn.functional.normalize(every, dim=2)), sample(soft, places[..., :2] / 2)

    @staticmethod
    def _visible(places: Tensor, functions: Tensor, size: torch.Size) -> Tensor:
        """[B, P] in 0..1: turned to the camera, in the picture, and nothing of the face in front of it."""
        facing = ((-functions[..., 2] / _CONSTANTS[2] - FACING[0]) / (FACING[1] - FACING[0])).clamp(0, 1)
        height, width = size
        x, y, depth = places.unbind(2)
        inside = (x > 0) & (x < width) & (y > 0) & (y < height)
        columns = -(-width // CELL_PX)
        cell = (y.clamp(0, height - 1) // CELL_PX * columns + x.clamp(0, width - 1) // CELL_PX).long()
        far = torch.full((len(places), columns * -(-height // CELL_PX)), torch.inf).to(places)
        nearest = far.scatter_reduce(1, cell, depth, "amin").gather(1, cell)
        return facing * inside * (depth < nearest + HIDDEN_PX)

    def _solve_albedo(self, shading: Tensor, colour: Tensor, weight: Tensor) -> Tensor:
        """[B, A] with a pull to the mean person: each coefficient has a standard deviation of one."""
        count = len(self.basis)
        if not count:
            return colour.new_zeros(len(colour), 0)
        # From grey levels to their typical misfit, so that the ridge is that of a Gaussian prior.
        sure = weight[..., None] * shading**2 / _NOISE_LEVELS**2
        right = (weight[..., None] * shading * (colour - self.mean * shading)).flatten(1) / _NOISE_LEVELS**2
        flat = self.basis.flatten(1)
        gram = torch.einsum("bx,xm->bm", sure.flatten(1), self._products()).view(-1, count, count)
        ridge = ALBEDO_RIDGE * torch.eye(count, dtype=colour.dtype, device=colour.device)
        return torch.linalg.solve(gram + ridge, right @ flat.T)

    def _products(self) -> Tensor:
        """[3 P, A A]: the basis times itself at each sample."""
        flat = self.basis.flatten(1).T
        return (flat[:, :, None] * flat[:, None]).flatten(1)


_NOISE_LEVELS = 40.0
"""What a sample differs by for other reasons, counted wide since neighbours differ together."""


def _solve_light(functions: Tensor, albedo: Tensor, colour: Tensor, weight: Tensor) -> Tensor:
    """[B, 9, 3] by weighted ridge regression, each channel for itself."""
    solved = []
    ridge = functions.new_tensor(LIGHT_RIDGE)
    for channel in range(3):
        design = functions * albedo[..., channel, None]
        weighted = design * weight[..., None]
        gram = weighted.transpose(1, 2) @ design
        pull = torch.diag_embed(gram[:, 0, 0, None] * ridge + 1e-3)
        right = weighted.transpose(1, 2) @ colour[..., channel, None]
        solved.append(torch.linalg.solve(gram + pull, right)[..., 0])
    return torch.stack(solved, 2)


def _median(values: Tensor, weight: Tensor) -> Tensor:
    """Median [B, C] of [B, P, C] over the samples with a weight; 1 where there are none."""
    known = values.masked_fill(weight[..., None] <= 0, torch.nan)
    return known.nanmedian(1).values.nan_to_num(1.0)


def _reweighted(colour: Tensor, painted: Tensor, visible: Tensor) -> Tensor:
    """Geman and McClure's weights [B, P], with a scale from the median misfit of each face."""
    miss = ((colour - painted) ** 2).mean(2).sqrt()
    scale = (2.0 * _median(miss[..., None], visible)).clamp(min=6.0)
    return visible / (1 + (miss / scale) ** 2) ** 2

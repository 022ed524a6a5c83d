"""Render the fit, compare it with the pixels: how much of each region of the face shows what it should.

Given a fit, the crop it came from and the identity so far it draws the face model into the crop at half its size, by
`rasterize`, lights it, by `relight` and `shade`, with the colours that this face has had so far, and compares. A region
that a hand covers, or that is turned away, loses confidence; the others keep theirs. What it gathers per track: the
light, and the colour of the skin at each vertex. It moves nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.regions import NONE, triangle_regions
from tracker.face.topology import VERTICES
from tracker.kernels.backend import Kernels
from tracker.kernels.relight import Relit
from tracker.kernels.shade import Shaded, Surface
from tracker.refine.fit import Fit
from tracker.regress.outputs import CROP_PX
from tracker.regress.regressor import Guess

SIDE_PX = CROP_PX // 2
SOFTNESS = 0.15
"""A pixel off by this (0.15 of white in all channels together) counts half."""
SLACK_PX = 1.5
"""So far behind the drawn surface a vertex still counts as on it; 5 mm."""
CLEAR, COVERED = 0.35, 0.65
"""A region's mean error, from which its confidence falls, and at which none is left. On training clips 95% of clear
regions stay below 0.22 (cheeks) to 0.39 (brows); half of those with a box before them are above 0.68."""
WHOLE_SHARE = 0.5
"""Of what a region covers when it looks straight ahead: with less in sight confidence falls in proportion."""
VOUCHES = 0.5
"""How much of the network's doubt pixels that fit take away."""
FRESH = 12
"""For so many looks a new face's colours are believed whatever they are, then only what fits the earlier ones."""
GATHER_EVERY = 4
PRIOR_LOOKS, LONGEST_MEMORY = 2.0, 60.0
"""The mean face's colours count as much as two looks; a colour is the mean over some sixty at most."""
LIGHT_SHARE = 0.25
"""Of a frame's light in the running one."""
DIM, BRIGHT = 0.03, 1.5
"""The darkest and the brightest that a colour can be, in shares of white."""
LEAST_LIGHT = 0.05
"""With less light on it a vertex says nothing about its colour."""
NOBODY = -1


def borne_out(said: Any, shown: Any) -> Any:
    """The confidence of regions [..., 5], of what the network says of each and what the pixels show; numpy or torch.

    A network that sees a hand doubts the whole face. Where the pixels show what they should, its doubt counts half (as
    an exponent); where they do not, nothing is left of its confidence.
    """
    return said ** (1 - VOUCHES * shown) * shown


class _Appearance:
    """What is gathered about one track: its colours and its light."""

    def __init__(self, vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, regions: np.ndarray) -> None:
        """`vertices` and `normals` [1, V, 3] are those of whoever is looked at."""
        self.owner, self.looks = NOBODY, 0
        self.rest_mm = np.zeros((VERTICES, 3), np.float32)
        self.weight = np.zeros((1, VERTICES, 1), np.float32)
        self.surface = Surface(
            vertices, triangles, normals, np.zeros((1, VERTICES, 3), np.float32), np.zeros((1, 9, 3), np.float32),
            regions,
        )  # fmt: skip

    def forget(self, owner: int, albedo: np.ndarray) -> None:
        """Begin anew for another face."""
        self.owner, self.looks = owner, 0
        self.weight[:] = PRIOR_LOOKS
        self.surface.albedo[0] = albedo


class Comparer:
    """Rendering and comparing, with buffers for `slots` faces. What it saw last is there until the next look."""

    before_px = 4.0 * SIDE_PX
    """Depths are from a plane this far before the head's origin, since they have to be above zero."""

    def __init__(self, slots: int, model: FaceModel, kernels: Kernels) -> None:
        self._model, self._kernels = model, kernels
        regions = triangle_regions(model)
        self._vertices, self._normals = (np.zeros((1, VERTICES, 3), np.float32) for _ in range(2))
        self._faces = [_Appearance(self._vertices, self._normals, model.triangles, regions) for _ in range(slots)]
        self._albedo = np.clip(model.albedo / 255, DIM, BRIGHT).astype(np.float32)
        self._mesh_mm = np.zeros((VERTICES, 3), np.float32)
        self._picture = np.zeros((1, SIDE_PX, SIDE_PX, 3), np.uint8)
        self.ids = np.zeros((1, SIDE_PX, SIDE_PX), np.int32)
        self.depth = np.zeros((1, SIDE_PX, SIDE_PX), np.float32)
        self._relit = Relit(
            np.zeros((1, 9, 3), np.float32), np.zeros((1, VERTICES, 3), np.float32), np.zeros((1, VERTICES), np.float32)
        )
        count = len(REGIONS)
        self.shaded = Shaded(
            np.zeros((1, VERTICES, 3), np.float32), np.zeros((1, count), np.float32), np.zeros((1, count), np.int32)
        )
        self._frontal_mm2 = frontal_areas(model, regions).tolist()
        self.pose: tuple[np.ndarray, np.ndarray, float] = (np.eye(3), np.zeros(2), 1.0)
        """Rotation, centre and px per mm of the last mesh in the crop."""

    def reset(self) -> None:
        """Forget everybody."""
        for face in self._faces:
            face.owner = NOBODY

    def lighting_of(self, slot: int) -> np.ndarray:
        """float32 [9, 3]: the light on the face in that slot, camera axes, a view."""
        lighting: np.ndarray = self._faces[slot].surface.lighting[0]
        return lighting

    @property
    def vertices_px(self) -> np.ndarray:
        """float32 [V, 3]: the last mesh in the crop."""
        mesh: np.ndarray = self._vertices[0]
        return mesh

    @property
    def counts(self) -> np.ndarray:
        """float32 [V]: how clearly each vertex was seen, and how well it fitted."""
        weight: np.ndarray = self._relit.weight[0]
        return weight

    @property
    def target(self) -> np.ndarray:
        """uint8 [S, S, 3]: the crop it was compared with."""
        picture: np.ndarray = self._picture[0]
        return picture

    def __call__(self, guess: Guess, fit: Fit, identity: np.ndarray, slot: int) -> Fit:
        """The fit with the confidence of its regions as the pixels bear it out."""
        if not fit.plausible:
            return fit
        face = self._faces[slot]
        if face.owner != fit.track_id:
            face.forget(fit.track_id, self._albedo)
        if face.looks < FRESH or face.looks % GATHER_EVERY == 0:
            self._kernels.morph(self._model.mean_mm, self._model.identity_mm, identity, face.rest_mm)
        self.place(guess, fit, slot)
        kernels, surface = self._kernels, face.surface
        kernels.halve(guess.crop, self._picture[0])
        kernels.rasterize(self._vertices, surface.triangles, self.ids, self.depth)
        self._relight(face)
        kernels.shade(surface, self.ids, self._picture, SOFTNESS, self.shaded)
        if face.looks < FRESH or face.looks % GATHER_EVERY == 0:
            self._gather(face)
        face.looks += 1
        said, shown = fit.region_confidence, self._shown()
        return replace(fit, region_confidence=borne_out(said, shown), trust=float((said * shown).mean()))

    def _shown(self) -> np.ndarray:
        """float32 [5] in 0..1: how much of each region is there to see, and looks as it should."""
        whole, shown = WHOLE_SHARE * self.pose[2] ** 2, []
        # Five numbers: done as such in a third of the time that arrays of five take.
        for error, pixels, frontal_mm2 in zip(
            self.shaded.error[0].tolist(), self.shaded.pixels[0].tolist(), self._frontal_mm2, strict=True
        ):
            fits = min(max((COVERED - error / max(pixels, 1)) / (COVERED - CLEAR), 0.0), 1.0)
            shown.append(fits * min(pixels / (whole * frontal_mm2), 1.0))
        return np.array(shown, np.float32)

    def place(self, guess: Guess, fit: Fit, slot: int) -> None:
        """Put a known face's mesh into the crop's pixels, with its normals."""
        model, kernels, face = self._model, self._kernels, self._faces[slot]
        kernels.morph(face.rest_mm, model.expression_mm, fit.expression, self._mesh_mm)
        rotation, center_px, scale = self.pose = fit.within(guess.roi, SIDE_PX)
        kernels.project(self._mesh_mm, rotation, scale, center_px, self._vertices[0])
        self._vertices[0, :, 2] += self.before_px
        kernels.normals(self._vertices, face.surface.triangles, self._normals)

    def _relight(self, face: _Appearance) -> None:
        surface, light = face.surface, face.surface.lighting
        if face.looks == 0:
            self._kernels.relight(surface, self.depth, self._picture, SLACK_PX, np.inf, self._relit)
            light[:] = self._relit.lighting
        self._kernels.relight(surface, self.depth, self._picture, SLACK_PX, SOFTNESS, self._relit)
        light += LIGHT_SHARE * (self._relit.lighting - light)

    def _gather(self, face: _Appearance) -> None:
        """Fold what the vertices show into the face's colours."""
        albedo, relit = face.surface.albedo, self._relit
        light = np.maximum(self.shaded.colours / albedo, LEAST_LIGHT)
        shown = relit.weight[:, :, None]
        if face.looks < FRESH:
            shown = (shown > 0) * np.float32(0.5)
        face.weight += shown
        albedo += shown / face.weight * (relit.seen / light - albedo)
        np.clip(albedo, DIM, BRIGHT, out=albedo)
        np.minimum(face.weight, LONGEST_MEMORY, out=face.weight)


def frontal_areas(model: FaceModel, regions: np.ndarray) -> np.ndarray:
    """float64 [5]: what each region of the mean face covers when it looks straight ahead, mm^2."""
    corners = model.mean_mm[model.triangles][:, :, :2].astype(np.float64)
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    areas = np.abs(ax * by - ay * bx) / 2
    inside = regions != NONE
    return np.bincount(regions[inside], areas[inside], len(REGIONS))

"""A deformable body as a camera sees it: its mesh in the picture, its pose before the camera, where its parts point.

Given a mesh as base + sum_b weight_b basis_b, the pose in which the picture shows it (scaled orthography along the
viewing ray: rotation, the origin's place in px, px per mm) and the camera `fx fy cx cy`, it evaluates

- the mesh in the picture: xy = centre + scale (R v)_xy, z = scale (R v)_z;
- cam_from_body: R turned by the smallest rotation that carries +z onto the ray (Rodrigues with axis z cross ray); and
  the translation, at the depth where a millimetre covers `scale` pixels; both for a second pose as well (the raw one);
- the translation's standard deviation, from that of the place (mm) and of the log scale;
- two unit vectors along -z, tilted in x and y by what the weights say (at most 0.9).

The base is kept from call to call: coefficients that hardly change (a person's identity) are folded into it, each only
when it moves some vertex by more than a stated step, so that most calls read only the basis of what moves. One call
replaces eight, and reads a third of the memory. It does not know faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import MISFIT, Form, Forms, wants_checked
from tracker.kernels.interop import rank, require, require_kind, require_numbers

STEEPEST = 0.9
"""Of the tilt, as a sine."""
ROTATION, ROTATION_RAW, TRANSLATION, TRANSLATION_RAW, SPREAD, DIRECTIONS = 0, 9, 18, 21, 24, 27
AFTER_MESH = 33
"""Where in `out`, after the mesh, the parts begin: two rotations by rows, translations, deviation, two directions."""

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Implementation = Callable[..., int | None]
"""Takes what the operator takes, checked, but for one that `sees_misfits`."""


class Base:
    """The mesh without what moves, and how much of each lasting coefficient is in it; one per body."""

    def __init__(self, mean_mm: np.ndarray, lasting_mm: np.ndarray, step_mm: float) -> None:
        """`mean_mm` [V, 3], `lasting_mm` [I, V, 3], float32 and contiguous; a coefficient is folded in when it moves a
        vertex by `step_mm`. Raises SettingsError for anything else."""
        (count, _), (lasting, _, _) = rank("mean_mm", mean_mm, 2), rank("lasting_mm", lasting_mm, 3)
        require("mean_mm", mean_mm, _FLOAT32, (count, 3))
        require("lasting_mm", lasting_mm, _FLOAT32, (lasting, count, 3))
        require_numbers(step_mm=step_mm)
        if not count:
            raise SettingsError("a mesh of no vertices; give one or more")
        self.vertices_mm = mean_mm.copy()
        self.lasting_mm = lasting_mm
        self.folded = np.zeros(len(lasting_mm), np.float32)
        reach_mm = np.linalg.norm(lasting_mm, axis=2).max(1)
        self.least_change = (step_mm / np.maximum(reach_mm, 1e-9)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Portray:
    """`portray` on one implementation."""

    implementation: Implementation

    def __call__(
        self, base: Base, lasting: np.ndarray, basis: np.ndarray, weights: np.ndarray, tilts: np.ndarray,
        rotation: np.ndarray, center_px: np.ndarray, scale: float, rotation_raw: np.ndarray, center_raw_px: np.ndarray,
        scale_raw: float, camera: np.ndarray, across_mm: float, log_scale_std: float, out: np.ndarray,
    ) -> None:  # fmt: skip
        """Fill `out` float32 [3 V + 33]: the mesh in px, then what `ROTATION` and the others name.

        `lasting` float32 [I] are the coefficients of `base`; `basis` float32 [B, V, 3] and `weights` float32 [B] move
        it; `tilts` float32 [B, 4] is x, y of the first direction, then of the second. Poses are float64 [3, 3] and [2],
        `camera` float64 [4]. All contiguous. Raises SettingsError for anything else.
        """
        require_kind("base", base, Base)
        given = lasting, basis, weights, tilts, rotation, center_px, rotation_raw, center_raw_px, camera
        if wants_checked(self.implementation):
            _require(base, given, out)
        try:
            found = self.implementation(
                base.vertices_mm, base.lasting_mm, base.folded, base.least_change, lasting, basis, weights, tilts,
                rotation, center_px, float(scale), rotation_raw, center_raw_px, float(scale_raw), camera,
                float(across_mm), float(log_scale_std), out,
            )  # fmt: skip
        except (TypeError, ValueError):
            _require(base, given, out)
            require_numbers(scale=scale, scale_raw=scale_raw, across_mm=across_mm, log_scale_std=log_scale_std)
            raise
        if found == MISFIT:
            _require(base, given, out)


def _require(base: Base, given: tuple[Any, ...], out: Any) -> None:
    (moving,) = rank("weights", given[2], 1)
    _forms(len(base.vertices_mm), len(base.folded), moving).check(given, (out,))


@lru_cache(maxsize=64)
def _forms(vertices: int, lasting: int, moving: int) -> Forms:
    """Of a body of that size."""
    turn, place = (3, 3), (2,)
    given = (
        Form("lasting", _FLOAT32, (lasting,)), Form("basis", _FLOAT32, (moving, vertices, 3)),
        Form("weights", _FLOAT32, (moving,)), Form("tilts", _FLOAT32, (moving, 4)),
        Form("rotation", _FLOAT64, turn), Form("center_px", _FLOAT64, place), Form("rotation_raw", _FLOAT64, turn),
        Form("center_raw_px", _FLOAT64, place), Form("camera", _FLOAT64, (4,)),
    )  # fmt: skip
    return Forms(given, [Form("out", _FLOAT32, (3 * vertices + AFTER_MESH,))])

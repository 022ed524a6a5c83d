"""Light in other axes: what a turned square of the picture shows of it, in those of the camera.

Given spherical harmonics of order two, nine per colour in the order of `shade`, as they light bodies seen in squares,
it turns them by each square's roll and then by the smallest rotation that carries +z onto the ray through the body (as
`portray` does with its pose), for each colour:

    l'_0 = l_0,   (l'_3, l'_1, l'_2) = R (l_3, l_1, l_2),   Q(l'_4..8) = R Q(l_4..8) R^T,

Q being the symmetric matrix without a trace whose quadratic form the last five are. It is the same light: what it says
at a normal n is what it said before at R^T n. It does not know how the light was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracker.kernels.interop import rank, require

COEFFICIENTS = 9
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Implementation = Callable[..., None]
"""Takes what the operator takes, checked."""


@dataclass(frozen=True, slots=True)
class Reorient:
    """`reorient` on one implementation."""

    implementation: Implementation

    def __call__(
        self, lighting: np.ndarray, center_px: np.ndarray, roll_rad: np.ndarray, camera: np.ndarray, out: np.ndarray
    ) -> None:
        """Fill `out` float32 [B, 9, 3] from `lighting`, the same, of bodies seen at `center_px` [B, 2] in squares
        turned by `roll_rad` [B], both float64, by a `camera` fx, fy, cx, cy, float64 [4]. All contiguous. Raises
        SettingsError for anything else."""
        batch, _, colours = rank("lighting", lighting, 3)
        for name, array, dtype, shape in (
            ("lighting", lighting, _FLOAT32, (batch, COEFFICIENTS, colours)),
            ("center_px", center_px, _FLOAT64, (batch, 2)), ("roll_rad", roll_rad, _FLOAT64, (batch,)),
            ("camera", camera, _FLOAT64, (4,)),
        ):  # fmt: skip
            require(name, array, dtype, shape)
        require("out", out, _FLOAT32, lighting.shape, filled=True)
        self.implementation(lighting, center_px, roll_rad, camera, out)

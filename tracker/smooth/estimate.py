"""From filtered parameters to the published estimate: the mesh in the picture, the head in front of the camera.

Given a fit, its filtered values and the camera it evaluates the face model once, by the `portray` kernel, and writes a
`Face`. Landmarks are projected with scaled orthography along the viewing ray, which needs no focal length; pose and
distance use the camera; gaze is where the shapes put each iris on its eyeball.
"""

from __future__ import annotations

import math

import numpy as np

from tracker.face.camera import Camera
from tracker.face.expression import GROUP_OF
from tracker.face.model import IRIS_FROM_EYEBALL_MM, FaceModel
from tracker.face.parameters import Deviation, Face, TrackState
from tracker.face.pose import deviations_mm
from tracker.face.topology import LEFT_IRIS, RIGHT_IRIS, VERTICES
from tracker.kernels.backend import choose
from tracker.kernels.morph import Morph
from tracker.kernels.portray import (
    AFTER_MESH,
    DIRECTIONS,
    ROTATION,
    ROTATION_RAW,
    SPREAD,
    TRANSLATION,
    TRANSLATION_RAW,
    Base,
    Portray,
)
from tracker.kernels.project import Project
from tracker.refine.fit import Fit
from tracker.smooth.dynamics import INTER_OCULAR_MM
from tracker.smooth.track_filter import Filtered

IDENTITY_STEP_MM = 0.002
"""A coefficient of the running identity is folded into the face at rest when that moves some vertex by this much.

On a talking face about 13 of the 64 are, each frame, and all that waits leaves a vertex off by 0.011 mm at most, a
tenth of how much a face at rest trembles.
"""

_MESH = 3 * VERTICES
_OUT = _MESH + AFTER_MESH
_ROTATION, _ROTATION_RAW = (slice(_MESH + start, _MESH + start + 9) for start in (ROTATION, ROTATION_RAW))
_TRANSLATION, _TRANSLATION_RAW, _SPREAD = (
    slice(_MESH + start, _MESH + start + 3) for start in (TRANSLATION, TRANSLATION_RAW, SPREAD)
)
_LOG_SIZE = len(GROUP_OF)
"""In `Filtered.std`, behind the shapes; the place and the turn follow."""
_GAZE = slice(_MESH + DIRECTIONS, _OUT)


class Estimator:
    """Face model and each track's face at rest."""

    def __init__(self, model: FaceModel, morph: Morph, project: Project, portray: Portray | None = None) -> None:
        self._model, self._morph, self._project = model, morph, project
        self._portray = portray or choose().portray
        self._rests: dict[int, Base] = {}
        self._vertices = np.zeros((VERTICES, 3), np.float32)
        self._camera = np.zeros(4)
        self.landmarks_px = np.zeros((VERTICES, 3), np.float32)
        # Where each shape puts the irises' x and y, left first, in eyeball radii; only looks move them.
        irises = model.expression_mm[:, [LEFT_IRIS[0], RIGHT_IRIS[0]], :2].reshape(-1, 4) / IRIS_FROM_EYEBALL_MM
        self._irises = np.ascontiguousarray(irises, np.float32)
        self._irises[[group != "gaze" for group in GROUP_OF]] = 0

    def reset(self) -> None:
        """Forget every track's face at rest."""
        self._rests.clear()

    def drop(self, track_id: int) -> None:
        """Forget the face at rest of a track that has ended; one that never was is fine."""
        self._rests.pop(track_id, None)

    def landmarks(
        self, identity: np.ndarray, expression: np.ndarray, rotation: np.ndarray, center_px: np.ndarray, scale: float
    ) -> np.ndarray:
        """float32 [478, 3] in source pixels, a buffer overwritten by the next call; for one face on its own."""
        model, vertices = self._model, self._vertices
        self._morph(model.mean_mm, model.identity_mm, np.asarray(identity, np.float32), vertices)
        self._morph(vertices, model.expression_mm, np.asarray(expression, np.float32), vertices)
        self._project(vertices, rotation, scale, center_px, self.landmarks_px)
        return self.landmarks_px

    def _rest_of(self, track_id: int) -> Base:
        rest = self._rests.get(track_id)
        if rest is None:
            rest = Base(self._model.mean_mm, self._model.identity_mm, IDENTITY_STEP_MM)
            self._rests[track_id] = rest
        return rest

    def __call__(
        self, fit: Fit, filtered: Filtered, identity: np.ndarray, camera: Camera, lighting: np.ndarray,
        state: TrackState = TrackState.TRACKING,
    ) -> Face:  # fmt: skip
        """The estimate of a face seen in this frame; every array in it is a fresh copy."""
        self._camera[:] = camera.fx, camera.fy, camera.cx, camera.cy
        out = np.empty(_OUT, np.float32)
        # The network's errors, and what the filter cannot know: little while the face is seen, more and more without.
        size_std, *place_std, turn_x, turn_y, turn_z = filtered.std[_LOG_SIZE:].tolist()
        place_std_mm = math.hypot(fit.centre_std_px / fit.scale_px_per_mm, INTER_OCULAR_MM * max(place_std))
        log_scale_std = math.hypot(fit.log_scale_std, size_std)
        self._portray(
            self._rest_of(fit.track_id), identity, self._model.expression_mm, filtered.expression, self._irises,
            filtered.rotation, filtered.center_px, filtered.scale_px_per_mm, fit.rotation, fit.center_px,
            fit.scale_px_per_mm, self._camera, place_std_mm, log_scale_std, out,
        )  # fmt: skip
        return Face(
            track_id=fit.track_id, state=state, landmarks_px=out[:_MESH].reshape(VERTICES, 3),
            blendshapes=filtered.expression.copy(), blendshapes_raw=fit.expression.copy(),
            rotation=out[_ROTATION].reshape(3, 3), rotation_raw=out[_ROTATION_RAW].reshape(3, 3),
            translation_mm=out[_TRANSLATION], translation_raw_mm=out[_TRANSLATION_RAW], identity=identity.copy(),
            gaze=out[_GAZE].reshape(2, 3), lighting=lighting.copy(), confidence=fit.presence * fit.trust**0.5,
            region_confidence=fit.region_confidence.copy(),
            deviation=Deviation(
                np.hypot(fit.expression_std, filtered.std[:_LOG_SIZE]), fit.identity_std,
                math.hypot(fit.rotation_std_rad, max(turn_x, turn_y, turn_z)),
                deviations_mm(out[_TRANSLATION], out[_SPREAD]),
                place_std_mm * filtered.scale_px_per_mm,
            ),
        )  # fmt: skip

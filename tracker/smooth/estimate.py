"""From filtered parameters to the published estimate: the mesh in the picture, the head in front of the camera.

Given a fit, its filtered values and the camera it evaluates the face model once and writes a `Face`. Landmarks are
projected with scaled orthography along the viewing ray, which needs no focal length; pose and distance use the camera.
"""

from __future__ import annotations

import math

import numpy as np

from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_NAMES, GROUP_OF
from tracker.face.model import IRIS_FROM_EYEBALL_MM, FaceModel
from tracker.face.parameters import Deviation, Face, TrackState
from tracker.face.pose import ray_rotation
from tracker.face.topology import LEFT_IRIS, RIGHT_IRIS, VERTICES
from tracker.kernels.morph import Morph
from tracker.kernels.project import Project
from tracker.refine.fit import Fit
from tracker.smooth.track_filter import Filtered


def place(
    rotation_view: np.ndarray, center_px: np.ndarray, scale: float, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """cam_from_head [3, 3] and the head's origin in mm [3], from what the picture shows.

    The distance is the one at which a millimetre covers `scale` pixels; the rotation is turned from the viewing ray to
    the camera's axes.
    """
    x, y = (float(center_px[0]) - camera.cx) / camera.fx, (float(center_px[1]) - camera.cy) / camera.fy
    depth_mm = math.sqrt(camera.fx * camera.fy) / scale
    return ray_rotation((x, y, 1.0)) @ rotation_view, np.array((x * depth_mm, y * depth_mm, depth_mm))


class Estimator:
    """Face model and buffers for one face at a time."""

    def __init__(self, model: FaceModel, morph: Morph, project: Project) -> None:
        self._model, self._morph, self._project = model, morph, project
        self._basis = np.ascontiguousarray(np.concatenate([model.identity_mm, model.expression_mm]))
        self._weights = np.zeros(len(self._basis), np.float32)
        self._vertices = np.zeros((VERTICES, 3), np.float32)
        self.landmarks_px = np.zeros((VERTICES, 3), np.float32)
        looks = [i for i, group in enumerate(GROUP_OF) if group == "gaze"]
        assert all("Look" in ARKIT_NAMES[i] for i in looks)
        self._looks = looks
        irises = model.expression_mm[looks][:, [LEFT_IRIS[0], RIGHT_IRIS[0]], :2] / IRIS_FROM_EYEBALL_MM
        self._iris_of_looks = irises.reshape(len(looks), 4)

    def landmarks(
        self, identity: np.ndarray, expression: np.ndarray, rotation: np.ndarray, center_px: np.ndarray, scale: float
    ) -> np.ndarray:
        """float32 [478, 3] in source pixels, a buffer overwritten by the next call."""
        self._weights[: len(identity)] = identity
        self._weights[len(identity) :] = expression
        self._morph(self._model.mean_mm, self._basis, self._weights, self._vertices)
        self._project(self._vertices, rotation, scale, center_px, self.landmarks_px)
        return self.landmarks_px

    def gaze(self, expression: np.ndarray) -> np.ndarray:
        """float32 [2, 3] unit vectors in head space, left first: where the shapes put each iris on its eyeball."""
        gaze = np.empty((2, 3), np.float32)
        offset = (expression[self._looks] @ self._iris_of_looks).tolist()
        for eye in range(2):
            x, y = offset[2 * eye], offset[2 * eye + 1]
            shrink = min(1.0, 0.9 / max(math.hypot(x, y), 1e-9))
            x, y = x * shrink, y * shrink
            gaze[eye] = x, y, -math.sqrt(1 - x * x - y * y)
        return gaze

    def __call__(
        self, fit: Fit, filtered: Filtered, identity: np.ndarray, camera: Camera, lighting: np.ndarray
    ) -> Face:
        """The estimate of a face seen in this frame; every array in it is a fresh copy."""
        rotation, translation = place(filtered.rotation, filtered.center_px, filtered.scale_px_per_mm, camera)
        rotation_raw, translation_raw = place(fit.rotation, fit.center_px, fit.scale_px_per_mm, camera)
        landmarks = self.landmarks(
            identity, filtered.expression, filtered.rotation, filtered.center_px, filtered.scale_px_per_mm
        )
        across_mm = fit.centre_std_px / fit.scale_px_per_mm
        return Face(
            track_id=fit.track_id, state=TrackState.TRACKING, landmarks_px=landmarks.copy(),
            blendshapes=filtered.expression.astype(np.float32), blendshapes_raw=fit.expression.copy(),
            rotation=rotation.astype(np.float32), rotation_raw=rotation_raw.astype(np.float32),
            translation_mm=translation.astype(np.float32), translation_raw_mm=translation_raw.astype(np.float32),
            identity=identity.copy(), gaze=self.gaze(filtered.expression), lighting=lighting.copy(),
            confidence=fit.presence * float(fit.region_confidence.mean()) ** 0.5,
            region_confidence=fit.region_confidence.copy(),
            deviation=Deviation(
                expression=fit.expression_std.copy(), identity=fit.identity_std, rotation_rad=fit.rotation_std_rad,
                translation_mm=np.array([across_mm, across_mm, translation[2] * fit.log_scale_std], np.float32),
                landmarks_px=fit.centre_std_px,
            ),
        )  # fmt: skip

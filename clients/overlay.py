"""Faces drawn on a picture: the mesh or what is rendered of it, the head's axes, the strongest shapes, the track's
state.

Given an RGB picture and the faces in it, it draws on that picture with numpy. It encodes and writes nothing, and does
not know where the faces came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracker.clients import ink
from tracker.face.expression import ARKIT_NAMES
from tracker.face.model import FaceModel
from tracker.face.parameters import Face, TrackState
from tracker.face.topology import NOSE_TIP
from tracker.render import Renderer, cam_from_ray, require_kind
from tracker.source.frame import Frame

BARS = 5
AXIS_OF_FACE = 0.45
_WHITE, _GREY, _BLACK = (245, 245, 245), (110, 110, 110), (0, 0, 0)
_STATE_RGB = {
    TrackState.ACQUIRING: (255, 225, 80), TrackState.TRACKING: (70, 235, 200),
    TrackState.COASTING: (255, 150, 60), TrackState.LOST: (255, 80, 80),
}  # fmt: skip
_AXES_RGB = ((255, 70, 70), (90, 230, 90), (90, 150, 255))
_LONGEST_NAME = max(len(name) for name in ARKIT_NAMES)


class Overlay:
    """Draws faces on a picture."""

    def __init__(self, model: FaceModel, render: str | None = None) -> None:
        """`render` is one of `render.KINDS`, drawn instead of the mesh. Raises SettingsError for another."""
        if render is not None:
            require_kind(render)
        self._render, self._renderer = render, Renderer(model) if render else None
        edges = np.sort(model.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        self._edges, times = np.unique(edges, axis=0, return_counts=True)
        self._rims = self._edges[times == 1]  # eyes, irises, lips and the face's outline

    def __call__(self, picture: np.ndarray, faces: Sequence[Face], scale: float = 1.0) -> None:
        """Draw on uint8 [H, W, 3], `scale` picture pixels a source pixel; without a seen face it says so.

        Nearer faces cover farther ones. What is rendered of a face carries no distance from the camera, and heads do
        not reach through each other: so it is whole faces that cover, not pixels.
        """
        dot = _dot_px(picture)
        for face in sorted(faces, key=lambda face: -face.translation_mm[2]):
            if face.state != TrackState.LOST:
                if self._renderer is None:
                    self._mesh(picture, face, scale)
                else:
                    self._surface(picture, face, scale, self._renderer)
                _axes(picture, face, scale, dot)
        top = 4 * dot
        if not any(face.state in (TrackState.TRACKING, TrackState.ACQUIRING) for face in faces):
            ink.box(picture, 4 * dot, top, (50 * dot, 13 * dot), _BLACK, 0.55)
            ink.text(picture, 8 * dot, top + 3 * dot, "no face", _STATE_RGB[TrackState.LOST], dot)
            top += 15 * dot
        for face in faces:
            if top < picture.shape[0]:
                top = _panel(picture, face, top, dot)

    def _mesh(self, picture: np.ndarray, face: Face, scale: float) -> None:
        points = face.landmarks_px[:, :2].astype(np.float64) * scale
        rgb = _STATE_RGB[face.state]
        ink.lines(picture, points[self._edges[:, 0]], points[self._edges[:, 1]], rgb, 0.55)
        ink.lines(picture, points[self._rims[:, 0]], points[self._rims[:, 1]], _WHITE, 0.85)

    def _surface(self, picture: np.ndarray, face: Face, scale: float, renderer: Renderer) -> None:
        """What is rendered, in the picture's own pixels."""
        sized = replace(face, landmarks_px=face.landmarks_px * np.float32(scale))
        found = renderer(sized, picture.shape[1], picture.shape[0])
        tall, wide = found.mask.shape
        part = picture[found.y_px : found.y_px + tall, found.x_px : found.x_px + wide]
        part[found.mask] = found.picture(self._render or "")[found.mask]


def _axes(picture: np.ndarray, face: Face, scale: float, dot: int) -> None:
    """From the tip of the nose: red to the subject's left, green down, blue out of the face."""
    points = face.landmarks_px[:, :2].astype(np.float64) * scale
    length = AXIS_OF_FACE * float(np.ptp(points[:, 1]))
    tip, seen = points[NOSE_TIP], cam_from_ray(face.translation_mm).T @ face.rotation
    for axis, sign in ((0, 1), (1, 1), (2, -1)):
        ink.thick_line(picture, tip, tip + sign * length * seen[:2, axis], _AXES_RGB[axis], 1.2 * dot)


def _panel(picture: np.ndarray, face: Face, top: int, dot: int) -> int:
    """Track, state, confidence and the strongest shapes as bars; returns where the next panel may begin."""
    bar_left, bar_wide, row = (10 + 6 * _LONGEST_NAME) * dot, 40 * dot, 10 * dot
    ink.box(picture, 4 * dot, top, (bar_left + bar_wide + 30 * dot, (BARS + 1) * row + 4 * dot), _BLACK, 0.55)
    rgb = _STATE_RGB[face.state]
    words = f"#{face.track_id} {face.state.name.lower()} {face.confidence:.2f}"
    ink.text(picture, 8 * dot, top + 3 * dot, words, rgb, dot)
    for place, shape in enumerate(np.argsort(-face.blendshapes, kind="stable")[:BARS]):
        y, value = top + (place + 1) * row + 3 * dot, float(face.blendshapes[shape])
        ink.text(picture, 8 * dot, y, ARKIT_NAMES[shape], _WHITE, dot)
        ink.box(picture, bar_left, y, (bar_wide, 7 * dot), _GREY, 0.5)
        ink.box(picture, bar_left, y, (round(bar_wide * min(max(value, 0.0), 1.0)), 7 * dot), rgb)
        ink.text(picture, bar_left + bar_wide + 3 * dot, y, f"{value:.2f}", _WHITE, dot)
    return top + (BARS + 1) * row + 6 * dot


def stamp(picture: np.ndarray, frame: Frame) -> None:
    """Number and time of the frame, at the lower left."""
    dot = _dot_px(picture)
    time = "" if frame.pts_seconds is None else f"  {frame.pts_seconds:.2f} s"
    ink.text(picture, 6 * dot, picture.shape[0] - 12 * dot, f"frame {frame.index}{time}", _WHITE, dot)


def _dot_px(picture: np.ndarray) -> int:
    """The size of a dot of text."""
    return max(1, round(picture.shape[0] / 320))

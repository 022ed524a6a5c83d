"""The bundled demo clip: our own average face, performing a script in front of a made-up room.

Given a face model and a learned skin texture it renders every frame and encodes them. The person in it does not exist
and no recording is part of it. It does not know the tracker that will look at it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tracker.distill import head
from tracker.distill.raster import Canvas, Mesh
from tracker.distill.skin import Skin
from tracker.distill.whole import whole
from tracker.face import topology
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3

WIDTH_PX, HEIGHT_PX, FPS, SECONDS = 640, 480, 30, 7.5
DISTANCE_MM = 335.0
NECK_MM = np.array([0.0, 85.0, 75.0])
"""What the head turns about, in head space."""

# What happens: name -> (seconds, value) pairs, straight lines eased between them, held outside. A name ending in
# `*` stands for Left and Right. Angles in degrees: yaw > 0 turns to the picture's left.
SCRIPT: dict[str, tuple[tuple[float, float], ...]] = {
    "eyeBlink*": ((0.4, 0), (0.5, 1), (0.58, 1), (0.72, 0), (2.62, 0), (2.7, 1), (2.76, 1), (2.88, 0),
                  (7.05, 0), (7.12, 1), (7.17, 1), (7.28, 0)),
    "mouthSmile*": ((0.75, 0), (1.05, 1.25), (1.3, 1.25), (1.55, 0.0), (6.9, 0), (7.2, 1.1)),
    "mouthUpperUp*": ((0.75, 0), (1.05, 0.35), (1.3, 0.35), (1.55, 0.0), (6.9, 0), (7.2, 0.35)),
    "cheekSquint*": ((0.75, 0), (1.05, 0.5), (1.3, 0.5), (1.55, 0), (6.9, 0), (7.2, 0.4)),
    "jawOpen": ((0, -0.2), (1.5, -0.2), (1.78, 1), (1.98, 1), (2.2, -0.2), (4.75, -0.2), (4.95, 0), (5.2, 0),
                (5.35, -0.2), (6.9, -0.2), (7.2, -0.05)),
    "browInnerUp": ((2.1, 0), (2.3, 1), (2.5, 1), (2.7, 0)),
    "browOuterUp*": ((2.1, 0), (2.3, 1), (2.5, 1), (2.7, 0)),
    "mouthPucker": ((4.75, 0), (4.95, 2.0), (5.2, 2.0), (5.35, 0)),
    "mouthFunnel": ((4.75, 0), (4.95, 0.3), (5.2, 0.3), (5.35, 0)),
    "look": ((4.0, 0), (4.14, 1), (4.32, 1), (4.46, -1), (4.64, -1), (4.75, 0)),
    "yaw": ((2.6, 0), (2.9, 30), (3.0, 30), (3.45, -30), (3.55, -30), (3.8, 0)),
    "pitch": ((1.4, 0), (1.8, -4), (2.2, 0), (3.7, 0), (3.86, 14), (4.02, -12), (4.16, 0)),
    "roll": ((0.7, 0), (1.1, 5), (1.5, 0), (4.4, 0), (4.62, 15), (4.8, 15), (5.1, -10), (5.35, 0)),
    "aside_mm": ((5.3, 0), (5.62, 560), (6.62, 560), (6.92, 0)),
}  # fmt: skip


def at(seconds: float, name: str) -> float:
    """The script's value of `name` at a time."""
    times, values = (np.array(column) for column in zip(*SCRIPT[name], strict=True))
    k = int(np.clip(np.searchsorted(times, seconds, "right") - 1, 0, len(times) - 2))
    share = np.clip((seconds - times[k]) / (times[k + 1] - times[k]), 0, 1)
    return float(values[k] + (values[k + 1] - values[k]) * share * share * (3 - 2 * share))


def expression_at(seconds: float) -> np.ndarray:
    """float64 [52], in ARKit order; the closed mouth is a little below 0, since the mean face's lips are parted."""
    weights = np.zeros(len(ARKIT_INDEX))
    for name in SCRIPT:
        for full in (name.replace("*", "Left"), name.replace("*", "Right")):
            if full in ARKIT_INDEX:
                weights[ARKIT_INDEX[full]] = at(seconds, name)
    look = at(seconds, "look")  # > 0: to the subject's left
    outwards, inwards = ("Left", "Right") if look > 0 else ("Right", "Left")
    weights[ARKIT_INDEX[f"eyeLookOut{outwards}"]] = weights[ARKIT_INDEX[f"eyeLookIn{inwards}"]] = abs(look)
    return weights


def rotation_at(seconds: float) -> np.ndarray:
    """cam_from_head float64 [3, 3], with a little sway so that the head is never quite still."""
    yaw, pitch, roll = (at(seconds, name) for name in ("yaw", "pitch", "roll"))
    yaw += 1.5 * np.sin(seconds * 1.9)
    pitch += 1.0 * np.sin(seconds * 1.3 + 1)
    axes = ([0, np.radians(yaw), 0], [np.radians(pitch), 0, 0], [0, 0, np.radians(roll)])
    turned: np.ndarray = exp_so3(np.array(axes[0])) @ exp_so3(np.array(axes[1])) @ exp_so3(np.array(axes[2]))
    return turned


class Performer:
    """The person of the clip, one picture per moment."""

    def __init__(self, model: FaceModel, texture: np.ndarray) -> None:
        """`texture` is uint8 or float [S, S, 3] RGB over `model.uv`."""
        self._model = model
        self._neck, self._shirt, self._neck_follows = head.body()
        self._worn = [head.hair(), *head.ears()]
        self._background = head.room(WIDTH_PX, HEIGHT_PX)
        self._canvas = Canvas(WIDTH_PX, HEIGHT_PX, Camera.from_fov(WIDTH_PX, HEIGHT_PX))
        self._rest = self._shape(expression_at(0.0))
        self._skin = Skin(model, texture)

    def picture(self, seconds: float) -> np.ndarray:
        """uint8 [480, 640, 3] RGB."""
        face_mm = self._shape(expression_at(seconds))
        rotation, shift = rotation_at(seconds), np.array([at(seconds, "aside_mm"), 6.0, DISTANCE_MM])

        def nod(points: np.ndarray, follows: np.ndarray | float = 1.0) -> np.ndarray:
            turned = (points - NECK_MM) @ rotation.T + NECK_MM
            still = points
            amount = np.asarray(follows)[..., None] if np.ndim(follows) else follows
            moved: np.ndarray = still + (turned - still) * amount + shift
            return moved

        self._canvas.clear(self._background)
        self._canvas.paint(_moved(self._shirt, self._shirt.vertices_mm + shift))
        self._canvas.paint(_moved(self._neck, nod(self._neck.vertices_mm, self._neck_follows)))
        self._skin.paint(self._canvas, face_mm, nod)
        inside = head.mouth(face_mm, self._rest)
        eyes = [head.eye(face_mm, topology.RIGHT_EYE_RING, topology.RIGHT_IRIS),
                head.eye(face_mm, topology.LEFT_EYE_RING, topology.LEFT_IRIS)]  # fmt: skip
        for mesh in (*eyes, *self._worn, *inside):
            self._canvas.paint(_moved(mesh, nod(mesh.vertices_mm)))
        return self._canvas.picture()

    def _shape(self, weights: np.ndarray) -> np.ndarray:
        shape: np.ndarray = self._model.mean_mm + np.tensordot(weights, self._model.expression_mm, 1)
        return shape


def _moved(mesh: Mesh, vertices: np.ndarray) -> Mesh:
    return replace(mesh, vertices_mm=vertices)


def render_clip(model: FaceModel, texture: np.ndarray, out_path: str | Path) -> Path:
    """Render the whole script to an H.264 file (yuv420p, BT.601 limited, 30 frames a second); returns its path.

    Raises OutputError where the disk or the folder refuses.
    """
    import av

    performer, path = Performer(model, texture), Path(out_path)
    options = {"movflags": "+faststart"}
    with whole(path) as part, av.open(str(part), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for index in range(round(SECONDS * FPS)):
            frame = av.VideoFrame.from_ndarray(performer.picture(index / FPS), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

"""What a face model lacks for looking like a person: skull, hair, ears, neck, shoulders, eyes, teeth and a room.

Given the vertices of our face (head space, millimetres) it returns meshes around and inside them, with painted
textures. All of it is drawn by formula; nothing is learned or looked up. It does not know how the head moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker.distill.raster import Mesh
from tracker.face import topology

# The edge of the face mesh, from the middle of the forehead over the subject's left.
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
SKIRT_RINGS = 26
SKULL_CENTRE_MM = np.array([0.0, 15.0, 55.0])
_SKULL_RADII_MM = (76.0, 122.0, 70.0, 100.0)  # sideways, up, down, front to back
SKIN_RGB = (205.0, 160.0, 138.0)
HAIR_RGB = (62.0, 42.0, 30.0)
SHIRT_RGB = (58.0, 92.0, 112.0)
_IRIS_RGB = (96.0, 74.0, 48.0)
EYE_SPAN_MM = 44.0
"""What the eye's texture covers, with the pupil in its middle."""
WHITE = np.full((2, 2, 3), 255.0, np.float32)


def grid_triangles(rows: int, columns: int, closed: bool) -> np.ndarray:
    """int32 [T, 3] over a grid of vertices, row by row; `closed` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]).reshape(-1, 3).astype(np.int32)


def flat(vertices: np.ndarray, triangles: np.ndarray, rgb: np.ndarray | tuple[float, float, float], **how: Any) -> Mesh:
    """A mesh of one colour, or one colour a vertex."""
    tint = np.broadcast_to(np.asarray(rgb, np.float64) / 255, (len(vertices), 3))
    return Mesh(vertices, triangles, np.zeros((len(vertices), 2)), WHITE, tint, **how)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _skull_radius_mm(direction: np.ndarray) -> np.ndarray:
    wide, up, down, deep = _SKULL_RADII_MM
    tall = np.where(direction[..., 1] < 0, up, down)
    squares = (direction[..., 0] / wide) ** 2 + (direction[..., 1] / tall) ** 2 + (direction[..., 2] / deep) ** 2
    return 1 / np.sqrt(squares)


def _around(polar_rad: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
    """Unit directions [..., 3] from the skull's centre: angle from straight ahead, angle about that axis."""
    across = np.sin(polar_rad)
    return np.stack([across * np.cos(turn_rad), across * np.sin(turn_rad), -np.cos(polar_rad)], -1)


def skirt(face_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The skull from the face's edge to the back: rings behind the edge [SKIRT_RINGS * 36, 3] and where each ring
    stands from 0, the edge, to 1, the back [SKIRT_RINGS]. The edge itself is not repeated.
    """
    edge = face_mm[list(OVAL)] - SKULL_CENTRE_MM
    start_mm = np.linalg.norm(edge, axis=1)
    polar, turn = np.arccos(-edge[:, 2] / start_mm), np.arctan2(edge[:, 1], edge[:, 0])
    along = (np.arange(1, SKIRT_RINGS + 1) / SKIRT_RINGS) ** 1.3
    direction = _around(polar + (np.pi - polar) * along[:, None], np.broadcast_to(turn, (SKIRT_RINGS, len(OVAL))))
    blend = smoothstep(along[:, None] / 0.4)
    radius = start_mm * (1 - blend) + _skull_radius_mm(direction) * blend
    return (direction * radius[..., None] + SKULL_CENTRE_MM).reshape(-1, 3), along


def hair() -> Mesh:
    """A cap of short hair whose edge runs over the forehead, before the ears and down to the neck."""
    rows, columns = 40, 180
    turn = np.linspace(-np.pi, np.pi, columns, endpoint=False)
    down = np.abs((turn + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi)  # 0 straight up, pi straight down
    hairline = np.interp(
        np.degrees(down), [0, 22, 42, 60, 75, 88, 100, 112, 130, 180], [47, 48, 53, 65, 76, 90, 103, 119, 128, 122]
    )
    noise = np.convolve(np.tile(np.random.default_rng(5).normal(0, 1, columns), 3), [0.3, 0.4, 0.3], "same")
    noise = noise[columns:-columns]
    hairline = np.radians(hairline + 1.1 * noise)
    step = np.linspace(0, 1, rows)[:, None]
    polar = hairline + (np.pi - hairline) * step
    direction = _around(polar, np.broadcast_to(turn, polar.shape))
    grown = np.sqrt(smoothstep((polar - hairline) / np.radians(30)))
    lift_mm = -0.5 + (9.0 + 13.0 * np.clip(-direction[..., 1], 0, 1)) * (1 + 0.05 * noise) * grown
    vertices = direction * (_skull_radius_mm(direction) + lift_mm)[..., None] + SKULL_CENTRE_MM
    uv = np.stack([np.broadcast_to(np.linspace(0, 1, columns), polar.shape), np.broadcast_to(step, polar.shape)], -1)
    shade = 0.75 + 0.25 * smoothstep(step * 4) * np.ones_like(polar)
    tint = np.repeat(shade.reshape(-1, 1), 3, 1)
    return Mesh(vertices.reshape(-1, 3), grid_triangles(rows, columns, True), uv.reshape(-1, 2), _strands(), tint)


def _strands() -> np.ndarray:
    """Hair: streaks across u that wander slowly along v."""
    random = np.random.default_rng(11)
    streaks = np.zeros((64, 720))
    for width, weight in ((3, 0.5), (9, 0.9), (31, 0.8)):
        row = random.normal(0, 1, (2, 720 * 3))
        smooth = np.array([np.convolve(r, np.ones(width) / np.sqrt(width), "same")[720:1440] for r in row])
        mix = np.linspace(0, 1, 64)[:, None]
        streaks += weight * (smooth[0] * (1 - mix) + smooth[1] * mix)
    tone = np.clip(1.05 + 0.2 * streaks, 0.45, 1.9)
    return (tone[..., None] * np.array(HAIR_RGB)).astype(np.float32)


def ears() -> list[Mesh]:
    """Two flattened shells; the rest of an ear is a darker hollow."""
    rows, columns = 10, 20
    polar = np.linspace(0, np.pi, rows)[:, None]
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    ball = np.stack([np.cos(polar) + 0 * turn, np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn)], -1)
    meshes = []
    for side in (1, -1):
        outline = ball.reshape(-1, 3) * [6.0, 29.0, 15.0]
        outline[:, 2] += outline[:, 1] * -0.25  # leaning back
        outline[:, 0] += 0.28 * np.clip(outline[:, 2], 0, None)  # standing off
        outline[:, 2] *= 1.0 - 0.3 * np.clip(outline[:, 1] / 29.0, 0, 1)
        vertices = (outline + [76.0, 24.0, 66.0]) * [side, 1, 1]
        hollow = np.exp(-((outline[:, 1] + 3) ** 2) / 150 - outline[:, 2] ** 2 / 40)[:, None]
        meshes.append(flat(vertices, grid_triangles(rows, columns, True), np.array(SKIN_RGB) * (0.93 - 0.3 * hollow)))
    return meshes


def body() -> tuple[Mesh, Mesh, np.ndarray]:
    """Neck and shirt in head space of a head at rest, and per neck vertex how much it follows the head (0..1)."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    height = np.linspace(60, 230, 20)[:, None]
    wide = np.interp(height, [60, 125, 170, 230], [53, 52, 60, 90])
    deep = np.interp(height, [60, 125, 170, 230], [50, 52, 58, 75])
    neck = np.stack([wide * np.cos(turn), height + 0 * turn, 72 + 0.05 * height + deep * np.sin(turn)], -1)
    neck = neck.reshape(-1, 3)
    under_chin = 0.62 + 0.38 * smoothstep((neck[:, 1] - 95) / 75)
    follows = 1 - smoothstep((neck[:, 1] - 70) / 110)
    height = np.concatenate([np.linspace(154, 236, 24), np.linspace(246, 500, 8)])[:, None]
    wide = np.interp(height, [154, 166, 181, 201, 226, 266, 500], [64, 78, 128, 172, 198, 212, 218])
    deep = np.interp(height, [154, 181, 226, 500], [62, 74, 92, 110])
    # The collar lies lower in front than at the nape.
    drop = 26 * np.clip(-np.sin(turn), 0, 1) * np.clip(1 - (height - 154) / 70, 0, 1)
    torso = np.stack([wide * np.cos(turn), height + drop, 88 + deep * np.sin(turn)], -1).reshape(-1, 3)
    folds = 1 + 0.05 * np.sin(torso[:, 0] / 17 + torso[:, 1] / 31) - 0.18 * np.clip((torso[:, 1] - 300) / 200, 0, 1)
    collar = np.where(np.arange(len(torso)) < 2 * 48, 0.8, 1.0)
    return (
        flat(neck, grid_triangles(20, 48, True), np.array(SKIN_RGB) * under_chin[:, None]),
        flat(torso, grid_triangles(32, 48, True), np.array(SHIRT_RGB) * (folds * collar)[:, None]),
        follows,
    )


def eye(face_mm: np.ndarray, ring: tuple[int, ...], iris: tuple[int, ...]) -> Mesh:
    """What is seen between the lids: a painted eyeball that follows the iris, in the upper lid's shadow."""
    rim = face_mm[list(ring)]
    vertices = np.concatenate([rim, rim.mean(0, keepdims=True) + [0, 0, -1.0]])
    n = len(ring)
    triangles = np.array([[k, (k + 1) % n, n] for k in range(n)], np.int32)
    uv = (vertices[:, :2] - face_mm[iris[0], :2]) / EYE_SPAN_MM + 0.5
    height = (vertices[:, 1] - rim[:, 1].min()) / max(float(np.ptp(rim[:, 1])), 2.0)
    tint = np.repeat((0.62 + 0.36 * smoothstep(height * 1.6))[:, None], 3, 1)
    return Mesh(vertices, triangles, uv, _EYE, tint, lit=False)


def eye_texture(iris_rgb: tuple[float, float, float] = _IRIS_RGB, pupil_mm: float = 2.5, size: int = 256) -> np.ndarray:
    """float32 [size, size, 3] over `EYE_SPAN_MM` each way: white with a painted iris and pupil (its radius given)."""
    y, x = ((np.mgrid[0:size, 0:size] + 0.5) / size - 0.5) * EYE_SPAN_MM
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    white = np.array([226.0, 218.0, 212.0]) - np.clip(radius - 7, 0, 14)[..., None] * [2.6, 4.2, 4.4]
    fibre = 1 + 0.16 * np.sin(angle * 41 + 3 * np.sin(angle * 7)) + 0.18 * np.cos(angle - np.pi / 2)
    iris = np.array(iris_rgb) * (fibre * (1.25 - 0.07 * radius))[..., None]
    rim = smoothstep((radius - 4.4) / 1.4)[..., None]
    iris = iris * (1 - 0.65 * rim)
    out = white + (iris - white) * smoothstep((6.2 - radius) / 0.7)[..., None]
    out = out * (1 - 0.94 * smoothstep((pupil_mm - radius) / 0.5)[..., None])
    glint = np.exp(-((((x + 1.9) ** 2 + (y + 2.1) ** 2) / 0.9) ** 2))[..., None]
    return np.clip(out + (250 - out) * glint, 0, 255).astype(np.float32)


_EYE = eye_texture()


def mouth(face_mm: np.ndarray, rest_mm: np.ndarray) -> list[Mesh]:
    """The dark between the lips, and behind it teeth: the upper ones fixed to the skull, the lower ones to the jaw."""
    rim = face_mm[list(topology.INNER_LIPS_RING)]
    vertices = np.concatenate([rim, rim.mean(0, keepdims=True)])
    n = len(rim)
    triangles = np.array([[k, (k + 1) % n, n] for k in range(n)], np.int32)
    low = smoothstep((vertices[:, 1] - rim[:, 1].min()) / max(float(np.ptp(rim[:, 1])), 6.0))
    dark = np.array([34.0, 14.0, 14.0]) + low[:, None] * [70.0, 26.0, 26.0]
    jaw_mm = np.clip(face_mm[17, 1] - rest_mm[17, 1], 0, 40)
    return [
        flat(vertices, triangles, dark, lit=False, push_mm=60.0),
        _teeth(rest_mm[13] + [0, -4.0, 9.0], 9.5, 24.0),
        _teeth(rest_mm[14] + [0, 2.5 + jaw_mm, 12.0 + 0.25 * jaw_mm], 8.0, 21.0),
    ]


def _teeth(front_mm: np.ndarray, tall_mm: float, half_mm: float) -> Mesh:
    x = np.linspace(-1, 1, 25)
    arch = np.stack([half_mm * np.sin(x * 1.35), np.zeros(25), 30 * (1 - np.cos(x * 1.35))], -1)
    vertices = np.concatenate([arch, arch + [0, tall_mm, 0]]) + front_mm
    shade = 1 - 0.75 * np.abs(x) ** 1.5
    shade = np.where(np.arange(25) % 3 == 0, 0.9, 1.0) * shade
    rgb = np.tile(shade, 2)[:, None] * [206.0, 196.0, 182.0]
    return flat(vertices, grid_triangles(2, 25, False), rgb, lit=False)


def room(width_px: int, height_px: int) -> np.ndarray:
    """float32 [H, W, 3]: a wall out of focus, a window's glow, a lamp and a shelf."""
    y, x = np.mgrid[0:height_px, 0:width_px] / height_px
    wall = np.array([168.0, 160.0, 150.0]) - 26 * y[..., None] - 18 * np.abs(x - 0.5)[..., None]
    glow = np.exp(-((x - 0.12) ** 2 / 0.05 + (y - 0.3) ** 2 / 0.12))[..., None]
    wall = wall + glow * [52.0, 56.0, 58.0]
    for cx, cy, wide, tall, rgb in (
        (1.22, 0.52, 0.16, 0.012, (104, 84, 66)), (1.14, 0.44, 0.018, 0.06, (94, 112, 122)),
        (1.19, 0.43, 0.016, 0.07, (150, 104, 84)), (1.235, 0.45, 0.02, 0.05, (88, 104, 84)),
    ):  # fmt: skip
        inside = 1 / (1 + np.exp((np.abs(x - cx) - wide) / 0.010)) / (1 + np.exp((np.abs(y - cy) - tall) / 0.010))
        wall = wall + (np.array(rgb) - wall) * 0.75 * inside[..., None]
    return (wall + np.random.default_rng(3).normal(0, 0.8, wall.shape)).astype(np.float32)

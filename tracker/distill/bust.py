"""A labelled face as a textured bust that can be turned out of the picture's plane, as 300W-LP does it.

Given a patch with its landmarks and the head's rotation it sets up the 478 vertices with their own depth, closes eyes
and mouth, and goes on behind the contour over a plain skull and neck, coloured by what the picture shows beside the
face. Turned, it is painted in scaled orthography over a backdrop from which the head was taken out. What no pixel
showed is stretched from what one did. It knows nothing of corpora, scores or networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numba import njit

from tracker.face import topology
from tracker.face.model import FaceModel

OVERSAMPLE = 2
RINGS = 7
# The teacher's faces are too deep, which shows once they are turned. Laid over the neutral face of ICT, the 68 points
# of their mean fit best flattened to 0.85, and so does the nose tip on the points that people set on AFLW's profiles.
DEPTH_SHARE = 0.85
# The head turns on its neck.
PIVOT_MM = np.array([0.0, 90.0, 75.0])
# A plain skull around the middle of the contour: half as wide, up from its middle, and from front to back.
SKULL_MIDDLE_MM = np.array([0.0, 25.0, 80.0])
SKULL_SIDE_MM, SKULL_UP_MM, SKULL_DEEP_MM = 79.0, 132.0, 95.0
# Neck below a point of the jaw, ring by ring: how far across, down and back.
NECK = np.array([
    [0.98, 2, 9], [0.88, 5, 24], [0.78, 12, 42], [0.76, 30, 52], [0.80, 55, 55], [0.95, 85, 57], [1.3, 120, 60],
])  # fmt: skip
NECK_SEEN = np.array([1, 1, 1, 1, 0.9, 0.45, 0.0])
# The least that a ring moves on in the picture, above and at the jaw: where nothing of the head's side and back was
# seen they are drawn from the strip beside the contour, which soon ends beside the jaw.
STRIP_MM, JAW_STRIP_MM = 1.3, 0.5
# Of the neck's width, what surely shows a neck in the picture.
NECK_INWARDS = 0.78


def angles_of(rotation: np.ndarray) -> tuple[float, float, float]:
    """Pitch, yaw and roll in radians of `Rz(roll) Rx(pitch) Ry(yaw)`; yaw > 0 looks towards the picture's left."""
    yaw = float(np.arctan2(-rotation[2, 0], rotation[2, 2]))
    pitch = float(np.arcsin(np.clip(rotation[2, 1], -1, 1)))
    return pitch, yaw, float(np.arctan2(-rotation[0, 1], rotation[1, 1]))


def rotation_of(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """float64 [3, 3]: the inverse of `angles_of`."""
    (cp, cy, cr), (sp, sy, sr) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turned: np.ndarray = about_z @ about_x @ about_y
    return turned


class Frame:
    """What all busts share: which vertices hang together, and how near each is to the contour."""

    def __init__(self, model: FaceModel) -> None:
        self.mean_mm = model.mean_mm.astype(np.float64)
        self.mirror = model.mirror_index
        self.contour = contour_of(model.triangles)
        self.triangles = np.concatenate([model.triangles, _openings(), _mantle(self.contour)]).astype(np.int32)
        self.contour_share = _contour_share(model.triangles, self.contour)


def contour_of(triangles: np.ndarray) -> np.ndarray:
    """int [M]: the longest closed chain of edges that belong to one triangle only, in order around the face."""
    edges: dict[tuple[int, int], int] = {}
    for a, b, c in triangles.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            key = (min(edge), max(edge))
            edges[key] = edges.get(key, 0) + 1
    beside: dict[int, list[int]] = {}
    for (a, b), count in edges.items():
        if count == 1:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
    chains = []
    while beside:
        chain = [next(iter(beside))]
        while onwards := [b for b in beside.pop(chain[-1]) if b in beside]:
            chain.append(onwards[0])
        chains.append(chain)
    return np.array(max(chains, key=len))


def _openings() -> np.ndarray:
    """int [T, 3]: eyes and mouth closed by strips between their upper and lower rims."""
    faces = []
    for ring in (topology.RIGHT_EYE_RING, topology.LEFT_EYE_RING, topology.INNER_LIPS_RING):
        count = len(ring)
        for k in range(count // 2):
            a, b, c, d = ring[k], ring[k + 1], ring[-k % count], ring[-k - 1]
            faces += [face for face in ([a, b, d], [a, d, c]) if len(set(face)) == 3]
    return np.array(faces)


def _mantle(contour: np.ndarray) -> np.ndarray:
    """int [T, 3]: strips from the contour to the first ring behind it, and from ring to ring."""
    rings = [contour, *(topology.VERTICES + len(contour) * k + np.arange(len(contour)) for k in range(RINGS))]
    strips = []
    for near, far in zip(rings, rings[1:], strict=False):
        strips += [np.stack([near, np.roll(near, -1), far], 1), np.stack([np.roll(near, -1), np.roll(far, -1), far], 1)]
    return np.concatenate(strips)


def _contour_share(triangles: np.ndarray, contour: np.ndarray) -> np.ndarray:
    """float64 [478]: 1 on the contour, falling to 0 four edges into the face."""
    share = np.zeros(topology.VERTICES)
    share[contour] = 1
    for level in (0.7, 0.4, 0.15):
        near = triangles[(share[triangles] > 0).any(1)].ravel()
        share[near] = np.maximum(share[near], level)
    return share


@dataclass(frozen=True, slots=True, eq=False)
class Bust:
    """One face, ready to be turned. B vertices, the first 478 the face's; M of the contour."""

    points_px: np.ndarray
    """float64 [B, 3] in the patch, z forward."""
    texture_px: np.ndarray
    """float64 [B, 2]: where in the patch a vertex takes its colour."""
    alpha: np.ndarray
    """float64 [B]: 0 where the bust ends in the backdrop."""
    rotation: np.ndarray
    """float64 [3, 3]: how the head is held in the patch."""
    pivot_px: np.ndarray
    """float64 [3]: what stays in place when it turns."""
    picture: np.ndarray
    """uint8 [S, S, 3]: the patch, drawn out to its edges."""
    backdrop: np.ndarray
    """uint8 [S, S, 3]: the picture without the head."""


def mould(patch: np.ndarray, landmarks: np.ndarray, rotation: np.ndarray, scale: float, frame: Frame) -> Bust:
    """A bust from a patch uint8 [S, S, 3], its landmarks [478, 3], the head's rotation and pixels per millimetre."""
    rotation = rotation.astype(np.float64)
    origin = landmarks.mean(0, dtype=np.float64) - scale * rotation @ frame.mean_mm.mean(0)
    head_mm = _unslid((landmarks - origin) @ rotation / scale, rotation, frame) * [1, 1, DEPTH_SHARE]
    rings_mm, lowness = _rings(head_mm[frame.contour])
    pixels = np.concatenate([head_mm, rings_mm.reshape(-1, 3)]) @ rotation.T * scale + origin
    texture = np.concatenate([landmarks[:, :2], _strip(landmarks, pixels, lowness, scale, frame)])
    seen = 1 - lowness * (1 - NECK_SEEN[:, None])
    picture = drawn_out(patch)
    hidden = pixels[topology.VERTICES :].reshape(RINGS, -1, 3)[:, lowness < 0.5].reshape(-1, 3)
    outline = np.concatenate([landmarks[:, :2], hidden[:, :2]])
    return Bust(
        pixels, texture, np.concatenate([np.ones(topology.VERTICES), seen.ravel()]), rotation,
        origin + scale * rotation @ PIVOT_MM, picture, without(picture, outline),
    )  # fmt: skip


def _unslid(head_mm: np.ndarray, rotation: np.ndarray, frame: Frame) -> np.ndarray:
    """The teacher's far contour slides inwards as a head turns: there, the near side's mirror image is believed."""
    mirrored = head_mm[frame.mirror] * [-1, 1, 1]
    yaw = angles_of(rotation)[1]
    far = frame.mean_mm[:, 0] * np.sign(yaw) < -5
    share = frame.contour_share * far * np.clip((abs(np.degrees(yaw)) - 12) / 20, 0, 1)
    return head_mm + share[:, None] * (mirrored - head_mm)


def _rings(contour_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skull and neck behind the contour [M, 3]: float64 [RINGS, M, 3], and how much of a neck each column is [M]."""
    apart = contour_mm - SKULL_MIDDLE_MM
    radius = np.linalg.norm(apart[:, :2], axis=1)
    across, up = apart[:, 0] / radius, -apart[:, 1] / radius
    lowness = np.clip((-up - 0.45) / 0.3, 0, 1)
    lowness = lowness * lowness * (3 - 2 * lowness)
    widest = np.hypot(across * SKULL_SIDE_MM, up * SKULL_UP_MM)
    widest = np.maximum(widest, radius * 1.04)
    start = np.arccos(np.clip(-apart[:, 2] / SKULL_DEEP_MM, -0.95, 0.98))
    rings = []
    for k in range(RINGS):
        angle = start + (np.radians(168) - start) * ((k + 1) / RINGS)
        rise = np.clip((np.sin(angle) - np.sin(start)) / (1 - np.sin(start) + 1e-6), 0, 1)
        out = np.where(angle < np.pi / 2, radius + (widest - radius) * rise, widest * np.sin(angle))
        skull = np.stack([across * out, -up * out, -np.cos(angle) * SKULL_DEEP_MM], 1) + SKULL_MIDDLE_MM
        wide, down, back = NECK[k]
        neck = contour_mm * [wide, 1, 1] + [0, down, back]
        rings.append(skull + lowness[:, None] * (neck - skull))
    return np.stack(rings), lowness


def _strip(landmarks: np.ndarray, pixels: np.ndarray, lowness: np.ndarray, scale: float, frame: Frame) -> np.ndarray:
    """float64 [RINGS * M, 2]: each column of rings takes its colours along a line outwards, as far as it was seen."""
    rim = landmarks[frame.contour, :2].astype(np.float64)
    outwards = rim - landmarks[:, :2].mean(0)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    placed = pixels[topology.VERTICES :, :2].reshape(RINGS, -1, 2)
    gone = np.maximum.accumulate(((placed - rim) * outwards).sum(2), axis=0)
    upper = np.clip(0.5 - frame.mean_mm[frame.contour, 1] / 60, 0, 1)
    strip_mm = JAW_STRIP_MM + upper * (STRIP_MM - JAW_STRIP_MM)
    gone = np.maximum(gone, strip_mm * scale * np.arange(1, RINGS + 1)[:, None])
    line = rim + gone[:, :, None] * outwards
    middle = placed[:, lowness > 0.9].mean(1, keepdims=True)
    neck = middle + (placed - middle) * [NECK_INWARDS, 1]
    texture: np.ndarray = line + lowness[:, None] * (neck - line)
    return texture.reshape(-1, 2)


def drawn_out(patch: np.ndarray) -> np.ndarray:
    """uint8 [S, S, 3]: the black around a picture that ends within the patch replaced by its edge."""
    top, bottom, left, right = shown(patch)
    inside = patch[top:bottom, left:right]
    height, width = patch.shape[:2]
    return cv2.copyMakeBorder(inside, top, height - bottom, left, width - right, cv2.BORDER_REPLICATE)


def shown(patch: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of what is not black around the picture; bottom and right are the first beyond."""
    lit = patch.max(2) > 2
    rows, columns = np.flatnonzero(lit.mean(1) > 0.02), np.flatnonzero(lit.mean(0) > 0.02)
    if not len(rows) or not len(columns):
        return 0, patch.shape[0], 0, patch.shape[1]
    # The outermost line is half black where the picture was resampled.
    top, left = (int(lines[0]) + (lines[0] > 0) for lines in (rows, columns))
    bottom, right = (int(n[-1]) + (n[-1] + 1 == size) for n, size in zip((rows, columns), patch.shape, strict=False))
    return (top, bottom, left, right) if top < bottom and left < right else (0, *patch.shape[:1], 0, *patch.shape[1:2])


def without(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """uint8 [S, S, 3]: what lies within the hull of the outline [P, 2] filled from around it."""
    side, small = picture.shape[0], picture.shape[0] // 4
    mask = np.zeros((small, small), np.uint8)
    middle = (outline.min(0) + outline.max(0)) / 2
    hull = cv2.convexHull((((outline - middle) * 1.12 + middle) / 4).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255)
    filled = cv2.inpaint(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), mask, 3, cv2.INPAINT_TELEA)
    filled = cv2.GaussianBlur(filled, (0, 0), 1.0)
    share = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 0.8), (side, side))[:, :, None] / np.float32(255)
    filled = cv2.resize(filled, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.rint(picture + share * (filled.astype(np.float32) - picture)).astype(np.uint8)


def turned(
    bust: Bust, rotation: np.ndarray, frame: Frame, backdrop: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The patch uint8 [S, S, 3] and landmarks float32 [478, 3] with the head held as `rotation` says.

    The face's box is centred in the patch, and depth counted from its mean, as the teacher does.
    """
    side = len(bust.picture)
    points = (bust.points_px - bust.pivot_px) @ (rotation @ bust.rotation.T).T + bust.pivot_px
    face = points[: topology.VERTICES]
    shift = np.append(side / 2 - (face[:, :2].min(0) + face[:, :2].max(0)) / 2, -face[:, 2].mean())
    points = points + shift
    rows = np.column_stack([points[:, :2] * OVERSAMPLE, points[:, 2], bust.texture_px, bust.alpha])
    colour = np.zeros((side * OVERSAMPLE, side * OVERSAMPLE, 4), np.float32)
    depth = np.full(colour.shape[:2], np.inf, np.float32)
    _paint(colour, depth, rows.astype(np.float32), frame.triangles, bust.picture)
    front = cv2.resize(colour, (side, side), interpolation=cv2.INTER_AREA)
    behind = cv2.warpAffine(
        bust.backdrop if backdrop is None else backdrop, np.column_stack([np.eye(2), shift[:2]]), (side, side),
        borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    picture = front[:, :, :3] + (1 - front[:, :, 3:]) * behind
    patch = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return patch, points[: topology.VERTICES].astype(np.float32)


@njit(cache=False, fastmath=True)
def _paint(colour: Any, depth: Any, rows: Any, triangles: Any, texture: Any) -> None:
    """`rows` float32 [B, 6]: x, y in canvas pixels, z, x, y in the texture, alpha; colour comes out times alpha."""
    height, width = depth.shape
    tall, wide = texture.shape[0] - 1, texture.shape[1] - 1
    for t in range(len(triangles)):
        a, b, c = rows[triangles[t, 0]], rows[triangles[t, 1]], rows[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-6:
            continue
        for y in range(max(0, int(min(a[1], b[1], c[1]))), min(height, int(max(a[1], b[1], c[1])) + 2)):
            for x in range(max(0, int(min(a[0], b[0], c[0]))), min(width, int(max(a[0], b[0], c[0])) + 2)):
                px, py = x + 0.5, y + 0.5
                wb = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) / area
                wc = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) / area
                wa = 1.0 - wb - wc
                if wa < -1e-4 or wb < -1e-4 or wc < -1e-4:
                    continue
                z = wa * a[2] + wb * b[2] + wc * c[2]
                if z >= depth[y, x]:
                    continue
                alpha = wa * a[5] + wb * b[5] + wc * c[5]
                if alpha < 0.02:
                    continue
                depth[y, x] = z
                # A pixel's colour stands at its middle.
                u = min(max(wa * a[3] + wb * b[3] + wc * c[3] - 0.5, 0.0), wide * 0.99999)
                v = min(max(wa * a[4] + wb * b[4] + wc * c[4] - 0.5, 0.0), tall * 0.99999)
                i, j = int(v), int(u)
                fv, fu = v - i, u - j
                for k in range(3):
                    top = texture[i, j, k] * (1 - fu) + texture[i, j + 1, k] * fu
                    low = texture[i + 1, j, k] * (1 - fu) + texture[i + 1, j + 1, k] * fu
                    colour[y, x, k] = (top * (1 - fv) + low * fv) * alpha
                colour[y, x, 3] = alpha

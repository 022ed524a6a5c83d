"""Training crops: where to look in a patch, and what may be in the way of seeing it.

Given a patch and where the head is in it, cut a jittered, turned, scaled, mirrored crop and damage it: light, colour,
blur, noise, low resolution, JPEG, occluders. Negatives are crops in which no face can be. OpenCV does the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tracker.regress.outputs import CROP_PX

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Look:
    """The square that a crop shows, in the patch."""

    centre: np.ndarray
    """float [2] patch pixels."""
    side: float
    """Patch pixels."""
    roll: float
    """Radians; the crop's x axis in the patch."""

    def crop_from_patch(self) -> np.ndarray:
        """float64 [2, 3]: patch pixels to crop pixels."""
        scale = CROP_PX / self.side
        c, s = np.cos(self.roll) * scale, np.sin(self.roll) * scale
        linear = np.array([[c, s], [-s, c]])
        return np.column_stack([linear, CROP_PX / 2 - linear @ self.centre])


def jitter(look: Look, rng: Rng) -> Look:
    """Mostly the small errors of a tracked square, sometimes the large ones of a first detection."""
    wild = rng.random() < 0.25
    shift = rng.normal(0, 0.09 if wild else 0.04, 2) * look.side
    scale = np.exp(rng.normal(0, 0.16 if wild else 0.08))
    roll = rng.normal(0, 0.45 if wild else 0.13)
    return Look(look.centre + shift, look.side * float(scale), look.roll + float(roll))


def cut(patch: np.ndarray, crop_from_patch: np.ndarray, rng: Rng) -> np.ndarray:
    """uint8 [128, 128, 3]; what lies outside the patch is black, or the edge drawn out, as in real frames or not."""
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT_101
    shrink = np.sqrt(abs(np.linalg.det(crop_from_patch[:, :2])))
    if shrink < 0.7:
        patch = cv2.GaussianBlur(patch, (0, 0), 0.4 / shrink)
    return cv2.warpAffine(patch, crop_from_patch, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=border)


def _occlude(crop: np.ndarray, rng: Rng, other: np.ndarray) -> None:
    """A blob of colour, noise or another picture over some part; sometimes dark glasses or a mask."""
    kind = rng.random()
    x, y = rng.integers(0, CROP_PX, 2)
    w, h = rng.integers(12, 56, 2)
    mask = np.zeros(crop.shape[:2], np.uint8)
    if kind < 0.5:
        cv2.ellipse(mask, (int(x), int(y)), (int(w) // 2, int(h) // 2), float(rng.uniform(0, 180)), 0, 360, 255, -1)
    elif kind < 0.8:
        corners = cv2.boxPoints(((float(x), float(y)), (float(w), float(h)), float(rng.uniform(0, 180))))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    else:
        lower = rng.random() < 0.5
        top = rng.integers(66, 84) if lower else rng.integers(28, 44)
        mask[top : top + (60 if lower else int(rng.integers(14, 24))), 18:110] = 255
    fill = other if rng.random() < 0.4 else np.broadcast_to(rng.integers(0, 256, 3, np.uint8), crop.shape)
    crop[mask > 0] = fill[mask > 0]


def _light(crop: np.ndarray, rng: Rng) -> np.ndarray:
    """Gain, gamma, colour cast, saturation and a gradient of light across the crop."""
    x = crop.astype(np.float32) * (1 / 255)
    x = x ** np.float32(np.exp(rng.normal(0, 0.25)))
    gain = np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.07, 3))
    if rng.random() < 0.3:
        ramp = np.linspace(-1, 1, CROP_PX, dtype=np.float32) * np.float32(rng.uniform(-0.5, 0.5))
        across = ramp[None, :, None] if rng.random() < 0.6 else ramp[:, None, None]
        x = x * (1 + across)
    if rng.random() < 0.4:
        grey = x.mean(2, keepdims=True)
        x = grey + (x - grey) * np.float32(rng.uniform(0, 1.5))
    x = x * gain.astype(np.float32) + np.float32(rng.normal(0, 0.05))
    return np.clip(x * 255, 0, 255).astype(np.uint8)


def damage(crop: np.ndarray, rng: Rng, other: np.ndarray) -> np.ndarray:
    """Everything that can happen between a face and us; `other` is some picture to hide it behind."""
    if rng.random() < 0.3:
        crop = crop.copy()
        _occlude(crop, rng, other)
    if rng.random() < 0.8:
        crop = _light(crop, rng)
    if rng.random() < 0.2:
        small = int(rng.integers(28, 96))
        crop = cv2.resize(cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA), (CROP_PX, CROP_PX))
    if rng.random() < 0.2:
        crop = cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 1.8)))
    if rng.random() < 0.06:
        kernel = np.zeros((9, 9), np.float32)
        cv2.line(kernel, (4, 4), (int(rng.integers(0, 9)), int(rng.integers(0, 9))), 1.0)
        crop = cv2.filter2D(crop, -1, kernel / max(kernel.sum(), 1))
    if rng.random() < 0.25:
        crop = jpeg(crop, int(rng.integers(18, 80)))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 12), (CROP_PX, CROP_PX, 1 if rng.random() < 0.5 else 3))
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    return crop


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """What JPEG of that quality makes of a colour or grey picture."""
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    unpacked = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
    assert unpacked is not None
    return unpacked


def texture(rng: Rng, size: int = CROP_PX) -> np.ndarray:
    """A picture of nothing: coloured noise of some coarseness, gradients, stripes or plain colour, uint8 RGB."""
    kind = rng.random()
    if kind < 0.45:
        cells = int(rng.integers(2, size // 2))
        x = cv2.resize(rng.normal(128, 70, (cells, cells, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    elif kind < 0.65:
        ys, xs = np.mgrid[0:size, 0:size] / size
        wave = np.sin((xs * rng.normal(0, 25) + ys * rng.normal(0, 25)) + rng.uniform(0, 6))
        x = rng.integers(0, 256, 3) + wave[:, :, None] * rng.normal(0, 60, 3)
    elif kind < 0.85:
        ys, xs = np.mgrid[0:size, 0:size] / size
        x = rng.integers(0, 256, 3) + (xs * rng.normal(0, 1) + ys * rng.normal(0, 1))[:, :, None] * rng.normal(
            0, 120, 3
        )
    else:
        x = np.broadcast_to(rng.integers(0, 256, 3), (size, size, 3)) + rng.normal(0, 4, (size, size, 3))
    picture = np.clip(x, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 5))):  # furniture: ellipses and boxes, eyes-like dots among them
        at = tuple(int(v) for v in rng.integers(0, size, 2))
        axes = tuple(int(v) for v in rng.integers(2, size // 2, 2))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.ellipse(picture, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return picture


def erase_face(patch: np.ndarray, box: np.ndarray, rng: Rng) -> np.ndarray:
    """The patch without its face: the head's box (x0, y0, x1, y1) filled, blurred away or covered by texture."""
    patch = patch.copy()
    x0, y0, x1, y1 = np.clip(box, 0, patch.shape[0]).astype(int)
    if x1 <= x0 or y1 <= y0:
        return patch
    kind = rng.random()
    if kind < 0.3:
        patch[y0:y1, x0:x1] = rng.integers(0, 256, 3) if rng.random() < 0.5 else patch[:4].mean((0, 1))
    elif kind < 0.5:
        small = cv2.resize(patch[y0:y1, x0:x1], (2, 2), interpolation=cv2.INTER_AREA)
        patch[y0:y1, x0:x1] = cv2.resize(small, (x1 - x0, y1 - y0))
    else:
        patch[y0:y1, x0:x1] = cv2.resize(texture(rng), (x1 - x0, y1 - y0))
    return patch

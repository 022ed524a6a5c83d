"""Frames to test the face detector on: a known face at a chosen size on a face-free background, or no face at all.

Given images whose faces are known it composes frames of any aspect ratio, always the same ones for the same seed. It
draws with NumPy and OpenCV (which comes with the bench extra) and does not know who looks at the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HEIGHTS_PX = (360, 480, 720)
ASPECTS = (0.5, 3.0)
"""Width over height, from a standing phone to a panorama; drawn evenly in its logarithm."""
TEXTURES = ("gradient", "noise", "clouds", "stripes", "checks", "shapes")
# What may be a face grows by such a share on every side before it is cut out: forehead, ears and chin go with it, the
# hair stays or goes too.
_CUT_MARGIN = (0.1, 0.4)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """An image whose faces are known."""

    rgb: np.ndarray
    """uint8 [H, W, 3]."""
    box_px: np.ndarray
    """float64 [4]: the face that counts, x0, y0, x1, y1 around the teacher's 478 points."""
    faces_px: tuple[np.ndarray, ...]
    """Boxes [4] of everything in the image that may be a face, that one included: what is cut out for a background."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A frame with one face, or none."""

    rgb: np.ndarray
    """uint8 [H, W, 3]."""
    box_px: np.ndarray | None
    """The face's box in the frame, wholly inside it; None without a face."""
    kind: str
    """What the background is: one of `TEXTURES`, or `cutout`."""


def texture(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] without a face in it."""
    import cv2

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / height
    colours = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.02, 0.4)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "shapes":
        return _shapes(rng, height, width)
    if kind == "gradient":
        mix = (along - along.min()) / (np.ptp(along) + 1e-6)
    elif kind == "clouds":
        mix = np.zeros((height, width), np.float32)
        for octave in range(2, 8):
            grid = rng.uniform(0, 1, (2**octave, 2**octave)).astype(np.float32)
            mix += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / (octave - 1)
        mix = (mix - mix.min()) / (np.ptp(mix) + 1e-6)
    elif kind == "stripes":
        mix = (np.sin(along / period * 2 * np.pi) + 1) / 2
    else:
        mix = ((columns // period + rows // period) % 2).astype(np.float32)
    picture = colours[0] + (colours[1] - colours[0]) * mix[:, :, None] + rng.normal(0, 3, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _shapes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    import cv2

    picture = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(40):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(4, height // 3)), int(rng.integers(4, height // 3)))
        colour = [int(value) for value in rng.integers(0, 256, 3)]
        if rng.random() < 0.5:
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(picture, centre, corner, colour, -1)
    return picture


def cut_out(rng: np.random.Generator, still: Still) -> np.ndarray:
    """The image with all its faces replaced by a flat colour, noise or a texture."""
    rgb = still.rgb.copy()
    height, width = rgb.shape[:2]
    for box in still.faces_px:
        margin = rng.uniform(*_CUT_MARGIN) * (box[2:] - box[:2])
        x0, y0 = np.floor(np.maximum(box[:2] - margin, 0)).astype(int)
        x1, y1 = np.ceil(np.minimum(box[2:] + margin, (width, height))).astype(int)
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        fill = rng.choice(["flat", *TEXTURES])
        patch = rgb[y0:y1, x0:x1]
        patch[:] = rng.integers(0, 256, 3) if fill == "flat" else texture(rng, fill, y1 - y0, x1 - x0)
    return rgb


def background(rng: np.random.Generator, stills: Sequence[Still], height: int, width: int) -> tuple[np.ndarray, str]:
    """A face-free frame and its kind; half of them cut-outs where there are stills, magnified to fill the frame."""
    import cv2

    if not stills or rng.random() < 0.5:
        kind = str(rng.choice(TEXTURES))
        return texture(rng, kind, height, width), kind
    picture = cut_out(rng, stills[int(rng.integers(len(stills)))])
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (int(rng.integers(0, limit + 1)) for limit in (size[0] - width, size[1] - height))
    return np.ascontiguousarray(picture[y : y + height, x : x + width]), "cutout"


def _size(rng: np.random.Generator) -> tuple[int, int]:
    height = int(rng.choice(HEIGHTS_PX))
    aspect = np.exp(rng.uniform(*np.log(ASPECTS)))
    return height, round(height * aspect / 2) * 2


def faceless(rng: np.random.Generator, stills: Sequence[Still]) -> Scene:
    """A frame without a face."""
    picture, kind = background(rng, stills, *_size(rng))
    return Scene(picture, None, kind)


def with_face(rng: np.random.Generator, still: Still, share: float, stills: Sequence[Still]) -> Scene:
    """`still` scaled so that its face is `share` of the frame's height, at a random place, wholly inside; what of the
    image reaches over the frame's edge is cut. The aspect ratio is drawn again until the face fits."""
    import cv2

    box_width, box_height = still.box_px[2:] - still.box_px[:2]
    for _ in range(100):
        height, width = _size(rng)
        scale = share * height / box_height
        if scale * box_width < width:
            break
    picture, kind = background(rng, stills, height, width)
    place = rng.uniform(0, 1, 2) * (width - scale * box_width, height - scale * box_height)
    image, shrunk = still.rgb, 1.0
    if scale < 0.5:  # warpAffine has no area filter of its own
        shrunk = 1 / np.floor(1 / scale)
        image = cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    # `shift` carries the image's corner-based coordinates; OpenCV's pixel centres are whole numbers, half a pixel less.
    factor = scale / shrunk
    shift = place - scale * still.box_px[:2]
    to_frame = np.array([[factor, 0, shift[0] + factor / 2 - 0.5], [0, factor, shift[1] + factor / 2 - 0.5]])
    cv2.warpAffine(image, to_frame, (width, height), picture, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    box = np.concatenate([place, place + scale * np.array([box_width, box_height])])
    return Scene(picture, box, kind)

"""The lookout: every place in a picture that may be a face, small, turned or cut by the edge, rather one too many.

Given the teacher's bundle it asks the face detector inside it about the whole picture, a padded and three turned
copies of it, and overlapping tiles, at a low confidence. It knows nothing of our own detector, so that what it says
can be held against ours, and it does not know what the boxes are for.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tracker.distill.teacher import NEEDS_EXTRA
from tracker.errors import AssetError, BackendUnavailable

CONFIDENCE = 0.2
# Sides of the tiles as shares of the picture's longer side. The network's own input is 128 pixels.
TILE_SHARES = (0.6, 0.35)
TILE_STEP = 0.5
PAD_SHARE = 0.4
LOOKS_THAT_AGREE = 2
SAME_PLACE = 0.33
MOSTLY = 0.6
_MEMBER = "face_detector.tflite"


class Lookout:
    """Uint8 RGB [H, W, 3] to float32 [F, 4], boxes x0, y0, x1, y1 that may reach over the picture's edge."""

    def __init__(
        self, bundle: str | Path, shares: tuple[float, ...] = TILE_SHARES, confidence: float = CONFIDENCE
    ) -> None:
        """`bundle` is the face_landmarker.task file. Raises AssetError or BackendUnavailable."""
        os.environ.setdefault("GLOG_minloglevel", "3")
        path = Path(bundle)
        if not path.is_file():
            raise AssetError(f"no teacher model at {path}; give the path of a face_landmarker.task file")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise BackendUnavailable(NEEDS_EXTRA) from error
        try:
            with zipfile.ZipFile(path) as archive:
                network = archive.read(_MEMBER)
            options = vision.FaceDetectorOptions(
                base_options=BaseOptions(model_asset_buffer=network), min_detection_confidence=confidence
            )
            self._detector = vision.FaceDetector.create_from_options(options)
        except (zipfile.BadZipFile, KeyError, RuntimeError, ValueError) as error:
            raise AssetError(
                f"{path} is not a Face Landmarker bundle with a {_MEMBER} in it; give the float16 face_landmarker.task"
            ) from error
        self._image, self._format, self._shares = mediapipe.Image, mediapipe.ImageFormat.SRGB, shares

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Boxes of all looks; one face is usually seen by several of them."""
        height, width = rgb.shape[:2]
        pad = round(PAD_SHARE * max(height, width))
        found = [self._look(np.pad(rgb, ((pad, pad), (pad, pad), (0, 0)))) - pad]
        found += [_turned_back(self._look(np.rot90(rgb, turns)), turns, height, width) for turns in range(4)]
        for share in self._shares:
            side = round(share * max(height, width))
            for y in _starts(height, side):
                for x in _starts(width, side):
                    found.append(self._look(rgb[y : y + side, x : x + side]) + np.array([x, y, x, y], np.float32))
        return np.concatenate(found)

    def _look(self, rgb: np.ndarray) -> np.ndarray:
        image = self._image(image_format=self._format, data=np.ascontiguousarray(rgb))
        boxes = [found.bounding_box for found in self._detector.detect(image).detections]
        corners = [(b.origin_x, b.origin_y, b.origin_x + b.width, b.origin_y + b.height) for b in boxes]
        return np.array(corners, np.float32).reshape(-1, 4)

    def close(self) -> None:
        """Free the native graph."""
        self._detector.close()


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * TILE_STEP))) + 1
    return [round(k * (length - side) / (count - 1)) for k in range(count)]


def _turned_back(boxes: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Boxes found in `np.rot90(picture, turns)`, in the picture of `height` and `width`."""
    x0, y0, x1, y1 = boxes.T
    corners = {
        0: (x0, y0, x1, y1),
        1: (width - y1, x0, width - y0, x1),
        2: (width - x1, height - y1, width - x0, height - y0),
        3: (y0, height - x1, y1, height - x0),
    }
    return np.stack(corners[turns], 1)


def agreed(boxes: np.ndarray, looks: int = LOOKS_THAT_AGREE) -> np.ndarray:
    """One box [4] for every place in which so many of the boxes [F, 4] overlap by a third: their median.

    A median, since at a low confidence many boxes are sloppy, and the hull of all of them would be most of the picture.
    """
    left, places = boxes.astype(np.float64).reshape(-1, 4), []
    while len(left):
        near = _overlap(left, left) > SAME_PLACE
        chosen = near[near.sum(1).argmax()]
        if chosen.sum() < looks:
            break
        places.append(np.median(left[chosen], 0))
        left = left[~chosen]
    return np.array(places, np.float64).reshape(-1, 4)


def besides(known: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The boxes [K, 4] known to be faces, and the places seen [F, 4] that do not lie mostly within one of them."""
    if not len(known):
        return seen
    shared = np.clip(_corner(seen, known, 2, np.minimum) - _corner(seen, known, 0, np.maximum), 0, None).prod(2)
    within = shared.max(1) / (seen[:, 2:] - seen[:, :2]).prod(1)
    return np.concatenate([known, seen[within < MOSTLY]])


def _corner(a: np.ndarray, b: np.ndarray, at: int, inner: Callable[..., np.ndarray]) -> np.ndarray:
    return inner(a[:, None, at : at + 2], b[None, :, at : at + 2])


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union [A, B]."""
    shared = np.clip(_corner(a, b, 2, np.minimum) - _corner(a, b, 0, np.maximum), 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    overlap: np.ndarray = shared / (areas[0][:, None] + areas[1][None] - shared)
    return overlap

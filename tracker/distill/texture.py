"""An average skin texture, computed from many people's labelled faces.

Given the packed corpus and the face model it picks one frontal, calm, sharp face of each person, brings its pixels
into the model's texture space, and takes a trimmed mean over people, so that what comes out is a person that does not
exist. It draws nothing and writes no file.
"""

from __future__ import annotations

import numpy as np

from tracker.distill.corpus import Corpus
from tracker.distill.morphable import similarity
from tracker.errors import SourceError
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel

TEXTURE_PX = 256
TRIM = 0.25
MEAN_LUMA = 150.0
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# A calm face: these scores, weighed so, say how far from it a face is.
_UNREST = {
    "eyeBlinkLeft": 2.0, "eyeBlinkRight": 2.0, "jawOpen": 2.0, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5,
    "mouthPucker": 0.5, "eyeSquintLeft": 0.5, "eyeSquintRight": 0.5, "browDownLeft": 0.5, "browDownRight": 0.5,
}  # fmt: skip


def learn_texture(corpus: Corpus, model: FaceModel, people: int = 400, size_px: int = TEXTURE_PX) -> np.ndarray:
    """uint8 [size, size, 3] RGB over `model.uv`, one vote a person. Raises SourceError with fewer than ten people.

    Per texel the trimmed mean (a quarter off either end) over the `people` best faces, each brought to the same mean
    brightness, then averaged with its own mirror image, which also evens out the light.
    """
    chosen = choose_faces(corpus, model, people)
    if len(chosen) < 10:
        raise SourceError(f"{len(chosen)} people in the corpus with a frontal face; a texture needs at least 10")
    triangle, weights = texel_triangles(model, size_px)
    corners = model.triangles[np.maximum(triangle, 0)]  # [S, S, 3]
    layers = np.empty((len(chosen), size_px, size_px, 3), np.float16)
    for layer, index in zip(layers, chosen, strict=True):
        points = (corpus.landmarks[index][corners][..., :2] * weights[..., None]).sum(2)
        layer[:] = _at_mean_luma(_bilinear(corpus.patches[index], points), triangle >= 0)
    skip = int(len(chosen) * TRIM)
    mean: np.ndarray = np.empty((size_px, size_px, 3), np.float32)
    for row in range(size_px):  # row by row, since sorting everything at once would double the memory
        mean[row] = np.sort(layers[:, row].astype(np.float32), axis=0)[skip : len(chosen) - skip].mean(0)
    mean = 0.5 * (mean + mean[:, ::-1])
    mean[triangle < 0] = mean[triangle >= 0].mean(0)
    return np.clip(np.rint(mean), 0, 255).astype(np.uint8)


def choose_faces(corpus: Corpus, model: FaceModel, people: int) -> np.ndarray:
    """int [P <= people]: the best face of each person, best people first; turned or tiny faces are left out."""
    calm = np.zeros(len(corpus), np.float32)
    for name, weight in _UNREST.items():
        calm += weight * corpus.scores[:, ARKIT_INDEX[name]]
    candidates = np.flatnonzero(calm < 1.6)
    turned = _turned_rad(corpus.landmarks[candidates], model)
    cost = calm[candidates] + 4.0 * turned
    order = candidates[np.argsort(cost, kind="stable")][np.sort(cost) < 2.2]
    _, first = np.unique(corpus.person[order], return_index=True)
    ranked = order[np.sort(first)][: 2 * people]
    sharp = np.array([_sharpness(corpus.patches[index]) for index in ranked])
    return np.sort(ranked[np.argsort(-sharp, kind="stable")[:people]])


def texel_triangles(model: FaceModel, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Per texel the model's triangle (int32 [S, S], -1 where none) and barycentric weights (float32 [S, S, 3])."""
    index = np.full((size_px, size_px), -1, np.int32)
    weights = np.zeros((size_px, size_px, 3), np.float32)
    for number, corners in enumerate(model.uv[model.triangles].astype(np.float64) * size_px):
        low = np.clip(np.floor(corners.min(0) - 1).astype(int), 0, size_px)
        high = np.clip(np.ceil(corners.max(0) + 1).astype(int), 0, size_px)
        x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        a, b, c = corners
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        wb = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
        wc = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
        found = np.stack([1 - wb - wc, wb, wc], -1)
        inside = found.min(-1) >= -1e-6
        window = np.s_[low[1] : high[1], low[0] : high[0]]
        index[window][inside] = number
        weights[window][inside] = found[inside]
    return index, weights


def _turned_rad(landmarks: np.ndarray, model: FaceModel) -> np.ndarray:
    """float [N]: the angle out of the picture plane; roll does not matter, the warp undoes it."""
    _, rotation, _ = similarity(landmarks.astype(np.float64), model.mean_mm.astype(np.float64))
    turned: np.ndarray = np.arccos(np.clip(rotation[:, 2, 2], -1, 1))
    return turned


def _sharpness(patch: np.ndarray) -> float:
    """Mean gradient of the middle half relative to its contrast: enlarged or smeared faces have little."""
    size = patch.shape[0]
    luma = patch[size // 4 : -size // 4, size // 4 : -size // 4].astype(np.float32) @ _LUMA
    edges = np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean()
    return float(edges / (luma.std() + 10.0))


def _bilinear(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """float32 [..., 3] of a uint8 image at pixel coordinates [..., 2] (corner-based: the first centre is 0.5)."""
    height, width = image.shape[:2]
    x = np.clip(points[..., 0] - 0.5, 0, width - 1.001)
    y = np.clip(points[..., 1] - 0.5, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    fx, fy = (x - column)[..., None].astype(np.float32), (y - row)[..., None].astype(np.float32)
    top = image[row, column] * (1 - fx) + image[row, column + 1] * fx
    bottom = image[row + 1, column] * (1 - fx) + image[row + 1, column + 1] * fx
    sampled: np.ndarray = top * (1 - fy) + bottom * fy
    return sampled


def _at_mean_luma(colour: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Scaled so that the texels in use have the common mean brightness."""
    luma = float((colour[inside] @ _LUMA).mean())
    scaled: np.ndarray = np.clip(colour * (MEAN_LUMA / max(luma, 25.0)), 0, 300)
    return scaled

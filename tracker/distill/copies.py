"""Is this face that face's picture? Copies of photographs, known again whatever they were cut, scaled and packed to.

Given grey pictures with nose tip and chin it brings faces to one framing, takes the likeliest pairs, aligns them finely
and compares their detail. Of whole pictures it makes a hash of what they show. It sees neither mirrored nor painted
copies, and knows no files.
"""

from __future__ import annotations

import numpy as np

PATCH_PX = 64
FACE_LENGTHS = 2.9
"""Side of the patch in distances from nose tip to chin."""
COARSE = 10
LIKELY = 0.5
"""Least correlation of two faces at `COARSE` x `COARSE` to be looked at closely."""
SAME = 0.68
"""Correlation of detail from which on two crops are one picture: copies reach 0.69 to 0.99, the most alike of others
0.72, and a crop too many that is left out is no loss."""
BITS = 2 * 12 * 11
SAME_BITS = 24
"""Re-encoding a picture at another size flips a few bits (13 at most of those tried); unrelated pictures differ in
about 127, the nearest two of eval and train in 38."""


def picture_hash(grey: np.ndarray) -> np.ndarray:
    """bool [BITS] of a whole picture uint8 [H, W]: 12 x 12 means, each brighter or darker than its neighbour."""
    import cv2

    small = cv2.resize(grey, (12, 12), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.concatenate([(np.diff(small, axis=1) > 0).ravel(), (np.diff(small, axis=0) > 0).ravel()])


def bits_apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """float32 [N, M]: bits in which each hash [N, BITS] differs from each other one [M, BITS]."""
    a, b = (np.where(bits, 1, -1).astype(np.float32) for bits in (ours, theirs))
    apart: np.ndarray = (BITS - a @ b.T) / 2
    return apart


def copies(crops: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """bool [N]: which of `crops` is one of `faces`; both uint8 [., PATCH_PX, PATCH_PX] of `framed`."""
    mine, theirs = _coarse(crops), _coarse(faces)
    mean = mine.mean(0) if len(mine) > COARSE else theirs.mean(0)
    alike = _unit(mine - mean) @ _unit(theirs - mean).T
    nearest = alike.argmax(1)
    likely = np.take_along_axis(alike, nearest[:, None], 1)[:, 0] > LIKELY
    same = np.zeros(len(crops), bool)
    for row in np.flatnonzero(likely):
        same[row] = same_picture(crops[row], faces[nearest[row]]) > SAME
    return same


def framed(grey: np.ndarray, nose: np.ndarray, chin: np.ndarray) -> np.ndarray:
    """uint8 [PATCH_PX, PATCH_PX]: the face upright by the line from nose tip to chin, its nose tip in the middle."""
    import cv2

    down = chin - nose
    length = max(float(np.hypot(*down)), 1.0)
    scale = PATCH_PX / (FACE_LENGTHS * length)
    (sine, cosine), middle = down / length * scale, PATCH_PX / 2
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shrink = max(1, round(1 / scale / 1.3))
    if shrink > 1:
        grey = cv2.resize(grey, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    warp = np.column_stack([turn * shrink, middle - turn @ nose])
    return cv2.warpAffine(grey, warp, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE)


def same_picture(crop: np.ndarray, face: np.ndarray) -> float:
    """Correlation of the detail of two framed faces once aligned (affine; Evangelidis and Psarakis 2008)."""
    import cv2

    mine, theirs, warp = _detail(crop), _detail(face), np.eye(2, 3, dtype=np.float32)
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 1e-3)
    try:
        _, warp = cv2.findTransformECC(mine, theirs, warp, cv2.MOTION_AFFINE, ends, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: they are too unlike
        return -1.0
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    aligned = _detail(cv2.warpAffine(face, warp, face.shape, flags=flags, borderMode=cv2.BORDER_REPLICATE))
    inner = slice(PATCH_PX // 8, -PATCH_PX // 8)
    return float(np.corrcoef(mine[inner, inner].ravel(), aligned[inner, inner].ravel())[0, 1])


def _detail(grey: np.ndarray, sigma: float = 2.5) -> np.ndarray:
    """float32: brightness against its surroundings, over how much it varies there. Faces before a black wall are all
    alike in their outlines, which this does not count for more than an eyelid."""
    import cv2

    fine = grey.astype(np.float32)
    fine -= cv2.GaussianBlur(fine, (0, 0), sigma)
    detail: np.ndarray = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), sigma)) + 6)
    return detail


def _coarse(patches: np.ndarray) -> np.ndarray:
    """float32 [N, COARSE ** 2]: detail, coarser."""
    import cv2

    inner = slice(PATCH_PX // 10, -PATCH_PX // 10)
    details = (_detail(patch, 4.0)[inner, inner] for patch in patches)
    rows = [cv2.resize(detail, (COARSE, COARSE), interpolation=cv2.INTER_AREA).ravel() for detail in details]
    means = np.array(rows, np.float32).reshape(-1, COARSE**2)
    return _unit(means - means.mean(1, keepdims=True))


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return unit

"""Training examples for the student, drawn at random from the corpus.

Given the corpus and the face model it yields crops with landmarks, scores, pose and presence: pairs of frames of one
clip, stills, profile faces of which only a few points are known, and crops without a face. It knows nothing of the
network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.distill import augment
from tracker.distill.augment import Look
from tracker.distill.corpus import Corpus, aflw_truth
from tracker.distill.morphable import similarity
from tracker.face.expression import MIRROR
from tracker.face.model import FaceModel
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM

# People's points on AFLW as mesh vertices, by side of the image: brow ends, eye corners and centres, nose, mouth, chin.
SPARSE = (
    (0, 70), (2, 107), (3, 336), (5, 300), (6, 33), (7, 468), (8, 133), (9, 362), (10, 473), (11, 263),
    (13, 129), (14, 4), (15, 358), (17, 61), (19, 291), (20, 152),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Where the head is in every patch, fitted in closed form."""

    rotation: np.ndarray
    """float32 [N, 3, 3]: the head as seen in the patch."""
    scale: np.ndarray
    """float32 [N]: patch pixels per millimetre."""
    centre: np.ndarray
    """float32 [N, 2]: `ROI_CENTRE_MM` in patch pixels."""


def fit_poses(corpus: Corpus, model: FaceModel) -> Poses:
    """Similarity of the model with the teacher's expression onto the teacher's landmarks, face by face."""
    rotations, scales, centres = [], [], []
    for start in range(0, len(corpus), 512):
        rows = slice(start, start + 512)
        shape = model.mean_mm + np.einsum("nk,kvi->nvi", corpus.scores[rows], model.expression_mm)
        for vertices, landmarks in zip(shape, corpus.landmarks[rows], strict=True):
            scale, rotation, shift = similarity(vertices[None].astype(np.float64), landmarks.astype(np.float64))
            rotations.append(rotation[0])
            scales.append(scale[0])
            centres.append((scale[0] * rotation[0] @ ROI_CENTRE_MM + shift[0])[:2])
    return Poses(*(np.array(part, np.float32) for part in (rotations, scales, centres)))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B crops; rows without a kind of truth have weight zero there."""

    crops: np.ndarray
    """uint8 [B, 128, 128, 3] RGB."""
    landmarks: np.ndarray
    """float32 [B, 478, 3] crop pixels."""
    point_weight: np.ndarray
    """float32 [B, 478]: 0 where a landmark is unknown."""
    scores: np.ndarray
    """float32 [B, 52]."""
    rotation: np.ndarray
    """float32 [B, 3, 3]."""
    taught: np.ndarray
    """float32 [B]: 1 where scores, rotation and depth are known."""
    presence: np.ndarray
    """float32 [B]: 1 with a face, 0 without."""


class Lessons:
    """An endless source of batches whose first half and second half are the same people, frame for frame."""

    def __init__(self, corpus: Corpus, poses: Poses, model: FaceModel, data: Path, cache: Path, seed: int = 0) -> None:
        self.corpus, self.poses, self.model, self.rng = corpus, poses, model, np.random.default_rng(seed)
        train = ~corpus.validation
        self.by_clip = [
            rows for clip in np.unique(corpus.clip[train & (corpus.kind == 0)])
            if len(rows := np.flatnonzero((corpus.clip == clip) & train)) > 1
        ]  # fmt: skip
        frames_of = np.bincount(corpus.person[train], minlength=int(corpus.person.max()) + 1)
        weight = np.array([len(r) / frames_of[corpus.person[r[0]]] ** 0.5 for r in self.by_clip])
        self.clip_share = weight / weight.sum()
        self.stills = np.flatnonzero(train & (corpus.kind == 1))
        self.aflw = np.flatnonzero(train & (corpus.kind == 2))
        self.sparse = sparse_faces(data)
        self.backgrounds = background_patches(data, cache, seed)

    def batch(self, size: int) -> Batch:
        """Half of `size` pairs: 53% clip frames, 14% stills, 13% AFLW, 6% sparse profiles, 14% without a face."""
        half = size // 2
        kinds = self.rng.choice(5, half, p=[0.53, 0.14, 0.13, 0.06, 0.14])
        rows = [self._pair(int(kind)) for kind in kinds]
        both = [pair[0] for pair in rows] + [pair[1] for pair in rows]
        return Batch(*(np.stack(column) for column in zip(*both, strict=True)))

    def _pair(self, kind: int) -> tuple[tuple, tuple]:
        if kind == 0:
            clip = self.by_clip[self.rng.choice(len(self.by_clip), p=self.clip_share)]
            a, b = self.rng.choice(clip, 2, replace=False)
            return self._face(int(a)), self._face(int(b))
        draw = (self._still, self._aflw, self._sparse, self._negative)[kind - 1]
        return draw(), draw()

    def _still(self) -> tuple:
        return self._face(int(self.rng.choice(self.stills)))

    def _aflw(self) -> tuple:
        return self._face(int(self.rng.choice(self.aflw)))

    def look(self, index: int) -> Look:
        """The true square of a labelled face in its patch."""
        x = self.poses.rotation[index]
        roll = float(np.arctan2(x[1, 0] - x[0, 1], x[0, 0] + x[1, 1]))
        return Look(self.poses.centre[index], float(self.poses.scale[index]) * ROI_SIDE_MM, roll)

    def _face(self, index: int) -> tuple:
        patch = self.corpus.patches[index]
        warp = augment.jitter(self.look(index), self.rng).crop_from_patch()
        crop = augment.damage(augment.cut(patch, warp, self.rng), self.rng, self._other())
        landmarks = carry(self.corpus.landmarks[index], warp)
        turn = warp[:, :2] / np.sqrt(abs(np.linalg.det(warp[:, :2])))
        rotation = np.block([[turn, np.zeros((2, 1))], [0, 0, 1]]) @ self.poses.rotation[index]
        scores = self.corpus.scores[index]
        if self.rng.random() < 0.5:
            crop, landmarks, scores, rotation = self._mirrored(crop, landmarks, scores, rotation)
        inside = np.ones(478, np.float32)
        one = np.float32(1)
        return crop, landmarks.astype(np.float32), inside, scores, rotation.astype(np.float32), one, one

    def _mirrored(self, crop: np.ndarray, landmarks: np.ndarray, scores: np.ndarray, rotation: np.ndarray) -> tuple:
        flipped = landmarks[self.model.mirror_index].copy()
        flipped[:, 0] = CROP_PX - flipped[:, 0]
        flip = np.diag([-1.0, 1.0, 1.0])
        return np.ascontiguousarray(crop[:, ::-1]), flipped, scores[list(MIRROR)], flip @ rotation @ flip

    def _sparse(self) -> tuple:
        image, points = self.sparse[self.rng.integers(len(self.sparse))]
        low, high = np.nanmin(points, 0), np.nanmax(points, 0)
        side = float((high - low).max()) * 1.62
        warp = augment.jitter(Look((low + high) / 2 + [0, 0.03 * side], side, 0.0), self.rng).crop_from_patch()
        crop = augment.damage(augment.cut(image, warp, self.rng), self.rng, self._other())
        landmarks, weight = np.zeros((478, 3), np.float32), np.zeros(478, np.float32)
        for point, vertex in SPARSE:
            if np.isfinite(points[point]).all():
                landmarks[vertex, :2] = points[point] @ warp[:, :2].T + warp[:, 2]
                weight[vertex] = 1
        if self.rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            landmarks[:, 0] = CROP_PX - landmarks[:, 0]
            landmarks, weight = landmarks[self.model.mirror_index], weight[self.model.mirror_index]
        nothing = np.zeros(52, np.float32)
        return crop, landmarks, weight, nothing, np.eye(3, dtype=np.float32), np.float32(0), np.float32(1)

    def _negative(self) -> tuple:
        kind = self.rng.random()
        if kind < 0.2:
            crop = augment.texture(self.rng)
        elif kind < 0.45:
            crop = self._other()
        else:
            crop = self._faceless()
        crop = augment.damage(crop, self.rng, self._other())
        blank = np.zeros((478, 3), np.float32)
        zero = np.float32(0)
        return crop, blank, np.zeros(478, np.float32), np.zeros(52, np.float32), np.eye(3, dtype=np.float32), zero, zero

    def _faceless(self) -> np.ndarray:
        """A head whose face is covered, mostly framed as a face would be: hair and shoulders make no face."""
        index = int(self.rng.choice(self.stills if self.rng.random() < 0.7 else self.aflw))
        look = self.look(index)
        half = look.side * self.rng.uniform(0.33, 0.5)
        box = np.concatenate([look.centre - half, look.centre + half])
        erased = augment.erase_face(self.corpus.patches[index], box, self.rng)
        if self.rng.random() < 0.6:
            return augment.cut(erased, augment.jitter(look, self.rng).crop_from_patch(), self.rng)
        centre = look.centre + self.rng.normal(0, 0.35, 2) * look.side
        side = look.side * float(np.exp(self.rng.normal(-0.2, 0.5)))
        return augment.cut(erased, Look(centre, side, float(self.rng.normal(0, 0.3))).crop_from_patch(), self.rng)

    def _other(self) -> np.ndarray:
        """Some picture without a face, crop-sized."""
        picture = self.backgrounds[self.rng.integers(len(self.backgrounds))]
        side = int(self.rng.integers(picture.shape[0] // 3, picture.shape[0] + 1))
        x, y = self.rng.integers(0, picture.shape[0] - side + 1, 2)
        return cv2.resize(picture[y : y + side, x : x + side], (CROP_PX, CROP_PX))


def carry(landmarks: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Landmarks [478, 3] through a similarity [2, 3]; z only scales."""
    scale = np.sqrt(abs(np.linalg.det(warp[:, :2])))
    return np.column_stack([landmarks[:, :2] @ warp[:, :2].T + warp[:, 2], landmarks[:, 2] * scale])


def sparse_faces(data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """AFLW crops as RGB with the points people set (float [21, 2], NaN where hidden), turned heads only.

    At least five points must be seen, and the head be turned by 45 degrees or more: nearer faces the teacher labels.
    """
    folder = data / "train/aflw_crops"
    truth = aflw_truth(data)
    if not truth:
        return [(np.zeros((120, 120, 3), np.uint8), np.full((21, 2), 60, np.float32))]
    with np.load(folder / "truth.npz") as archive:
        yaw = dict(zip((Path(str(n)).stem for n in archive["image"]), archive["yaw_deg"], strict=True))
    chosen = []
    for stem, points in truth.items():
        seen = np.isfinite(points[[a for a, _ in SPARSE]]).all(1).sum()
        image = cv2.imread(str(folder / f"{stem}.jpg")) if seen >= 5 and abs(yaw[stem]) >= 45 else None
        if image is not None:
            chosen.append((np.ascontiguousarray(image[:, :, ::-1]), points))
    return chosen


def background_patches(data: Path, cache: Path, seed: int, count: int = 3000) -> np.ndarray:
    """uint8 [count, 160, 160, 3]: squares of the stills that no found face touches, and textures."""
    rng = np.random.default_rng(seed + 1)
    patches = [augment.texture(rng, 160) for _ in range(count // 5)]
    for boxes, path in faces_of_images(data, cache):
        image = cv2.imread(str(path))
        assert image is not None
        for _ in range(20):
            side = int(rng.integers(40, max(41, min(image.shape[:2]) * 2 // 3)))
            x = int(rng.integers(0, image.shape[1] - side + 1))
            y = int(rng.integers(0, image.shape[0] - side + 1))
            apart = (boxes[:, 0] > x + side) | (boxes[:, 2] < x) | (boxes[:, 1] > y + side) | (boxes[:, 3] < y)
            if apart.all():
                square = image[y : y + side, x : x + side, ::-1]
                patches.append(cv2.resize(square, (160, 160), interpolation=cv2.INTER_AREA))
    return np.stack(patches)[rng.permutation(len(patches))[:count]]


def faces_of_images(data: Path, cache: Path) -> list[tuple[np.ndarray, Path]]:
    """Per training still: boxes float [F, 4] of its faces, grown by a third, and its path."""
    found = []
    for path in sorted((data / "train/images").glob("*.jpg")):
        label = cache / "labels/images" / f"{path.stem}.npz"
        if not label.is_file():
            continue
        with np.load(label) as done:
            if len(done["frame"]) == 0:
                continue
            mesh = done["landmarks"][:, :, :2] * done["origin"][:, None, 2:] + done["origin"][:, None, :2]
        low, high = mesh.min(1), mesh.max(1)
        grow = (high - low) * 0.33
        found.append((np.concatenate([low - grow, high + grow], 1), path))
    return found

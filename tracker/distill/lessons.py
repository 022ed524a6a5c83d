"""Training examples for the student, drawn at random from the corpus.

Given the corpus and the face model it yields crops with landmarks, scores, pose and presence: pairs of frames of one
clip, stills, faces turned out of plane, synthetic ones, profile faces of which only a few points are known, and crops
without a face. It knows nothing of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.distill import archive, augment
from tracker.distill.apart import shown_in_eval
from tracker.distill.augment import Look
from tracker.distill.corpus import SHARDS, SYNTHETIC, TRUTH_REMEDY, Corpus, aflw_held_out, aflw_truth
from tracker.distill.label import is_video, mesh_px
from tracker.distill.morphable import similarity
from tracker.distill.phantoms import SQUARE_PX, load_phantoms
from tracker.distill.shelf import Shelf, taught
from tracker.errors import SourceError
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
    tolerant: np.ndarray
    """float16 [N, 478, 2]: the landmarks as identity and expression of the face model can show them, patch pixels."""

    def look(self, index: int) -> Look:
        """The true square of a labelled head in its patch."""
        x = self.rotation[index]
        roll = float(np.arctan2(x[1, 0] - x[0, 1], x[0, 0] + x[1, 1]))
        return Look(self.centre[index], float(self.scale[index]) * ROI_SIDE_MM, roll)


TOLERANT_IDENTITIES = 16


def fit_poses(corpus: Corpus, model: FaceModel) -> Poses:
    """Similarity of the model with the teacher's expression onto the teacher's landmarks, face by face."""
    found: list[list[np.ndarray]] = [[], [], [], []]
    few = np.concatenate([model.identity_mm[:TOLERANT_IDENTITIES], model.expression_mm])
    basis = np.linalg.qr(few.reshape(len(few), -1).T)[0]
    for start in range(0, len(corpus), 512):
        rows = slice(start, start + 512)
        shape = model.mean_mm + np.einsum("nk,kvi->nvi", corpus.scores[rows], model.expression_mm)
        for vertices, landmarks in zip(shape, corpus.landmarks[rows].astype(np.float64), strict=True):
            scale, rotation, shift = (part[0] for part in similarity(vertices[None].astype(np.float64), landmarks))
            at_rest = (landmarks - shift) @ rotation / scale - model.mean_mm
            shown = model.mean_mm + (basis @ (basis.T @ at_rest.reshape(-1))).reshape(-1, 3)
            row = rotation, scale, (scale * rotation @ ROI_CENTRE_MM + shift)[:2], (shown @ rotation.T * scale + shift)
            for part, value in zip(found, row, strict=True):
                part.append(np.asarray(value, np.float32) if part is not found[3] else value[:, :2].astype(np.float16))
    return Poses(*(np.array(part) for part in found))


def known_poses(cache: Path, corpus: Corpus, poses: Poses) -> Poses:
    """The same with the synthetic faces' own poses: fitted to a stranger's shape, theirs come out degrees off."""
    rows = np.flatnonzero(corpus.kind == SYNTHETIC)
    path = cache / SHARDS[SYNTHETIC] / "labels.npz"
    if not len(rows) or not path.is_file():
        return poses
    remedy = f"delete {path.parent} and run `facewire distill synthesize` again"
    truth = archive.read(path, remedy, ("landmarks", "rotation", "scale", "centre"))
    # An open corpus leaves some of them out: what has the same landmarks is the same face.
    place = {points.tobytes(): row for row, points in enumerate(truth["landmarks"][:, :4])}
    of = [place[points.tobytes()] for points in corpus.landmarks[rows, :4]]
    known = {name: getattr(poses, name).copy() for name in ("rotation", "scale", "centre")}
    for name, column in known.items():
        column[rows] = truth[name][of]
    return Poses(**known, tolerant=poses.tolerant)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B crops; rows without a kind of truth have weight zero there."""

    crops: np.ndarray
    """uint8 [B, 128, 128, 3] RGB."""
    landmarks: np.ndarray
    """float32 [B, 478, 3] crop pixels."""
    tolerant: np.ndarray
    """float32 [B, 478, 2]: the same as the face model can show them; see `Poses.tolerant`."""
    point_weight: np.ndarray
    """float32 [B, 478]: 0 where a landmark is unknown."""
    scores: np.ndarray
    """float32 [B, 52]."""
    score_scale: np.ndarray
    """float32 [B]: what errors of the scores count with where truth is exact; 0 where they are a teacher's."""
    rotation: np.ndarray
    """float32 [B, 3, 3]."""
    taught: np.ndarray
    """float32 [B]: 1 where scores, rotation and depth are known."""
    presence: np.ndarray
    """float32 [B]: 1 with a face, 0 without."""
    person: np.ndarray
    """int64 [B]: the same number is the same person; -1 where that is not known."""


# How often each kind of pair is drawn, where there is any.
SHARE = {"clips": 0.30, "images": 0.10, "aflw": 0.07, "turned": 0.08, "synthetic": 0.34, "sparse": 0.05, "none": 0.10}
# Exact scores count as if each shape had this spread.
EXACT_SPREAD = 0.1
LEAST_SQUARE_PX = 40
"""Of a still, to be a background."""


class Lessons:
    """An endless source of batches whose first half and second half are pairs, row for row."""

    def __init__(
        self, corpus: Corpus, poses: Poses, model: FaceModel, data: Path | None, cache: Path, seed: int = 0
    ) -> None:
        """`data` holds the stills and people's points that are used beside the corpus; with None, nothing is.

        Raises SourceError for a corpus with no face to train on.
        """
        self.corpus, self.poses, self.model, self.rng = corpus, poses, model, np.random.default_rng(seed)
        train = ~corpus.validation
        self.rows = np.flatnonzero(train)
        if not len(self.rows):
            raise SourceError("the corpus holds no face to train on; label more clips or images, of more people")
        self.by_clip = [
            rows for clip in np.unique(corpus.clip[train & (corpus.kind == 0)])
            if len(rows := np.flatnonzero((corpus.clip == clip) & train)) > 1
        ]  # fmt: skip
        frames_of = np.bincount(corpus.person[train], minlength=int(corpus.person.max()) + 1)
        weight = np.array([len(r) / frames_of[corpus.person[r[0]]] ** 0.5 for r in self.by_clip])
        self.clip_share = weight / weight.sum()
        self._people = len(frames_of)
        self.stills, self.aflw = (np.flatnonzero(train & (corpus.kind == kind)) for kind in (1, 2))
        self.made = {name: _twins(corpus, train & (corpus.kind == kind)) for kind, name in SHARDS.items()}
        self.sparse = sparse_faces(data) if data else []
        self.backgrounds = background_patches(data, cache, seed)
        self.phantoms = load_phantoms(cache) if data else None
        there = {
            "clips": len(self.by_clip), "images": len(self.stills), "aflw": len(self.aflw), "sparse": len(self.sparse),
            **{name: len(twins) for name, twins in self.made.items()},
        }  # fmt: skip
        share = np.array([0.0 if there.get(name) == 0 else share for name, share in SHARE.items()])
        self.share = share / share.sum()

    def batch(self, size: int) -> Batch:
        """`size` rows, drawn as `SHARE` says."""
        kinds = self.rng.choice(list(SHARE), size // 2, p=self.share)
        rows = [self._pair(str(kind)) for kind in kinds]
        both = [pair[0] for pair in rows] + [pair[1] for pair in rows]
        return Batch(*(np.stack(column) for column in zip(*both, strict=True)))

    def _pair(self, kind: str) -> tuple[tuple, tuple]:
        if kind == "clips":
            clip = self.by_clip[self.rng.choice(len(self.by_clip), p=self.clip_share)]
            a, b = self.rng.choice(clip, 2, replace=False)
        elif kind in self.made:
            a, b = self.made[kind][self.rng.integers(len(self.made[kind]))]
        elif kind in ("images", "aflw"):
            a, b = self.rng.choice(self.stills if kind == "images" else self.aflw, 2)
        else:
            draw = self._sparse if kind == "sparse" else self._negative
            return draw(), draw()
        return self._face(int(a)), self._face(int(b))

    def _face(self, index: int) -> tuple:
        patch = self.corpus.patches[index]
        warp = augment.jitter(self.poses.look(index), self.rng).crop_from_patch()
        crop = augment.damage(augment.cut(patch, warp, self.rng), self.rng, self._other())
        landmarks = carry(self.corpus.landmarks[index], warp)
        turn = warp[:, :2] / np.sqrt(abs(np.linalg.det(warp[:, :2])))
        rotation = np.block([[turn, np.zeros((2, 1))], [0, 0, 1]]) @ self.poses.rotation[index]
        tolerant = self.poses.tolerant[index].astype(np.float64) @ warp[:, :2].T + warp[:, 2]
        scores, person = self.corpus.scores[index], int(self.corpus.person[index])
        if self.rng.random() < 0.5:
            crop, scores = np.ascontiguousarray(crop[:, ::-1]), scores[list(MIRROR)]
            landmarks, tolerant = self._mirrored(landmarks), self._mirrored(tolerant)
            rotation = _FLIP @ rotation @ _FLIP
            person += self._people  # whose face is the other way round is somebody else
        exact = np.float32(1 / EXACT_SPREAD if self.corpus.kind[index] == SYNTHETIC else 0)
        one = np.float32(1)
        return (
            crop, landmarks.astype(np.float32), tolerant.astype(np.float32), np.ones(478, np.float32), scores, exact,
            rotation.astype(np.float32), one, one, np.int64(person),
        )  # fmt: skip

    def _mirrored(self, points: np.ndarray) -> np.ndarray:
        flipped = points[self.model.mirror_index].copy()
        flipped[:, 0] = CROP_PX - flipped[:, 0]
        return flipped

    def _sparse(self) -> tuple:
        image, points = self.sparse[self.rng.integers(len(self.sparse))]
        warp = augment.jitter(look_at_points(points), self.rng).crop_from_patch()
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
        return _unscored(crop, landmarks, weight, presence=1)

    def _negative(self) -> tuple:
        kind = self.rng.random()
        if kind < 0.15:
            crop = augment.texture(self.rng)
        elif kind < 0.3:
            crop = self._other()
        elif kind < 0.65 and self.phantoms is not None:
            crop = self._phantom(self.phantoms)
        else:
            crop = self._faceless()
        crop = augment.damage(crop, self.rng, self._other())
        return _unscored(crop, np.zeros((478, 3), np.float32), np.zeros(478, np.float32), presence=0)

    def _phantom(self, patches: np.ndarray) -> np.ndarray:
        """Something that an earlier network took for a face."""
        patch = patches[self.rng.integers(len(patches))]
        if self.rng.random() < 0.5:
            patch = patch[:, ::-1]
        middle = np.full(2, patch.shape[0] / 2)
        square = augment.jitter(Look(middle, float(SQUARE_PX), 0.0), self.rng)
        return augment.cut(np.ascontiguousarray(patch), square.crop_from_patch(), self.rng)

    def _faceless(self) -> np.ndarray:
        """A head whose face is covered, mostly framed as a face would be: hair and shoulders make no face."""
        rows = self.stills if self.rng.random() < 0.7 else self.aflw
        index = int(self.rng.choice(rows if len(rows) else self.rows))
        look = self.poses.look(index)
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


_FLIP = np.diag([-1.0, 1.0, 1.0])


def _twins(corpus: Corpus, chosen: np.ndarray) -> np.ndarray:
    """int [P, 2]: made faces come as rows 2k and 2k + 1 of one person."""
    rows = np.flatnonzero(chosen)
    pairs: np.ndarray = rows[: len(rows) // 2 * 2].reshape(-1, 2)
    twins: np.ndarray = pairs[corpus.person[pairs[:, 0]] == corpus.person[pairs[:, 1]]]
    return twins


def _unscored(crop: np.ndarray, landmarks: np.ndarray, weight: np.ndarray, presence: int) -> tuple:
    """A row of which neither scores nor pose are known."""
    zero, nothing = np.float32(0), np.zeros(52, np.float32)
    return (
        crop, landmarks, landmarks[:, :2], weight, nothing, zero, np.eye(3, dtype=np.float32), zero,
        np.float32(presence), np.int64(-1),
    )  # fmt: skip


def look_at_points(points: np.ndarray) -> Look:
    """About the square of a head of which people set points [21, 2], NaN where hidden."""
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    side = float((high - low).max()) * 1.62
    return Look((low + high) / 2 + [0, 0.03 * side], side, 0.0)


def carry(landmarks: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Landmarks [478, 3] through a similarity [2, 3]; z only scales."""
    scale = np.sqrt(abs(np.linalg.det(warp[:, :2])))
    return np.column_stack([landmarks[:, :2] @ warp[:, :2].T + warp[:, 2], landmarks[:, 2] * scale])


def sparse_faces(data: Path, held_out: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    """AFLW crops as RGB with the points people set (float [21, 2], NaN where hidden), turned heads only.

    At least five points must be seen, and the head be turned by 45 degrees or more: nearer faces the teacher labels.
    With `held_out`, those of people kept for validation instead of all others.
    """
    folder = taught(data) / "aflw_crops"
    truth = aflw_truth(data)
    if not truth:
        return []
    shown = archive.read(folder / "truth.npz", TRUTH_REMEDY, ("image", "yaw_deg"))
    yaw = dict(zip((Path(str(n)).stem for n in shown["image"]), shown["yaw_deg"], strict=True))
    chosen, aside = [], aflw_held_out(data)
    for stem, points in truth.items():
        if (stem in aside) != held_out:
            continue
        seen = np.isfinite(points[[a for a, _ in SPARSE]]).all(1).sum()
        image = cv2.imread(str(folder / f"{stem}.jpg")) if seen >= 5 and abs(yaw[stem]) >= 45 else None
        if image is not None:
            chosen.append((np.ascontiguousarray(image[:, :, ::-1]), points))
    return chosen


def background_patches(data: Path | None, cache: Path, seed: int, count: int = 3000) -> np.ndarray:
    """uint8 [count, 160, 160, 3]: squares of the stills that no found face touches, and textures; fewer, where there
    are no stills."""
    rng = np.random.default_rng(seed + 1)
    patches = [augment.texture(rng, 160) for _ in range(count // 5)]
    for boxes, path in faces_of_images(data, cache) if data else []:
        image = cv2.imread(str(path))
        assert image is not None
        if min(image.shape[:2]) < LEAST_SQUARE_PX:
            continue
        for _ in range(20):
            side = int(rng.integers(LEAST_SQUARE_PX, max(LEAST_SQUARE_PX + 1, min(image.shape[:2]) * 2 // 3)))
            x = int(rng.integers(0, image.shape[1] - side + 1))
            y = int(rng.integers(0, image.shape[0] - side + 1))
            apart = (boxes[:, 0] > x + side) | (boxes[:, 2] < x) | (boxes[:, 1] > y + side) | (boxes[:, 3] < y)
            if apart.all():
                square = image[y : y + side, x : x + side, ::-1]
                patches.append(cv2.resize(square, (160, 160), interpolation=cv2.INTER_AREA))
    return np.stack(patches)[rng.permutation(len(patches))[:count]]


def faces_of_images(data: Path, cache: Path) -> list[tuple[np.ndarray, Path]]:
    """Per training still: boxes float [F, 4] of its faces, grown by a third, and its path."""
    found, shelf, judging = [], Shelf.of(data, cache, "images"), shown_in_eval(data)
    for path in shelf.files:
        label = None if is_video(path) or f"images/{path.name}" in judging else shelf.find(path)
        if label is None or not len(mesh := mesh_px(label)):
            continue
        low, high = mesh.min(1), mesh.max(1)
        grow = (high - low) * 0.33
        found.append((np.concatenate([low - grow, high + grow], 1), path))
    return found

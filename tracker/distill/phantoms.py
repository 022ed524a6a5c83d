"""Phantoms: places that look like a face to our own networks and hold none, to be taught as such.

Given training pictures, all places in them that may be a face (the teacher's and the lookout's, never ours) and the
shipped detector and student, it covers every face in many ways, lets our networks look, and keeps what they fall for
as patches with room to jitter. It never sees the evaluation data and trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tracker.detect.detector import Detector
from tracker.detect.roi import Roi
from tracker.distill import archive, augment
from tracker.distill.apart import shown_in_eval
from tracker.distill.corpus import People, aflw_truth, is_validation
from tracker.distill.label import PATCH_PX, is_video, mesh_px
from tracker.distill.lookout import Lookout, agreed, besides
from tracker.distill.shelf import Shelf
from tracker.distill.whole import whole
from tracker.errors import SettingsError, SourceError
from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.refine.fit import Fit, Refiner
from tracker.regress.regressor import Regressor
from tracker.source import frame_from_image
from tracker.source.frame import Frame

SQUARE_PX = 160
"""The square that was looked at is the patch's middle, so wide."""
PROPOSED_FROM = 0.04
"""The detector's score from which it is asked what the student makes of a proposal."""
FALLEN_FOR = 0.2
"""The student's presence from which a random square is kept."""
EASY_SHARE = 0.1
"""How many of the detector's proposals are kept that the student sees through."""
TEXTURE_SHARE = 0.1
LARGEST_ZOOM = 3.0
MARGINS = (0.0, 0.35)
LOOKS = 5
"""Pictures composed from each training picture."""
SURELY_A_FACE = 0.6
"""The confidence of the teacher's own detector in a patch from which the patch is dropped."""
FILE = "phantoms.npz"
KINDS = ("images", "aflw")
"""Whose pictures are looked at: stills first, which show more besides the face."""
# People's points end at the brows; the forehead is about a quarter of the height above them.
_POINTS_GROWN = 0.25
# In the crops of AFLW a face of about two thirds fills the middle, whether or not its points are seen.
_AFLW_FACE = (0.17, 0.17, 0.83, 0.83)
Rng = np.random.Generator
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Bare:
    """A training picture and everything in it that may be a face."""

    rgb: np.ndarray
    """uint8 [H, W, 3]."""
    faces_px: np.ndarray
    """float [F, 4]: x0, y0, x1, y1."""


class Eye:
    """The shipped detector, at a low threshold, and the student behind it."""

    def __init__(self) -> None:
        """Raises AssetError for networks that do not fit."""
        kernels, model = choose(), FaceModel.load()
        self.propose = Detector(kernels.crop_luma, PROPOSED_FROM)
        self.regress = Regressor(kernels.crop_roi, 1, model.hash)
        self.refine = Refiner(1, model)

    def settle(self, frame: Frame, roi: Roi) -> tuple[Roi, float]:
        """The square, or the one that the student moves it to, whichever it believes in more, and how much."""
        fit = self._see(frame, roi)
        moved, before = fit.roi(), fit.presence
        if fit.plausible and (after := self._see(frame, moved).presence) > before:
            return moved, after
        return roi, before

    def _see(self, frame: Frame, roi: Roi) -> Fit:
        return self.refine(self.regress(frame, [roi])[0], 0)


def cover(bare: Bare, rng: Rng, other: np.ndarray) -> np.ndarray:
    """The picture with all its faces covered, each in one of many ways, by a margin of 0 to 0.35 of its box.

    `other` is a faceless picture for a face to hide behind; a picture without faces stays as it is.
    """
    rgb = bare.rgb.copy()
    margin = rng.uniform(*MARGINS)
    oval = rng.random() < 0.25
    grow = max(margin, 0.2) if oval else margin  # an oval leaves the corners of its box
    for box in bare.faces_px:
        reach = grow * (box[2:] - box[:2])
        x0, y0 = np.floor(np.clip(box[:2] - reach, 0, None)).astype(int)
        x1, y1 = np.ceil(np.minimum(box[2:] + reach, rgb.shape[1::-1])).astype(int)
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        hole = rgb[y0:y1, x0:x1]
        mask: np.ndarray = np.full(hole.shape[:2], 255, np.uint8)
        if oval:
            mask[:] = 0
            middle, axes = (int((box[0] + box[2]) / 2 - x0), int((box[1] + box[3]) / 2 - y0)), (box[2:] - box[:2]) / 2
            axes = axes * (1 + 2 * grow) * 1.1
            cv2.ellipse(mask, middle, (int(axes[0]), int(axes[1])), 0, 0, 360, 255, -1)
        if rng.random() < 0.3:
            mask = _softened(mask)
        blend = mask[:, :, None].astype(np.float32) * (1 / 255)
        hole[:] = (hole * (1 - blend) + _fill(rgb, (x0, y0, x1, y1), rng, other) * blend).astype(np.uint8)
    return rgb


def _softened(mask: np.ndarray) -> np.ndarray:
    """The mask with its rim faded, at its outer edge too."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    faded: np.ndarray = cv2.GaussianBlur(framed, (0, 0), 0.04 * len(mask))
    return faded[1:-1, 1:-1]


def _fill(rgb: np.ndarray, box: tuple[int, int, int, int], rng: Rng, other: np.ndarray) -> np.ndarray:
    """uint8 of the box's size: plain, noise, a texture, what is left of the face in a few cells, or another picture."""
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    hole = rgb[y0:y1, x0:x1]
    kind = rng.random()
    if kind < 0.12:
        return np.broadcast_to(rng.integers(0, 256, 3, np.uint8), hole.shape)
    if kind < 0.24:  # skin without features
        return np.broadcast_to(np.median(hole.reshape(-1, 3), 0).astype(np.uint8), hole.shape)
    if kind < 0.3:
        cells = np.maximum(np.array(size) // int(rng.integers(1, 6)), 1)
        noise = rng.integers(0, 256, (cells[1], cells[0], 3), np.uint8)
        return cv2.resize(noise, size, interpolation=cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR)
    if kind < 0.58:
        return cv2.resize(augment.texture(rng), size)
    if kind < 0.72:  # blurred away
        cells = int(rng.integers(1, 4))
        few = cv2.resize(hole, (cells, cells), interpolation=cv2.INTER_AREA)
        return cv2.resize(few, size, interpolation=cv2.INTER_CUBIC)
    if kind < 0.86:  # the rim drawn inwards: hair and cheeks, no eyes
        wide = rgb[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2]
        small = cv2.resize(wide, (40, 40), interpolation=cv2.INTER_AREA)
        mask = np.zeros((40, 40), np.uint8)
        mask[2:-2, 2:-2] = 255
        return cv2.resize(cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA)[2:-2, 2:-2], size)
    return cv2.resize(other, size)


def load_phantoms(cache: Path) -> np.ndarray | None:
    """uint8 [N, 224, 224, 3] RGB, hardest first: what was looked at is the middle 160 pixels. None without a file."""
    path = Path(cache) / FILE
    if not path.is_file():
        return None
    return archive.read(path, "run `facewire distill phantoms` again", ("patches",))["patches"]


def mine(
    data: Path, teacher: Path, cache: Path, *, count: int = 4000, minutes: float = 8.0, seed: int = 0,
    progress: Progress | None = None,
) -> int:  # fmt: skip
    """Fill `cache/phantoms.npz` with up to `count` phantoms found within `minutes`, and return how many.

    The file holds `patches` as `load_phantoms` gives them and `presence` float32 [N], what the shipped student says
    now. `progress(done, total, text)` after each picture. Raises SettingsError, SourceError for a folder without
    training pictures, AssetError for a wrong model, BackendUnavailable without MediaPipe, OutputError.
    """
    if count < 1 or not minutes > 0:
        raise SettingsError(f"count {count} in {minutes} minutes; give 1 or more phantoms and a time above 0")
    data, cache, rng = Path(data), Path(cache), np.random.default_rng(seed)
    shelves = [Shelf.of(data, cache, kind) for kind in KINDS]
    pictures, points, eye = _pictures(data, shelves, rng), aflw_truth(data), Eye()
    lookout, guard = Lookout(teacher), Lookout(teacher, (), SURELY_A_FACE)
    found: list[tuple[np.ndarray, float]] = []
    other, until = augment.texture(rng, PATCH_PX), time.monotonic() + 60 * minutes
    for done, (path, shelf) in enumerate(pictures, 1):
        crop = shelf is shelves[1]
        bare = _bare(path, shelf.find(path), points.get(path.stem) if crop else None, lookout, crop)
        for picture in _looks(bare, rng, other):
            # What all looks at the whole picture overlooked, one at the patch may still recognise.
            found += [seen for seen in _fallen_for(picture, eye, rng) if not len(guard(seen[0]))]
        other = _window(cover(bare, rng, other), rng, PATCH_PX)
        if progress:
            progress(done, len(pictures), f"{len(found)} phantoms")
        if len(found) >= count or time.monotonic() > until:
            break
    lookout.close()
    guard.close()
    _save(cache / FILE, found[:count])
    return min(len(found), count)


def _save(path: Path, found: list[tuple[np.ndarray, float]]) -> None:
    """Whole or not at all, hardest first."""
    found = sorted(found, key=lambda seen: -seen[1])
    with whole(path) as part, part.open("wb") as stream:
        np.savez(
            stream, patches=np.array([patch for patch, _ in found], np.uint8).reshape(-1, PATCH_PX, PATCH_PX, 3),
            presence=np.array([presence for _, presence in found], np.float32),
        )  # fmt: skip


def _pictures(data: Path, shelves: list[Shelf], rng: Rng) -> list[tuple[Path, Shelf]]:
    """The pictures of each shelf, shuffled, without what judges and the people kept for validation."""
    people, judging = People(data), shown_in_eval(data)
    chosen: list[tuple[Path, Shelf]] = []
    for shelf in shelves:
        taught = [
            path for path in shelf.files
            if not is_video(path) and not is_validation(people.name(path))
            and f"{shelf.folder.name}/{path.name}" not in judging
        ]  # fmt: skip
        chosen += [(taught[index], shelf) for index in rng.permutation(len(taught))]
    if not chosen:
        raise SourceError(f"{data} holds no training pictures; give a folder with train/images or train/aflw_crops")
    return chosen


def _bare(path: Path, label: Path | None, points: np.ndarray | None, lookout: Lookout, crop: bool) -> Bare:
    """`crop` is one of AFLW's."""
    image = cv2.imread(str(path))
    if image is None:
        raise SourceError(f"{path} is not an image that can be read; give JPEG or PNG")
    rgb = np.ascontiguousarray(image[:, :, ::-1])
    faces = [np.zeros((0, 4))]
    if label is not None:
        mesh = mesh_px(label)
        faces.append(np.concatenate([mesh.min(1), mesh.max(1)], 1))
    if crop:
        faces.append(np.array(_AFLW_FACE)[None] * np.tile(rgb.shape[1::-1], 2))
    if points is not None and np.isfinite(points).any():
        low, high = np.nanmin(points, 0), np.nanmax(points, 0)
        grow = _POINTS_GROWN * float((high - low).max())
        faces.append(np.concatenate([low - grow, high + grow])[None])
    return Bare(rgb, besides(np.concatenate(faces), agreed(lookout(rgb), 1)))


def _looks(bare: Bare, rng: Rng, other: np.ndarray) -> Iterator[np.ndarray]:
    """Pictures without a face: the covered one, whole or magnified, and now and then a texture."""
    for _ in range(LOOKS):
        if rng.random() < TEXTURE_SHARE:
            yield augment.texture(rng, 256)
            continue
        covered = cover(bare, rng, other)
        yield covered if rng.random() < 0.4 else _window(covered, rng, 320)


def _window(rgb: np.ndarray, rng: Rng, size: int) -> np.ndarray:
    """A square window of the picture, `size` wide, magnified by 3 at most."""
    short = min(rgb.shape[:2])
    side = int(min(short, max(size / LARGEST_ZOOM, short * rng.uniform(0.35, 1))))
    x, y = (int(rng.integers(0, length - side + 1)) for length in (rgb.shape[1], rgb.shape[0]))
    window = rgb[y : y + side, x : x + side]
    return cv2.resize(window, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)


def _fallen_for(picture: np.ndarray, eye: Eye, rng: Rng) -> Iterator[tuple[np.ndarray, float]]:
    """What the detector proposes, and a random square if the student falls for it."""
    frame = frame_from_image(np.ascontiguousarray(picture))
    for detection in eye.propose(frame)[:5]:
        roi, presence = eye.settle(frame, detection.roi)
        if presence > FALLEN_FOR or rng.random() < EASY_SHARE:
            yield _patch(picture, roi), presence
    height, width = picture.shape[:2]
    roi = Roi(
        float(rng.uniform(0.2, 0.8) * width), float(rng.uniform(0.2, 0.8) * height),
        float(min(height, width) * np.exp(rng.uniform(np.log(0.3), np.log(1.2)))), float(rng.normal(0, 0.3)),
    )  # fmt: skip
    roi, presence = eye.settle(frame, roi)
    if presence > FALLEN_FOR:
        yield _patch(picture, roi), presence


def _patch(picture: np.ndarray, roi: Roi) -> np.ndarray:
    """uint8 [224, 224, 3] around a square, black outside the picture."""
    wide = Roi(roi.x_px, roi.y_px, roi.side_px * PATCH_PX / SQUARE_PX, roi.roll_rad)
    shrink = wide.side_px / PATCH_PX
    if shrink > 1.4:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink)
    warp = wide.px_from_crop(PATCH_PX)
    # OpenCV's pixel centres are whole numbers, ours are halves.
    warp[:, 2] += warp[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(picture, warp, (PATCH_PX, PATCH_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

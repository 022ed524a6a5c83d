"""Label a folder of clips and images with the teacher, once, into a cache that can be resumed.

Given a folder (`clips/`, `images/`, `aflw_crops/`) it writes one `.npz` per file: per face a square colour patch
twice the size of the face's box, the landmarks in that patch's pixels and the scores. A file that this teacher has
labelled as it is now is not labelled again. It does not know what the labels are for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tracker.distill import archive, lifeline
from tracker.distill.shelf import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Shelf, digest, files_in
from tracker.distill.teacher import Lesson, Teacher
from tracker.distill.whole import whole
from tracker.errors import BackendUnavailable, SourceError
from tracker.source.planes import display_matrix, upright

PATCH_PX = 224
PATCH_OF_BOX = 2.0
REMEDY = "delete it and run `facewire distill label` again"
"""Against a damaged label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The teacher's answers for one file. F faces in all, over all its frames."""

    patches: np.ndarray
    """uint8 [F, 224, 224, 3] RGB, a square twice the face's box, black outside the image."""
    landmarks: np.ndarray
    """float32 [F, 478, 3] in patch pixels."""
    scores: np.ndarray
    """float32 [F, 52] in ARKit order."""
    frame: np.ndarray
    """int32 [F] index of the frame within the file."""
    origin: np.ndarray
    """float32 [F, 3]: x, y of the patch's corner in the image and the image's pixels per patch pixel."""


def patch_around(rgb: np.ndarray, landmarks_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The square around a face as uint8 [224, 224, 3], and its origin [3] as in `Labelled.origin`."""
    import cv2

    low, high = landmarks_px[:, :2].min(0), landmarks_px[:, :2].max(0)
    side = float((high - low).max()) * PATCH_OF_BOX
    corner = (low + high) / 2 - side / 2
    scale = side / PATCH_PX
    to_patch = np.array([[1 / scale, 0, -corner[0] / scale], [0, 1 / scale, -corner[1] / scale]])
    shrink = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    if scale > 2:  # warpAffine has no area filter of its own
        factor = 1 / np.floor(scale)
        rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=shrink)
        to_patch = to_patch @ np.diag([1 / factor, 1 / factor, 1])
    patch = cv2.warpAffine(rgb, to_patch, (PATCH_PX, PATCH_PX), flags=cv2.INTER_LINEAR)
    return patch, np.array([*corner, scale], np.float32)


def is_video(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def files_under(data: Path) -> list[Path]:
    """Every video and image in a folder, sorted. Raises SourceError where there is none."""
    if not data.is_dir():
        raise SourceError(f"no folder {data}; give one with .mp4, .jpg or .png files")
    paths = files_in(data)
    if not paths:
        raise SourceError(f"{data} holds no video or image; give a folder with .mp4, .jpg or .png files")
    return paths


def _frames(path: Path, most: int | None) -> Iterator[tuple[int, np.ndarray]]:
    """Index and RGB array of a file's frames, evenly spread where there are more than `most`."""
    if not path.is_file():
        raise SourceError(f"no file {path}; give a video, or a folder of videos and images")
    if is_video(path):
        yield from _video_frames(path, most)
        return
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        raise SourceError(f"{path} is neither a video nor an image by its name; give one that ends in {known}")
    import cv2

    image = cv2.imread(str(path))
    if image is None:
        raise SourceError(f"{path} is not an image that can be read; give JPEG or PNG, or take it out of the folder")
    yield 0, np.ascontiguousarray(image[:, :, ::-1])


def _video_frames(path: Path, most: int | None) -> Iterator[tuple[int, np.ndarray]]:
    import av

    index = -1
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise SourceError(f"{path} holds no pictures; give a video, or take it out of the folder")
            every = 1 if most is None else max(1, math.ceil(_length(path) / most))
            for index, picture in enumerate(container.decode(video=0)):
                if index % every == 0:
                    yield index, _upright(picture)
    except av.error.FFmpegError as error:
        if index < 0:  # a file cut short still has the frames before the cut
            raise SourceError(
                f"{path} is not a video that can be read ({error.strerror}); give one that plays, or take it away"
            ) from error


def _length(path: Path) -> int:
    """Frames in the video, about, by its packets: what a browser records does not say how long it is."""
    import av

    count = 0
    with av.open(str(path)) as container, suppress(av.error.FFmpegError):  # the end of a file cut short
        for packet in container.demux(video=0):
            count += packet.size > 0
    return count


def _upright(picture: Any) -> np.ndarray:
    rgb: np.ndarray = picture.to_ndarray(format="rgb24")
    if (turn := display_matrix(picture)) is not None:
        rgb = upright(rgb, turn)
    return np.ascontiguousarray(rgb)


def _lessons(teacher: Teacher, rgb: np.ndarray) -> list[Lesson]:
    """The teacher's faces; a tight crop where it finds none is padded by a third and doubled in size."""
    found = teacher(rgb)
    if found or max(rgb.shape[:2]) > 400:
        return found
    import cv2

    pad = max(rgb.shape[:2]) // 3
    wide = cv2.copyMakeBorder(rgb, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    wide = cv2.resize(wide, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return [Lesson((lesson.landmarks_px / 2 - [pad, pad, 0]).astype(np.float32), lesson.scores)
            for lesson in teacher(wide)]  # fmt: skip


def label_file(path: Path, teacher: Teacher, most: int | None = None) -> Labelled:
    """Every face the teacher finds in one video or image, with patches; of a video at most about `most` frames, evenly
    spread. Raises SourceError when it cannot be read."""
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, int, np.ndarray]] = []
    for index, rgb in _frames(path, most):
        for lesson in _lessons(teacher, rgb):
            patch, origin = patch_around(rgb, lesson.landmarks_px)
            shifted = (lesson.landmarks_px - [*origin[:2], 0]) / origin[2]
            rows.append((patch, shifted.astype(np.float32), lesson.scores, index, origin))
    if not rows:
        return Labelled(
            np.zeros((0, PATCH_PX, PATCH_PX, 3), np.uint8), np.zeros((0, 478, 3), np.float32),
            np.zeros((0, 52), np.float32), np.zeros(0, np.int32), np.zeros((0, 3), np.float32),
        )  # fmt: skip
    patches, landmarks, scores, frames, origins = (np.array(column) for column in zip(*rows, strict=True))
    return Labelled(patches, landmarks, scores, frames.astype(np.int32), origins)


def save(done: Labelled, path: Path, source: str, teacher: str) -> None:
    """Write the answers for one file, whole or not at all, with the digests of that file and of who answered."""
    columns = {name: getattr(done, name) for name in Labelled.__slots__}
    with whole(path) as part, part.open("wb") as stream:
        np.savez(stream, **columns, source=np.array(source), teacher=np.array(teacher))


def mesh_px(label: Path) -> np.ndarray:
    """float [F, 478, 2]: the landmarks of a file's label in the file's own pixels. Raises AssetError where damaged."""
    done = archive.read(label, REMEDY, ("landmarks", "origin"))
    mesh: np.ndarray = done["landmarks"][:, :, :2] * done["origin"][:, None, 2:] + done["origin"][:, None, :2]
    return mesh


_teacher: Teacher | None = None


def _work(path: Path, out: Path, teacher_path: Path, teacher: str, max_faces: int) -> int:
    """One file in a worker process, whose teacher lives as long as the process."""
    global _teacher
    if _teacher is None:
        _teacher = Teacher(teacher_path, max_faces)
    source = digest(path)
    done = label_file(path, _teacher)
    save(done, out, source, teacher)
    return len(done.frame)


def label(
    data: Path, teacher_path: Path, cache: Path, *, workers: int = 2, max_faces: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> int:  # fmt: skip
    """Label every video and image under `data` into `cache`, keeping what is there for the same file and teacher;
    returns the faces newly found.

    `progress(done, total, faces)` is called after each file. Raises SourceError for a folder with nothing to label or
    a file that cannot be read, OutputError where the cache cannot be written; called again it goes on.
    """
    paths, shelf = files_under(data), Shelf(data, cache)
    Teacher(teacher_path).close()  # a wrong file fails here, once, instead of in every worker
    teacher = digest(teacher_path)
    todo = [(path, shelf.place(path)) for path in paths if shelf.find(path, teacher) is None]
    faces, done = 0, len(paths) - len(todo)
    work = partial(_work, teacher_path=teacher_path, teacher=teacher, max_faces=max_faces)
    with ProcessPoolExecutor(workers, initializer=lifeline.hold) as pool:
        try:
            for future in as_completed([pool.submit(work, *job) for job in todo]):
                faces += future.result()
                done += 1
                if progress:
                    progress(done, len(paths), faces)
        except BrokenProcessPool as error:
            raise BackendUnavailable(
                "a labelling process was killed, perhaps for want of memory; run the command again, which goes on "
                "where it stopped, with fewer --workers"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what is not begun would otherwise be done before anyone hears of it
            raise
    return faces

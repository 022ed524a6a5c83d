"""The teacher's answers on files, computed once and kept in a cache of `.npz`, since they cost minutes.

Given a video or an image it returns what the peer finds in every frame. An entry's name holds a hash of the file, of
the model and of how it was asked, so a changed clip or model is asked again. It does not know what is measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from tracker.bench.peers import NEEDS_EXTRA, Answer, Landmarker, contiguous_rgb
from tracker.distill.archive import read
from tracker.distill.shelf import IMAGE_SUFFIXES
from tracker.distill.whole import whole
from tracker.errors import BackendUnavailable, SourceError


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The peer's answers for one file: F faces in N frames."""

    frames: int
    """N, frames decoded."""
    frame: np.ndarray
    """int32 [F]: index of the frame each face is in, ascending."""
    landmarks_px: np.ndarray
    """float32 [F, 478, 3]."""
    scores: np.ndarray
    """float32 [F, 52]."""
    rotation: np.ndarray
    """float32 [F, 3, 3]: cam_from_head, OpenCV axes."""

    def of(self, index: int) -> np.ndarray:
        """The rows of the faces in frame `index`."""
        return np.flatnonzero(self.frame == index)


def read_image(path: Path) -> np.ndarray:
    """uint8 [H, W, 3] RGB, contiguous. Raises SourceError when it cannot be read."""
    import cv2

    image = cv2.imread(str(path))
    if image is None:
        raise SourceError(f"{path} is not an image that can be read; give JPEG or PNG")
    return np.ascontiguousarray(image[:, :, ::-1])


def timed_frames(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Every frame of a video or image as upright RGB, with its time in milliseconds."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        yield read_image(path), 0
        return
    import av

    try:
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                seconds = frame.time if frame.time is not None else index / 30
                yield contiguous_rgb(frame), round(seconds * 1000)
    except (av.FFmpegError, IndexError) as error:  # IndexError: sound alone
        raise SourceError(f"{path} is not a video that can be read ({error})") from error


def _pack(rows: list[tuple[int, Answer]], frames: int) -> Answers:
    def stack(values: list[np.ndarray], *shape: int) -> np.ndarray:
        return np.array(values, np.float32).reshape(-1, *shape)

    return Answers(
        frames,
        np.array([index for index, _ in rows], np.int32),
        stack([answer.landmarks_px for _, answer in rows], 478, 3),
        stack([answer.scores for _, answer in rows], 52),
        stack([answer.rotation for _, answer in rows], 3, 3),
    )


def ask(path: Path, landmarker: Landmarker) -> Answers:
    """The peer's answers on every frame of `path`, in order."""
    rows: list[tuple[int, Answer]] = []
    frames, last_ms = 0, -1
    for index, (rgb, time_ms) in enumerate(timed_frames(path)):
        last_ms = max(time_ms, last_ms + 1)  # VIDEO mode refuses a stamp that does not grow
        rows.extend((index, answer) for answer in landmarker(rgb, last_ms))
        frames = index + 1
    return _pack(rows, frames)


def _hash(path: Path) -> str:
    if not path.is_file():
        raise SourceError(f"no file at {path}; give a video, an image or a face_landmarker.task that is there")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _peer_version() -> str:
    try:
        return metadata.version("mediapipe")
    except metadata.PackageNotFoundError as error:
        raise BackendUnavailable(NEEDS_EXTRA) from error


class Oracle:
    """Answers from the cache where they are, from the model where they are not.

    The model is opened at the first file the cache lacks; a VIDEO-mode model is opened anew for each file, since it
    remembers. `cache=None` keeps nothing.
    """

    def __init__(
        self, teacher: str | Path, cache: str | Path | None = None, *, video: bool = False, max_faces: int = 1
    ) -> None:
        self._teacher = Path(teacher)
        self._cache = None if cache is None else Path(cache)
        self._video = video
        self._max_faces = max_faces
        self._landmarker: Landmarker | None = None
        self._key: str | None = None

    def __call__(self, path: Path) -> Answers:
        """What the peer finds in the file. Raises SourceError, AssetError, BackendUnavailable or OutputError."""
        if self._cache is None:
            return self._ask(path)
        entry = self._cache / path.parent.name / f"{path.stem}-{self._name_of(path)}.npz"
        if entry.is_file():
            frames, *rest = read(entry, "delete it, and it is asked again", Answers.__slots__).values()
            return Answers(int(frames), *rest)
        answers = self._ask(path)
        with whole(entry) as part, part.open("wb") as stream:
            np.savez_compressed(stream, **{name: getattr(answers, name) for name in Answers.__slots__})
        return answers

    def _name_of(self, path: Path) -> str:
        if self._key is None:
            mode = "video" if self._video else "image"
            self._key = f"{_hash(self._teacher)} {mode} {self._max_faces} mediapipe {_peer_version()}"
        return hashlib.sha256(f"{_hash(path)} {self._key}".encode()).hexdigest()[:16]

    def _ask(self, path: Path) -> Answers:
        if self._landmarker is None or self._video:
            self.close()
            self._landmarker = Landmarker(self._teacher, video=self._video, max_faces=self._max_faces)
        return ask(path, self._landmarker)

    def close(self) -> None:
        """Free the model, if one was opened."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

"""All labelled faces as one set of arrays, split by person.

Given the label cache and the manifest it packs every patch, landmark and score into memory-mapped arrays beside the
cache, with who is shown and from which clip; a person is wholly in the training or wholly in the validation part. It
knows nothing of networks or models.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.distill.label import PATCH_PX
from tracker.errors import SourceError

KINDS = ("clips", "images", "aflw")
VALIDATION_SHARE = 0.06
# Where people set points on the same crop, the teacher is believed only this close to them (share of the box).
AFLW_TRUST = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """N labelled faces."""

    patches: np.ndarray
    """uint8 [N, 224, 224, 3] RGB, memory-mapped or in memory."""
    landmarks: np.ndarray
    """float32 [N, 478, 3] in patch pixels."""
    scores: np.ndarray
    """float32 [N, 52], ARKit order."""
    person: np.ndarray
    """int32 [N]: the same number is the same person."""
    clip: np.ndarray
    """int32 [N]: the same number is the same clip or image."""
    kind: np.ndarray
    """int8 [N]: index into `KINDS`."""
    validation: np.ndarray
    """bool [N]: by person, never trained on."""
    open_licence: np.ndarray
    """bool [N]: nothing but an open licence is named for the file."""

    def __len__(self) -> int:
        return len(self.person)


def _manifest(data: Path) -> dict[str, tuple[str, bool]]:
    path = data / "manifest.csv"
    if not path.is_file():
        return {}
    with path.open(newline="") as stream:
        return {row["file"]: (row["identity"], row["open"] == "1") for row in csv.DictReader(stream)}


def _is_validation(person: str) -> bool:
    return int(hashlib.sha256(person.encode()).hexdigest()[:8], 16) / 2**32 < VALIDATION_SHARE


def _aflw_trusted(stem: str, done: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> np.ndarray:
    """bool [F]: does the teacher agree with the points people set (eye corners, nose tip, mouth corners, chin)?"""
    points = truth.get(stem)
    if points is None:
        return np.zeros(len(done["frame"]), bool)
    index = AFLW_TO_MESH
    keep = []
    for landmarks, origin in zip(done["landmarks"], done["origin"], strict=True):
        mesh = landmarks[:, :2] * origin[2] + origin[:2]
        error = np.linalg.norm(mesh[[m for _, m in index]] - points[[a for a, _ in index]], axis=1)
        box = float(np.ptp(mesh, axis=0).max())
        keep.append(bool(np.nanmean(error) < AFLW_TRUST * box))
    return np.array(keep, bool)


# AFLW's points by side of the image, as mesh vertices of the subject's right (image left) and left.
AFLW_TO_MESH = ((6, 33), (8, 133), (9, 362), (11, 263), (14, 4), (17, 61), (19, 291), (20, 152))


def aflw_truth(data: Path) -> dict[str, np.ndarray]:
    """Image stem -> float32 [21, 2] in crop pixels, NaN where not visible."""
    path = data / "train/aflw_crops/truth.npz"
    if not path.is_file():
        return {}
    with np.load(path) as truth:
        names = [Path(str(name)).stem for name in truth["image"]]
        points = np.where(truth["visible"][:, :, None], truth["points_21_px"], np.nan).astype(np.float32)
    return dict(zip(names, points, strict=True))


def pack(cache: Path, data: Path) -> Corpus:
    """Gather `cache/labels` into `cache/corpus` and open it. Raises SourceError when nothing is labelled."""
    files = [(kind, path) for kind in KINDS for path in sorted((cache / "labels" / kind).rglob("*.npz"))]
    if not files:
        raise SourceError(f"{cache} holds no labels; run `facewire distill label` first")
    manifest, truth = _manifest(data), aflw_truth(data)
    out = cache / "corpus"
    out.mkdir(parents=True, exist_ok=True)
    folder = {"clips": "clips", "images": "images", "aflw": "aflw_crops"}
    people: dict[str, int] = {}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in Corpus.__slots__ if name != "patches"}
    with (out / "patches.raw").open("wb") as stream:
        for number, (kind, path) in enumerate(files):
            with np.load(path) as archive:
                done = {name: archive[name] for name in archive}
            keep = np.ones(len(done["frame"]), bool)
            if kind == "aflw":
                keep = _aflw_trusted(path.stem, done, truth)
            count = int(keep.sum())
            suffix = ".mp4" if kind == "clips" else ".jpg"
            name, free = manifest.get(f"train/{folder[kind]}/{path.stem}{suffix}", (path.stem, False))
            name = name or path.stem
            stream.write(done["patches"][keep].tobytes())
            rows["landmarks"].append(done["landmarks"][keep])
            rows["scores"].append(done["scores"][keep])
            for key, value, kind_of in (
                ("person", people.setdefault(name, len(people)), np.int32), ("clip", number, np.int32),
                ("kind", KINDS.index(kind), np.int8), ("validation", _is_validation(name), bool),
                ("open_licence", free, bool),
            ):  # fmt: skip
                rows[key].append(np.full(count, value, kind_of))
    columns: dict[str, Any] = {name: np.concatenate(parts) for name, parts in rows.items()}
    np.savez(out / "labels.npz", **columns)
    return load(cache, in_memory=False)


def load(cache: Path, *, open_only: bool = False, in_memory: bool = True) -> Corpus:
    """Open a packed corpus, whole or only its openly licensed rows. Raises SourceError when there is none."""
    out = cache / "corpus"
    if not (out / "labels.npz").is_file():
        raise SourceError(f"{out} holds no corpus; run `facewire distill label` first")
    with np.load(out / "labels.npz") as archive:
        labels = {name: archive[name] for name in archive}
    patches = np.memmap(out / "patches.raw", np.uint8, "r").reshape(-1, PATCH_PX, PATCH_PX, 3)
    if open_only:
        keep = labels["open_licence"]
        return Corpus(patches=patches[keep], **{name: column[keep] for name, column in labels.items()})
    # Random reads of a mapped file cost ten times the crop itself.
    return Corpus(patches=np.array(patches) if in_memory else patches, **labels)

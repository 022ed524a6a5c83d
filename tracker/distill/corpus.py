"""All labelled faces as one set of arrays, split by person.

Given the label cache and the manifest it packs every patch, landmark and score into memory-mapped arrays beside the
cache, with who is shown and from which clip; a person is wholly in the training or wholly in the validation part. It
knows nothing of networks or models.
"""

from __future__ import annotations

import csv
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.distill import archive
from tracker.distill.apart import shown_in_eval
from tracker.distill.label import PATCH_PX, REMEDY, Labelled
from tracker.distill.shelf import FOLDERS, Shelf, taught
from tracker.distill.whole import whole
from tracker.errors import AssetError, SourceError

KINDS = tuple(FOLDERS)
TURNED, SYNTHETIC = 3, 4
SHARDS = {TURNED: "turned", SYNTHETIC: "synthetic"}
"""Kinds that are made rather than labelled, each in a folder of its own beside the corpus."""
STEPS = {"corpus": "label", "turned": "turn", "synthetic": "synthesize"}
"""Which step makes a folder of the cache."""
TRUTH_REMEDY = "put the file that came with the crops back"
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
    """bool [N]: nothing but an open licence is named for the file, or it is the user's own; see `People`."""

    def __len__(self) -> int:
        return len(self.person)


def listed(path: Path) -> list[dict[str, str]]:
    """The rows of a manifest. Raises SourceError for one that lists no files, or is not UTF-8."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets put a mark before UTF-8
            table = csv.DictReader(stream)
            columns, rows = table.fieldnames or (), list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is no table ({error}); save it as CSV in UTF-8, or take it away") from error
    if "file" not in columns:
        raise SourceError(
            f"{path} has no column file; give one with file, identity and open, by commas, or take it away"
        )
    return rows


class People:
    """Who is shown in a file, and whether it may be used openly, as DATA/manifest.csv has it.

    What no manifest lists is the user's own: open, and of a person of its own. Crops of AFLW are research material all
    the same.
    """

    def __init__(self, data: Path) -> None:
        """Raises SourceError for a manifest that lists no files, or is not UTF-8."""
        self._data, path = data, data / "manifest.csv"
        self._rows: dict[str, dict[str, str]] = {}
        if path.is_file():
            self._rows = {row["file"]: row for row in listed(path)}

    def _row(self, path: Path) -> dict[str, str] | None:
        return self._rows.get(path.relative_to(self._data).as_posix())

    def name(self, path: Path) -> str:
        """The same for all files of one person."""
        row = self._row(path)
        return path.relative_to(taught(self._data)).as_posix() if row is None else row.get("identity") or path.stem

    def open(self, path: Path, kind: str) -> bool:
        """May the file, of one of `KINDS`, teach an open student?"""
        row = self._row(path)
        return kind != "aflw" if row is None else row.get("open") == "1"


def is_validation(person: str) -> bool:
    """Is this person kept aside? The same answer wherever it is asked."""
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
    """Image stem -> float32 [21, 2] in crop pixels, NaN where not visible; without crops that show what judges.

    Raises AssetError for a damaged file.
    """
    path = taught(data) / "aflw_crops/truth.npz"
    if not path.is_file():
        return {}
    truth = archive.read(path, TRUTH_REMEDY, ("image", "visible", "points_21_px"))
    names = [Path(str(name)).stem for name in truth["image"]]
    points = np.where(truth["visible"][:, :, None], truth["points_21_px"], np.nan).astype(np.float32)
    judging = shown_in_eval(data)
    return {name: own for name, own in zip(names, points, strict=True) if f"aflw_crops/{name}.jpg" not in judging}


def aflw_held_out(data: Path) -> set[str]:
    """Stems of the AFLW crops that show people kept for validation."""
    people, folder = People(data), taught(data) / FOLDERS["aflw"]
    return {stem for stem in aflw_truth(data) if is_validation(people.name(folder / f"{stem}.jpg"))}


def pack(cache: Path, data: Path) -> Corpus:
    """Gather what is labelled of `data` into `cache/corpus` and open it. Raises SourceError when nothing is."""
    shelves = [(kind, Shelf.of(data, cache, kind)) for kind in KINDS]
    files = [(kind, path, label) for kind, shelf in shelves for path in shelf.files if (label := shelf.find(path))]
    if not files:
        raise SourceError(f"{cache} holds no labels of {data}; run `facewire distill label` first")
    who, truth, judging = People(data), aflw_truth(data), shown_in_eval(data)
    out = cache / "corpus"
    people: dict[str, int] = {}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in Corpus.__slots__ if name != "patches"}
    with whole(out / "patches.raw") as part, part.open("wb") as stream:
        for number, (kind, path, label) in enumerate(files):
            if f"{FOLDERS[kind]}/{path.name}" in judging:
                continue
            done = archive.read(label, REMEDY, Labelled.__slots__)
            keep = np.ones(len(done["frame"]), bool)
            if kind == "aflw":
                keep = _aflw_trusted(path.stem, done, truth)
            count, name = int(keep.sum()), who.name(path)
            stream.write(done["patches"][keep].tobytes())
            rows["landmarks"].append(done["landmarks"][keep])
            rows["scores"].append(done["scores"][keep])
            for key, value, kind_of in (
                ("person", people.setdefault(name, len(people)), np.int32), ("clip", number, np.int32),
                ("kind", KINDS.index(kind), np.int8), ("validation", is_validation(name), bool),
                ("open_licence", who.open(path, kind), bool),
            ):  # fmt: skip
                rows[key].append(np.full(count, value, kind_of))
        columns: dict[str, Any] = {name: np.concatenate(parts) for name, parts in rows.items()}
        if not len(columns["person"]):
            raise SourceError(f"the teacher found no face in the {len(files)} labelled files; give clips that show one")
        # Old labels must not meet new patches, should this end here.
        (out / "labels.npz").unlink(missing_ok=True)
    with whole(out / "labels.npz") as part, part.open("wb") as stream:
        np.savez(stream, **columns)
    return load(cache, in_memory=False)


def load(cache: Path, *, open_only: bool = False, in_memory: bool = True, made: bool = False) -> Corpus:
    """Open a packed corpus, whole or only its openly licensed rows; with `made`, the turned and the synthetic faces
    that are there, too. Raises SourceError when there is none."""
    folders = [cache / "corpus", *([cache / name for name in SHARDS.values()] if made else [])]
    if not (folders[0] / "labels.npz").is_file():
        raise SourceError(f"{folders[0]} holds no corpus; run `facewire distill label` first")
    opened = [_open(folder, open_only) for folder in folders if (folder / "labels.npz").is_file()]
    parts = [part for part in opened if len(part)]
    if not parts:
        raise SourceError(
            f"{cache} holds no face under an open licence; see the column open of the data's manifest.csv"
        )
    if len(parts) == 1 and not in_memory:
        return parts[0]
    # Random reads of a mapped file cost ten times the crop itself.
    patches = np.empty((sum(map(len, parts)), PATCH_PX, PATCH_PX, 3), np.uint8)
    start, clips, people = 0, 0, 0
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Corpus.__slots__ if name != "patches"}
    for part in parts:
        patches[start : start + len(part)] = part.patches
        start += len(part)
        for name, column in columns.items():
            # Each folder numbers its clips and people from zero.
            column.append(_renumbered(getattr(part, name), {"clip": clips, "person": people}.get(name, 0)))
        clips, people = clips + int(part.clip.max()) + 1, people + int(part.person.max()) + 1
    return Corpus(patches=patches, **{name: np.concatenate(column) for name, column in columns.items()})


def digest_of(corpus: Corpus) -> str:
    """Eight hex digits of which faces these are, and of whom."""
    crc = 0
    for column in (corpus.landmarks, corpus.person, corpus.validation):
        crc = zlib.crc32(np.ascontiguousarray(column).data, crc)
    return f"{crc:08x}"


def _renumbered(column: np.ndarray, by: int) -> np.ndarray:
    return column + column.dtype.type(by) if by else column


def _open(folder: Path, open_only: bool) -> Corpus:
    step = STEPS[folder.name]
    anew = "run" if step == "label" else f"delete {folder} and run"
    remedy = f"{anew} `facewire distill {step}` again, which makes it anew"
    labels = archive.read(folder / "labels.npz", remedy, [name for name in Corpus.__slots__ if name != "patches"])
    try:
        patches = np.memmap(folder / "patches.raw", np.uint8, "r").reshape(-1, PATCH_PX, PATCH_PX, 3)
        if len(patches) < len(labels["person"]):
            raise ValueError(f"{len(patches)} faces, but {len(labels['person'])} are labelled")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise AssetError(f"{folder / 'patches.raw'} is damaged ({reason}); {remedy}") from error
    patches = patches[: len(labels["person"])]
    if open_only:
        keep = labels["open_licence"]
        return Corpus(patches=patches[keep], **{name: column[keep] for name, column in labels.items()})
    return Corpus(patches=patches, **labels)

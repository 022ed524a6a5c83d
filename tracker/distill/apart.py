"""Training files that show a picture which judges the student.

Public sets hold some photographs more than once: a crop of AFLW can be a picture of AFLW2000-3D, and so can a sample
picture of some repository, though no file is in both. Given the data folder it names those. Crops of single faces are
compared as faces, by points that people set; other stills as whole pictures, so that a part cut out of one passes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from tracker.distill.copies import BITS, PATCH_PX, SAME_BITS, bits_apart, copies, framed, picture_hash
from tracker.distill.shelf import taught

AFLW_POINTS, POINTS_68 = (14, 20), (30, 8)
"""Nose tip, chin."""


@cache
def shown_in_eval(data: Path) -> frozenset[str]:
    """Files of `train/aflw_crops` and `train/images`, such as "images/x.jpg", that show a picture of `eval/aflw2000` or
    `eval/w300`; none where those are absent. A crop that hides nose tip or chin (one in twenty) is not looked at.

    Takes 15 s of one core, once per process.
    """
    judges = eval_faces(data / "eval")
    if not len(judges):
        return frozenset()
    names, crops = _aflw_faces(taught(data) / "aflw_crops")
    found = {f"aflw_crops/{name}" for name, same in zip(names, copies(crops, judges), strict=True) if same}
    theirs = whole_pictures([path for part in ("aflw2000", "w300") for path in (data / "eval" / part).glob("*.jpg")])[1]
    paths, ours = whole_pictures(sorted((taught(data) / "images").glob("*.jpg")))
    if len(paths) and len(theirs):
        same = bits_apart(ours, theirs).min(1) <= SAME_BITS
        found |= {f"images/{path.name}" for path, copied in zip(paths, same, strict=True) if copied}
    return frozenset(found)


def whole_pictures(paths: list[Path]) -> tuple[list[Path], np.ndarray]:
    """Those images that show anything, and their hashes bool [N, BITS]; decoded at a quarter of their size."""
    import cv2

    read = ((path, cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_4)) for path in paths)
    shown = [(path, picture_hash(grey)) for path, grey in read if grey is not None and grey.std() > FLAT]
    return [path for path, _ in shown], np.array([bits for _, bits in shown], bool).reshape(-1, BITS)


FLAT = 8.0
"""Grey levels: a black picture shows nothing that could be known again."""


def eval_faces(folder: Path) -> np.ndarray:
    """The faces of AFLW2000-3D and 300-W in `folder`, framed: uint8 [M, PATCH_PX, PATCH_PX]."""
    parts = [np.empty((0, PATCH_PX, PATCH_PX), np.uint8)]
    for path in (folder / "aflw2000", folder / "w300"):
        if (path / "truth.npz").is_file():
            with np.load(path / "truth.npz") as truth:
                points = truth["points_68_px"].astype(float)
                paths = [path / str(name) for name in truth["image"]]
            points = points[:, :2].transpose(0, 2, 1) if points.shape[1] == 3 else points
            parts.append(_framed(paths, points[:, POINTS_68]))
    return np.concatenate(parts)


def _aflw_faces(folder: Path) -> tuple[list[str], np.ndarray]:
    """File names and framed faces."""
    if not (folder / "truth.npz").is_file():
        return [], _framed([], np.empty((0, 2, 2)))
    with np.load(folder / "truth.npz") as truth:
        seen = truth["visible"][:, AFLW_POINTS].all(1)
        names = [Path(str(name)).name for name in truth["image"][seen]]
        points = truth["points_21_px"][seen][:, AFLW_POINTS].astype(float)
    return names, _framed([folder / name for name in names], points)


def _framed(paths: list[Path], points: np.ndarray) -> np.ndarray:
    """What cannot be read stays blank, which is like nothing."""
    import cv2

    patches = np.zeros((len(paths), PATCH_PX, PATCH_PX), np.uint8)
    for patch, path, ends in zip(patches, paths, points, strict=True):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            patch[:] = framed(picture, *ends)
    return patches

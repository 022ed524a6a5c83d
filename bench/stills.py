"""Accuracy on single images with 68 points of truth: AFLW2000-3D and 300-W.

Given, per image, the faces one side finds and the truth, it takes the face nearest to the truth and sums up the error,
the misses and the pose. The same code scores ours and the peer; it does not know which is which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.bench.metrics import (
    MISS_ABOVE,
    box_scale_px,
    interocular_68_px,
    mean,
    mean_distance_px,
    pitch_yaw_roll_deg,
    points_68,
    rotation_from_pitch_yaw_roll,
    wrapped_deg,
)
from tracker.errors import SourceError
from tracker.face.pose import geodesic_rad

SUITES = ("aflw2000", "w300")
YAW_BINS_DEG = ((0, 30), (30, 60), (60, 90))
# The field leaves out the pose of images with an angle above this: their truth is not to be trusted.
POSE_UP_TO_DEG = 99.0


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One folder of images with their truth. N images."""

    images: tuple[Path, ...]
    points_px: np.ndarray
    """float64 [N, 68, 2]."""
    scale_px: np.ndarray
    """float64 [N]: what an image's error is divided by."""
    pitch_yaw_roll_deg: np.ndarray
    """float64 [N, 3]; NaN where there is no pose, or none to be trusted."""
    yaw_deg: np.ndarray
    """float64 [N], for the bins; NaN without pose."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one side made of every image."""

    error: np.ndarray
    """float64 [N]: mean distance over 68 points by the scale; NaN where missed."""
    pitch_yaw_roll_deg: np.ndarray
    """float64 [N, 3], NaN where missed."""
    geodesic_deg: np.ndarray
    """float64 [N]: angle between the found and the true rotation, NaN where missed or without truth."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Errors of the head's rotation in degrees, over `count` faces; each triple is pitch, yaw, roll."""

    count: int
    mean_absolute: tuple[float, float, float]
    median_offset: tuple[float, float, float]
    """What the two conventions of a straight head differ by, signed."""
    without_offset: tuple[float, float, float]
    geodesic: float


@dataclass(frozen=True, slots=True)
class StillsRow:
    """One side on one suite."""

    who: str
    images: int
    misses: int
    nme_found: float
    """Over all this side found."""
    nme_both: float
    """Over the images both sides found."""
    both: int
    by_yaw: tuple[tuple[int, float], ...]
    """Per bin of `YAW_BINS_DEG`: faces this side found, and their NME; empty without pose."""
    pose: Pose | None
    """Over the faces both sides found; None where the suite has no pose."""


def read_truth(folder: Path, suite: str, limit: int | None = None) -> Truth:
    """The images and truth of `folder`. Raises SourceError without a `truth.npz`."""
    path = folder / "truth.npz"
    if not path.is_file():
        raise SourceError(f"no truth.npz in {folder}; give the folder that holds the {suite} images and their truth")
    with np.load(path) as archive:
        images = tuple(folder / str(name) for name in archive["image"][:limit])
        points = archive["points_68_px"][:limit].astype(np.float64)
        angles = np.full((len(images), 3), np.nan)
        if suite == "aflw2000":
            points = points.transpose(0, 2, 1)
            angles = archive["pitch_yaw_roll_deg"][:limit].astype(np.float64)
    scale_of = box_scale_px if suite == "aflw2000" else interocular_68_px
    trusted = (np.abs(angles) <= POSE_UP_TO_DEG).all(1)
    return Truth(
        images, points[:, :, :2], np.array([scale_of(p) for p in points]),
        np.where(trusted[:, None], angles, np.nan), angles[:, 1],
    )  # fmt: skip


def score_side(truth: Truth, faces: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]) -> Side:
    """Per image the (landmarks [478, 2 or 3], cam_from_head [3, 3]) of each face found; the nearest counts."""
    count = len(truth.images)
    error, geodesic, angles = np.full(count, np.nan), np.full(count, np.nan), np.full((count, 3), np.nan)
    for index, found in enumerate(faces):
        scored = [
            (mean_distance_px(points_68(mesh), truth.points_px[index]) / truth.scale_px[index], rotation)
            for mesh, rotation in found
        ]
        best, rotation = min(scored, key=lambda pair: pair[0], default=(np.inf, np.eye(3)))
        if best > MISS_ABOVE:
            continue
        error[index], angles[index] = best, pitch_yaw_roll_deg(rotation)
        true_angles = truth.pitch_yaw_roll_deg[index]
        if np.isfinite(true_angles).all():
            geodesic[index] = np.degrees(geodesic_rad(rotation, rotation_from_pitch_yaw_roll(true_angles)))
    return Side(error, angles, geodesic)


def _pose(truth: Truth, side: Side, chosen: np.ndarray) -> Pose | None:
    chosen = chosen & np.isfinite(truth.pitch_yaw_roll_deg).all(1)
    if not chosen.any():
        return None
    difference = wrapped_deg(side.pitch_yaw_roll_deg[chosen] - truth.pitch_yaw_roll_deg[chosen])
    offset = np.median(difference, axis=0)

    def triple(values: np.ndarray) -> tuple[float, float, float]:
        return float(values[0]), float(values[1]), float(values[2])

    return Pose(
        int(chosen.sum()), triple(np.abs(difference).mean(0)), triple(offset),
        triple(np.abs(wrapped_deg(difference - offset)).mean(0)), float(side.geodesic_deg[chosen].mean()),
    )  # fmt: skip


def summarise(who: str, truth: Truth, side: Side, other: Side) -> StillsRow:
    """One row: this side's errors, also over what the other side found too."""
    found = np.isfinite(side.error)
    both = found & np.isfinite(other.error)
    yaw = np.abs(truth.yaw_deg)
    bins = []
    for low, high in YAW_BINS_DEG if np.isfinite(yaw).any() else ():
        inside = found & (yaw >= low if low == 0 else yaw > low) & (yaw <= high)
        bins.append((int(inside.sum()), mean(side.error[inside])))
    return StillsRow(
        who, len(truth.images), int((~found).sum()), mean(side.error[found]), mean(side.error[both]),
        int(both.sum()), tuple(bins), _pose(truth, side, both),
    )  # fmt: skip

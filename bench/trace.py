"""What was seen of one face over time, and what a filter makes of it.

Given the raw fits of a run it keeps them as arrays, frame by frame, so that any number of filters can be run over the
same measurements. It does not know where the frames came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.pipeline import Pipeline
from tracker.smooth import SmoothSettings
from tracker.smooth.estimate import Estimator
from tracker.source import frame_from_image

FEWEST_SHARE = 0.9
"""Of the frames: a face that is seen in fewer was lost on the way."""
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One raw fit: what `tracker.smooth.track_filter.Measured` asks for."""

    expression: np.ndarray
    expression_std: np.ndarray
    rotation: np.ndarray
    rotation_std_rad: float
    center_px: np.ndarray
    centre_std_px: float
    scale_px_per_mm: float
    log_scale_std: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """N frames of one face: raw, or filtered."""

    seconds: np.ndarray
    """float64 [N]."""
    expression: np.ndarray
    """float32 [N, 52]."""
    rotation: np.ndarray
    """float64 [N, 3, 3]."""
    center_px: np.ndarray
    """float64 [N, 2]."""
    scale_px_per_mm: np.ndarray
    """float64 [N]."""
    identity: np.ndarray
    """float32 [I]: the track's, at the end."""
    samples: tuple[Sample, ...] = ()
    """The raw fits with their deviations; none where filtered."""

    def landmarks_px(self, estimator: Estimator) -> np.ndarray:
        """float64 [N, 478, 2]."""
        rows = zip(self.expression, self.rotation, self.center_px, self.scale_px_per_mm, strict=True)
        return np.array([
            # The estimator writes all into one buffer.
            np.array(estimator.landmarks(self.identity, e.astype(np.float32), r, c, float(s))[:, :2])
            for e, r, c, s in rows
        ], np.float64)  # fmt: skip


def an_estimator(model: FaceModel) -> Estimator:
    """What turns a trace into landmarks."""
    kernels = choose()
    return Estimator(model, kernels.morph, kernels.project, kernels.portray)


def look(pictures: Iterable[np.ndarray], seconds: np.ndarray, faces: int = 1) -> list[Trace | None]:
    """The raw fits of up to `faces` faces in pictures (uint8 [H, W, 3] RGB) at `seconds` [N], from left to right; None
    for one that was not seen in nearly all of them."""
    from tracker.detect.finder import FindSettings

    pipeline = Pipeline(FindSettings(max_faces=faces), SmoothSettings(enabled=False))
    seen: dict[int, list[tuple[int, Sample, np.ndarray]]] = {}
    for index, picture in enumerate(pictures):
        for face in pipeline.track(_timed(picture, float(seconds[index]))):
            if face.confidence > 0:
                sample = _copied(pipeline.fits[face.track_id])
                seen.setdefault(face.track_id, []).append((index, sample, face.identity))
    rows = [rows for rows in seen.values() if len(rows) >= FEWEST_SHARE * len(seconds)]
    rows.sort(key=lambda one: one[0][1].center_px[0])
    return [_trace(one, seconds) for one in rows] + [None] * (faces - len(rows))


def _timed(picture: np.ndarray, seconds: float) -> Any:
    return replace(frame_from_image(picture), pts=round(seconds / _MICROSECOND), time_base=_MICROSECOND)


def _copied(fit: Any) -> Sample:
    return Sample(
        fit.expression.copy(), fit.expression_std.copy(), fit.rotation.copy(), fit.rotation_std_rad,
        fit.center_px.copy(), fit.centre_std_px, fit.scale_px_per_mm, fit.log_scale_std,
    )  # fmt: skip


def _trace(rows: list[tuple[int, Sample, np.ndarray]], seconds: np.ndarray) -> Trace:
    samples = tuple(sample for _, sample, _ in rows)
    return Trace(
        seconds[[index for index, _, _ in rows]], np.array([one.expression for one in samples]),
        np.array([one.rotation for one in samples]), np.array([one.center_px for one in samples]),
        np.array([one.scale_px_per_mm for one in samples]), rows[-1][2], samples,
    )  # fmt: skip


def filtered(trace: Trace, estimates: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]) -> Trace:
    """The trace with other values: expression, rotation, centre and scale, frame by frame."""
    columns = list(zip(*((e.copy(), r.copy(), c.copy(), s) for e, r, c, s in estimates), strict=True))
    expression, rotation, center_px, scale = (np.array(column) for column in columns)
    return replace(
        trace, expression=expression, rotation=rotation, center_px=center_px, scale_px_per_mm=scale, samples=()
    )

"""Frames and their faces as they leave: at once, or after as many frames as the smoothing looks ahead.

Given a pipeline and frames it tracks each; where it waits, it keeps what belongs to a frame and lets later fits correct
its faces before they go on. It publishes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.face.camera import Camera
from tracker.face.parameters import Face, TrackState
from tracker.refine.fit import Fit
from tracker.smooth.ease import Ease
from tracker.smooth.estimate import Estimator
from tracker.smooth.hindsight import Hindsight, kept
from tracker.smooth.track_filter import Filtered
from tracker.source.frame import Frame

if TYPE_CHECKING:
    from tracker.pipeline import Pipeline

Tracked = tuple[Frame, Camera, Sequence[Face]]


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A frame that waits."""

    frame: Frame
    camera: Camera
    faces: tuple[Face, ...]
    """As known then."""
    seen: dict[int, tuple[Fit, Filtered, np.ndarray]]
    """Track -> what was measured, what followed and what the filter took it to do, of those that were seen."""
    leapt: frozenset[int]
    """The tracks among them of which nothing from here on says anything about before: theirs were cuts."""


def waited(pipeline: Pipeline, frames: Iterable[Frame]) -> Iterator[Tracked]:
    """Each frame with its camera and faces, in order. Without look-ahead a frame leaves before the next is asked for;
    with it, so many frames later, the last ones after the end."""
    count = pipeline.smoother.settings.look_ahead_frames
    if not count or not pipeline.smoother.settings.enabled:
        for frame in frames:
            faces = pipeline.track(frame)
            yield frame, pipeline.camera_for(frame), faces
        return
    waiting, corrector = deque[_Moment](), _Corrector(pipeline)
    for frame in frames:
        faces = pipeline.track(frame)
        waiting.append(_Moment(frame, pipeline.camera_for(frame), faces, _seen(pipeline, faces), _leapt(pipeline)))
        if len(waiting) > count:
            yield corrector(waiting.popleft(), waiting)
    while waiting:
        yield corrector(waiting.popleft(), waiting)


def _seen(pipeline: Pipeline, faces: Sequence[Face]) -> dict[int, tuple[Fit, Filtered, np.ndarray]]:
    ids = [face.track_id for face in faces if face.state in (TrackState.ACQUIRING, TrackState.TRACKING)]
    return {
        track_id: (
            _copied(pipeline.fits[track_id]), kept(pipeline.filtered[track_id]),
            pipeline.smoother.shares(track_id).copy(),
        ) for track_id in ids
    }  # fmt: skip


def _leapt(pipeline: Pipeline) -> frozenset[int]:
    return frozenset(track.track_id for track in pipeline.finder.tracks if track.leapt)


def _copied(fit: Fit) -> Fit:
    """A fit whose arrays are its own."""
    return replace(
        fit, expression=fit.expression.copy(), identity=fit.identity.copy(), expression_std=fit.expression_std.copy(),
        region_confidence=fit.region_confidence.copy(),
    )  # fmt: skip


class _Corrector:
    """Hindsight over all tracks, with an estimator of its own: the pipeline's has gone on."""

    def __init__(self, pipeline: Pipeline) -> None:
        kernels, smoother = pipeline.kernels, pipeline.smoother
        self._hindsight = Hindsight(smoother.settings, kernels.imm)
        self._estimator = Estimator(pipeline.model, kernels.morph, kernels.project, kernels.portray)
        self._calibrator, self._settings = pipeline.calibrator, smoother.settings
        self._eased: dict[int, Ease] = {}

    def __call__(self, moment: _Moment, later: Sequence[_Moment]) -> Tracked:
        """The moment with its faces corrected by what came later; one that was not seen then stays as it was."""
        faces = tuple(self._corrected(moment, face, later) for face in moment.faces)
        # Not every track that ends is said to be lost: a change of the picture's size ends all at once.
        for track_id in self._eased.keys() - {face.track_id for face in faces if face.state != TrackState.LOST}:
            self._estimator.drop(track_id)
            del self._eased[track_id]
        return moment.frame, moment.camera, faces

    def _corrected(self, moment: _Moment, face: Face, later: Sequence[_Moment]) -> Face:
        seconds, seen = moment.frame.pts_seconds, moment.seen.get(face.track_id)
        if seconds is None or seen is None:
            return face
        fit, then, shares = seen
        known: list[tuple[float, Fit]] = []
        for one in later:
            at, after = one.frame.pts_seconds, one.seen.get(face.track_id)
            if face.track_id in one.leapt:
                break
            if after is not None and at is not None and at > seconds:
                known.append((at, after[0]))
                shares = after[2]
        ease = self._eased.setdefault(face.track_id, Ease(self._settings))
        better = ease(self._hindsight(then, seconds, known, shares), shares, seconds)
        made = self._estimator(fit, better, face.identity, moment.camera, face.lighting, face.state)
        return self._calibrator(made)

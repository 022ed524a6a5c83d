"""What the pipeline asks instead of its own stages: known faces in, this frame's fits and estimates out, by the batch.

Given a frame and tracks it fills one row for each, replays the smallest graph that holds them, and keeps the answers
of those that were accepted. It keeps each track's clock, as the smoother does on the processor. Finding faces and the
state of tracks stay on the host; see `tracker.detect.finder`. A track that is not seen is carried on by a graph of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import numpy as np
import torch

from tracker.detect.finder import Track
from tracker.device.coast import Coast
from tracker.device.crop import Cropper
from tracker.device.face_frame import FaceFrame, shared_on
from tracker.device.graph import Graph, sizes_for
from tracker.device.network import Student
from tracker.device.readiness import cuda_device
from tracker.device.row import accepted, ask, coasted, face_of, fit_of, miss
from tracker.errors import AssetError
from tracker.face.camera import Camera
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.kernels.crop_roi import CropRoi
from tracker.refine.fit import Fit
from tracker.refine.sharpen import RefineSettings
from tracker.regress.outputs import WIDTH
from tracker.smooth.settings import SmoothSettings
from tracker.source.frame import Frame

NOBODY = -1


class DeviceFaces:
    """Graphs for 1, 2, 4 and so on to `slots` faces, and who is in which slot."""

    def __init__(
        self, device: torch.device, slots: int, model: FaceModel, crop_roi: CropRoi, student: str | Path | None = None,
        refine: RefineSettings = RefineSettings(), smooth: SmoothSettings = SmoothSettings(),
    ) -> None:  # fmt: skip
        """Captures every graph, which compiles on first use. Raises AssetError, BackendUnavailable."""
        shared = shared_on(device, slots, model, _student(student), refine, smooth)
        self.graphs: list[Graph[FaceFrame]] = [Graph(FaceFrame(size, shared), slots) for size in sizes_for(slots)]
        self._crop = Cropper(crop_roi, self.graphs[-1].batch, device)
        self._smooth = smooth
        self._owner = [NOBODY] * slots
        self._coast = Graph(Coast(1, shared), slots)
        self._seconds: dict[int, tuple[float, float]] = {}
        """Of each track: the time that its filters have come to, and when it was last seen."""
        self._rows: dict[int, np.ndarray] = {}

    @property
    def backends(self) -> dict[str, str]:
        """What each operator of the frame runs on."""
        return self.graphs[0].frame.operators.backends

    def reset(self) -> None:
        """Forget everybody."""
        self._owner[:] = [NOBODY] * len(self._owner)
        self._seconds.clear()
        self._rows.clear()

    def drop(self, track_id: int) -> None:
        """Forget a track that has ended; one that never was is fine."""
        self._seconds.pop(track_id, None)
        self._rows.pop(track_id, None)

    def __call__(
        self, frame: Frame, tracks: Sequence[Track], camera: Camera, least_presence: float
    ) -> dict[int, Fit]:  # fmt: skip
        """Look at each track's square; the fits of those who are there, by track id."""
        if not tracks:
            return {}
        graph = next(graph for graph in self.graphs if graph.batch >= len(tracks))
        now = frame.pts_seconds
        for row, track in zip(graph.asked, tracks, strict=False):
            fresh = self._owner[track.slot] != track.track_id
            dt, anew = self._step(track.track_id, now)
            ask(row, track.roi, camera, track.slot, (dt, fresh, anew, self._ahead(now)), least_presence)
        graph.leave_empty(len(tracks))
        graph.run(lambda into: self._crop(frame, [track.roi for track in tracks], into))
        return {
            track.track_id: self._kept(track, row.copy(), now)
            for track, row in zip(tracks, graph.answered, strict=False)
            if accepted(row)
        }

    def face_of(self, track: Track) -> Face:
        """The estimate of a track that was accepted in this frame; its arrays are its own."""
        return face_of(self._rows[track.track_id], track.track_id, track.state)

    def coast(self, track: Track, camera: Camera, now_seconds: float) -> Face:
        """What is likely of a track that is not seen now: it moves on as it did, ever less surely."""
        last = self._rows[track.track_id]
        miss(self._coast.asked[0], last, camera, track.slot, self._missed(track.track_id, now_seconds))
        self._coast.run()
        return face_of(coasted(last, self._coast.answered[0]), track.track_id, track.state)

    def _missed(self, track_id: int, now: float) -> tuple[float, float]:
        """The step and how far ahead, as `smooth.track_filter` has them for a moment without a look."""
        known = self._seconds.get(track_id)
        if known is None or not self._timed(now):
            return 0.0, 0.0
        come_to, seen = known
        self._seconds[track_id] = max(come_to, now), seen
        return max(now - come_to, 0.0), self._ahead(now)

    def _kept(self, track: Track, row: np.ndarray, now: float | None) -> Fit:
        self._owner[track.slot] = track.track_id
        self._rows[track.track_id] = row
        if now is not None and isfinite(now):
            self._seconds[track.track_id] = now, now
        return fit_of(row, track.track_id)

    def _step(self, track_id: int, now: float | None) -> tuple[float, bool]:
        """The true time step, and whether smoothing starts anew: as `smooth.track_filter` has it."""
        known = self._seconds.get(track_id)
        if not self._timed(now) or known is None:
            return 0.0, True
        assert now is not None
        come_to, seen = known
        return max(now - come_to, 0.0), now < come_to or now - seen > self._smooth.gap_seconds

    def _ahead(self, now: float | None) -> float:
        """How many seconds after the frame its estimates are for."""
        return self._smooth.ahead_ms / 1000 if self._timed(now) else 0.0

    def _timed(self, now: float | None) -> bool:
        """Is there anything to smooth over?"""
        return now is not None and isfinite(now) and self._smooth.enabled


def _student(path: str | Path | None) -> Student:
    """Raises AssetError for a network of another version."""
    student = Student(path)
    if student.width != WIDTH:
        raise AssetError(f"{path or 'student.onnx'} gives {student.width} numbers, not {WIDTH}; take this version's")
    return student


def on_cuda(**parts: object) -> DeviceFaces:
    """On the CUDA device at hand. Raises BackendUnavailable where there is none."""
    return DeviceFaces(cuda_device(), **parts)  # type: ignore[arg-type]


def on_processor(**parts: object) -> DeviceFaces:
    """The same code on the processor, slow: for tests and comparisons."""
    return DeviceFaces(torch.device("cpu"), **parts)  # type: ignore[arg-type]

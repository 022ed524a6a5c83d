"""Looks of one stream or of several in one replay: their rows there, their crops, their rows back.

Given what is to be looked at in each stream's frame it fills the smallest graph that holds all of it, crops from every
frame, replays once and hands each stream its rows. Every row brings its own camera, time step and slot, so it makes no
difference to a face beside whom it is looked at. It does not know whose faces they are, nor what the answers say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from tracker.detect.finder import Track
from tracker.device.coast import Coast
from tracker.device.crop import Cropper
from tracker.device.face_frame import FaceFrame, shared_on
from tracker.device.graph import Graph, sizes_for
from tracker.device.network import Student
from tracker.errors import AssetError
from tracker.face.model import FaceModel
from tracker.kernels.crop_roi import CropRoi
from tracker.refine.sharpen import RefineSettings
from tracker.regress.outputs import WIDTH
from tracker.smooth.settings import SmoothSettings
from tracker.source.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What is to be looked at in one frame."""

    frame: Frame
    tracks: Sequence[Track]
    rows: np.ndarray
    """float64 [B, ...], one per track: see `row.ASKED`. Good until the stream asks again."""


class Replays:
    """Graphs for 1, 2, 4 and so on to `slots` faces, and one for a face that is not seen, on one memory of `slots`."""

    def __init__(
        self, device: torch.device, slots: int, model: FaceModel, crop_roi: CropRoi, student: str | Path | None = None,
        refine: RefineSettings = RefineSettings(), smooth: SmoothSettings = SmoothSettings(),
    ) -> None:  # fmt: skip
        """Captures every graph, which compiles on first use. Raises AssetError, BackendUnavailable."""
        shared = shared_on(device, slots, model, _student(student), refine, smooth)
        self.smooth = smooth
        self.graphs: list[Graph[FaceFrame]] = [Graph(FaceFrame(size, shared), slots) for size in sizes_for(slots)]
        self.coast = Graph(Coast(1, shared), slots)
        self._crop = Cropper(crop_roi, self.graphs[-1].batch, device)

    @property
    def backends(self) -> dict[str, str]:
        """What each operator of the frame runs on."""
        return self.graphs[0].frame.operators.backends

    def __call__(self, asked: Sequence[Looks]) -> list[np.ndarray]:
        """The answers to each, float32 [B, ...] (see `row.ANSWERED`), good until the next replay."""
        ends = [*accumulate(len(looks.tracks) for looks in asked)]
        if not ends or not ends[-1]:
            return [self.graphs[0].answered[:0]] * len(asked)
        graph = next(graph for graph in self.graphs if graph.batch >= ends[-1])
        for end, looks in zip(ends, asked, strict=True):
            graph.asked[end - len(looks.tracks) : end] = looks.rows
        graph.leave_empty(ends[-1])
        crops = [(looks.frame, [track.roi for track in looks.tracks]) for looks in asked if looks.tracks]
        graph.run(lambda into: self._crop(crops, into))
        return np.split(graph.answered[: ends[-1]], ends[:-1])


def _student(path: str | Path | None) -> Student:
    """Raises AssetError for a network of another version."""
    student = Student(path)
    if student.width != WIDTH:
        raise AssetError(f"{path or 'student.onnx'} gives {student.width} numbers, not {WIDTH}; take this version's")
    return student

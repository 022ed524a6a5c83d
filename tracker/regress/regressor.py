"""Regress: from a frame and the squares to look at, the network's guess about each head.

Given regions of interest it crops them straight from the frame's planes, runs the student on all of them at once and
names the parts of what comes out. It does not know where the regions came from or what becomes of the guesses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.detect.roi import Roi
from tracker.errors import AssetError
from tracker.kernels.crop_roi import CropRoi
from tracker.regress.network import Network
from tracker.regress.outputs import CROP_PX, SLICES, WIDTH
from tracker.source.frame import Frame

PRESENCE = SLICES["presence"].start


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """What the network says about one square. Arrays are the network's own: overwritten by the next look."""

    roi: Roi
    """Where it looked."""
    crop: np.ndarray
    """float32 [3, 128, 128] RGB 0..255: what it saw."""
    output: np.ndarray
    """float32 [WIDTH], laid out as `regress.outputs` says."""
    presence: float
    """0..1: that a face is here."""

    def part(self, name: str) -> np.ndarray:
        """A named slice of the output, a view."""
        return self.output[SLICES[name]]


class Regressor:
    """The student behind a crop. Buffers for so many looks at a time are allocated once.

    Several faces in one call cost 5 to 9% less than one after another (2 to 8 of them, one thread).
    """

    def __init__(self, crop_roi: CropRoi, looks: int, model_hash: bytes, path: str | Path | None = None) -> None:
        """Raises AssetError for a network that does not fit the face model."""
        self.network = Network("student.onnx", (looks, 3, CROP_PX, CROP_PX), model_hash, path)
        if self.network.output.shape != (looks, WIDTH):
            raise AssetError(
                f"{path or 'student.onnx'} gives {list(self.network.output.shape)}, not [{looks}, {WIDTH}]: it is "
                "another version's; train or personalize one with this version, or leave it out for the shipped one"
            )
        self._crop_roi = crop_roi

    def __call__(self, frame: Frame, rois: Sequence[Roi]) -> list[Guess]:
        """Look at some squares of one frame, as many as there are buffers for at most."""
        if not rois:
            return []
        crops = self.network.input
        for roi, crop in zip(rois, crops, strict=False):
            self._crop_roi(
                frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range,
                roi.px_from_crop(CROP_PX), crop,
            )  # fmt: skip
        outputs = self.network(len(rois))
        return [Guess(roi, crops[row], outputs[row], _presence(outputs[row])) for row, roi in enumerate(rois)]


def _presence(output: np.ndarray) -> float:
    return 1 / (1 + math.exp(-min(max(float(output[PRESENCE]), -30.0), 30.0)))

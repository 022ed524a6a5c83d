"""Regress: from a frame and the squares to look at, the network's guess about each head.

Given regions of interest it crops them straight from the frame's planes, runs the student and names the parts of what
comes out. It does not know where the regions came from or what becomes of the guesses.
"""

from __future__ import annotations

import math
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
    """What the network says about one square. Arrays are overwritten when the same slot is used again."""

    roi: Roi
    """Where it looked."""
    crop: np.ndarray
    """float32 [3, 128, 128] RGB 0..255: what it saw. The network's own input: overwritten by the next look."""
    output: np.ndarray
    """float32 [WIDTH], laid out as `regress.outputs` says."""
    presence: float
    """0..1: that a face is here."""

    def part(self, name: str) -> np.ndarray:
        """A named slice of the output, a view."""
        return self.output[SLICES[name]]


class Regressor:
    """The student behind a crop. Buffers for `slots` faces are allocated once."""

    def __init__(self, crop_roi: CropRoi, slots: int, model_hash: bytes, path: str | Path | None = None) -> None:
        """Raises AssetError for a network that does not fit the face model."""
        self.network = Network("student.onnx", (1, 3, CROP_PX, CROP_PX), model_hash, path)
        if self.network.output.shape != (1, WIDTH):
            raise AssetError(
                f"{path or 'student.onnx'} gives {list(self.network.output.shape)}, not [1, {WIDTH}]: it is another "
                "version's; train or personalize one with this version, or leave it out for the shipped one"
            )
        self._crop_roi = crop_roi
        self._outputs = np.zeros((slots, WIDTH), np.float32)

    def __call__(self, frame: Frame, roi: Roi, slot: int) -> Guess:
        """Look at one square. A frame's guesses stay valid until their slots are used again."""
        crop, output = self.network.input[0], self._outputs[slot]
        self._crop_roi(
            frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range, roi.px_from_crop(CROP_PX), crop
        )
        np.copyto(output, self.network()[0])
        presence = 1 / (1 + math.exp(-min(max(float(output[PRESENCE]), -30.0), 30.0)))
        return Guess(roi, crop, output, presence)

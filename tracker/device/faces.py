"""What the pipeline asks instead of its own stages: known faces in, this frame's fits and estimates out, by the batch.

Given a frame and tracks it makes one row for each, has them replayed (`replays`), and keeps the answers of those that
were accepted. It keeps each track's clock, as the smoother does on the processor. Finding faces and the state of tracks
stay on the host; see `tracker.detect.finder`. A track that is not seen is carried on by a graph of its own. It is one
stream's; others may have theirs on the same device, in other slots of its memory, and be replayed together with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
import torch

from tracker.detect.finder import Track
from tracker.device.readiness import cuda_device
from tracker.device.replays import Looks, Replays
from tracker.device.row import ASKED_WIDTH, accepted, ask, coasted, face_of, fit_of, light_up, miss
from tracker.errors import BackendUnavailable, FacewireError, SettingsError
from tracker.face.camera import Camera
from tracker.face.parameters import Face
from tracker.kernels.backend import choose
from tracker.refine.fit import Fit
from tracker.source.frame import Frame

NOBODY = -1
LONGEST_REASON = 300
"""Characters; compilers say much."""
MOST_FACES = 64
"""Of all streams that share a device."""


class DeviceFaces:
    """One stream's faces: who is in which of its slots, their clocks and last answers."""

    def __init__(self, replays: Replays, first: int, slots: int) -> None:
        """The stream's are `slots` of the device's, from `first` on."""
        self.replays = replays
        self._first, self._reorient = first, choose().reorient
        self._owner = [NOBODY] * slots
        self._asked = np.zeros((slots, ASKED_WIDTH))
        self._seconds: dict[int, tuple[float, float]] = {}
        """Of each track: the time that its filters have come to, and when it was last seen."""
        self._rows: dict[int, np.ndarray] = {}

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
        looks = self.ask(frame, tracks, camera, least_presence)
        (answered,) = self.replays([looks])
        return self.take(looks, answered)

    def ask(self, frame: Frame, tracks: Sequence[Track], camera: Camera, least_presence: float) -> Looks:
        """What there is to look at: no more tracks than slots."""
        now = frame.pts_seconds
        for row, track in zip(self._asked, tracks, strict=False):
            fresh = self._owner[track.slot] != track.track_id
            dt, anew = self._step(track.track_id, now)
            times = dt, fresh, anew or track.leaps, self._ahead(now)
            ask(row, track.roi, camera, self._first + track.slot, times, least_presence)
        return Looks(frame, tracks, self._asked[: len(tracks)])

    def take(self, looks: Looks, answered: np.ndarray) -> dict[int, Fit]:
        """The fits of those who are there, by track id, from the answers to `looks`."""
        now, rows = looks.frame.pts_seconds, answered.copy()
        light_up(rows, looks.rows, self._reorient)
        return {
            track.track_id: self._kept(track, row.copy(), now)
            for track, row in zip(looks.tracks, rows, strict=True)
            if accepted(row)
        }

    def face_of(self, track: Track) -> Face:
        """The estimate of a track that was accepted in this frame; its arrays are its own."""
        return face_of(self._rows[track.track_id], track.track_id, track.state)

    def coast(self, track: Track, camera: Camera, now_seconds: float) -> Face:
        """What is likely of a track that is not seen now: it moves on as it did, ever less surely."""
        last, graph = self._rows[track.track_id], self.replays.coast
        slot, times = self._first + track.slot, self._missed(track.track_id, now_seconds)
        miss(graph.asked[0], last, camera, slot, times)
        graph.run()
        return face_of(coasted(last, graph.answered[0]), track.track_id, track.state)

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
        return max(now - come_to, 0.0), now < come_to or now - seen > self.replays.smooth.gap_seconds

    def _ahead(self, now: float | None) -> float:
        """How many seconds after the frame its estimates are for."""
        return self.replays.smooth.ahead_ms / 1000 if self._timed(now) else 0.0

    def _timed(self, now: float | None) -> bool:
        """Is there anything to smooth over?"""
        return now is not None and isfinite(now) and self.replays.smooth.enabled


class SharedDevice:
    """One device for the pipelines of several streams, each of which takes this as its `device`.

    The first to come says what the graphs are made of; the others have to be of the same.
    """

    def __init__(self, device: torch.device, slots: int) -> None:
        """`slots`: how many faces in all. Raises SettingsError for too many."""
        if not 1 <= slots <= MOST_FACES:
            raise SettingsError(f"{slots} faces in all on one device; give 1 to {MOST_FACES}, such as 16 streams of 4")
        self._device, self._slots, self._given = device, slots, 0
        self._parts: tuple[Any, ...] = ()

    def __call__(self, slots: int, **parts: Any) -> DeviceFaces:
        """The next stream's faces, so many at most. Captures the graphs for the first; raises AssetError,
        BackendUnavailable, and SettingsError for a stream that does not fit beside the others."""
        of = parts["model"].hash, *(parts.get(name) for name in ("student", "refine", "smooth"))
        if self._given + slots > self._slots:
            raise SettingsError(f"{self._given + slots} faces on a device made for {self._slots}; make it for more")
        if not self._given:
            self._replays, self._parts = self._captured(**parts), of
        if of != self._parts:
            raise SettingsError("streams on one device share model, student, refine and smooth; give all the same")
        self._given += slots
        return DeviceFaces(self._replays, self._given - slots, slots)

    def _captured(self, **parts: Any) -> Replays:
        """The graphs. What a compiler, a driver or too little memory raises is told as a device's that is not there."""
        try:
            with _torch_as_shipped(self._device.type):
                return Replays(self._device, self._slots, **parts)
        except FacewireError:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
            raise BackendUnavailable(
                f"device {self._device.type}: {reason}; ask facewire doctor what is missing, or leave out --device, in "
                "Python device, for the processor"
            ) from error

    def look(self, asked: Sequence[tuple[DeviceFaces, Looks]]) -> list[dict[int, Fit]]:
        """One replay for what all these streams ask: the fits of each, as `DeviceFaces.take` has them."""
        answers = self._replays([looks for _, looks in asked])
        return [faces.take(looks, rows) for (faces, looks), rows in zip(asked, answers, strict=True)]


@contextmanager
def _torch_as_shipped(kind: str) -> Iterator[None]:
    """What is made and captured, on a `kind` of device, is as torch makes it by itself, in whatever mode its caller
    is. The default type is left alone, since all threads share it; types are named."""
    with torch.device("cpu"), torch.inference_mode(False), torch.autocast(kind, enabled=False):
        yield


def on_cuda(**parts: Any) -> DeviceFaces:
    """On the CUDA device at hand. Raises BackendUnavailable where there is none."""
    return _alone(cuda_device(), **parts)


def on_processor(**parts: Any) -> DeviceFaces:
    """The same code on the processor, slow: for tests and comparisons."""
    return _alone(torch.device("cpu"), **parts)


def _alone(device: torch.device, **parts: Any) -> DeviceFaces:
    return SharedDevice(device, parts["slots"])(**parts)

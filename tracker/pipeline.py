"""The loop: source -> find -> regress -> refine -> smooth -> calibrate -> publish, on one screen.

Given frames it returns the published faces, and times each stage around it. The stages do not know each other; only
the square of the last raw fit flows back, from refine to find.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tracker import large_pages
from tracker.calibrate import CalibrateSettings, Calibrator
from tracker.clock import monotonic_ns
from tracker.detect.confirm import LOOKS, agreeing, nudged
from tracker.detect.detector import Detector
from tracker.detect.finder import Finder, FindSettings, Track
from tracker.detect.roi import Roi
from tracker.errors import SettingsError, SourceError
from tracker.face.camera import DEFAULT_VERTICAL_FOV_DEG, Camera
from tracker.face.model import FaceModel
from tracker.face.parameters import Face, TrackState
from tracker.face_work import FaceWork
from tracker.kernels.backend import Kernels, choose
from tracker.publish import FrameHeader, Publisher
from tracker.refine.consensus import consensus, kept
from tracker.refine.fit import Fit, Refiner, unseen
from tracker.refine.resembler import Resembler
from tracker.refine.sharpen import RefineSettings
from tracker.regress.regressor import Guess, Regressor
from tracker.smooth import Filtered, Smoother, SmoothSettings
from tracker.smooth.estimate import Estimator
from tracker.source import Source
from tracker.source.frame import Frame
from tracker.wait import waited

STAGES = ("find", "regress", "refine", "smooth")


@dataclass(frozen=True, slots=True)
class Assets:
    """Model files; None is the shipped one."""

    face_model: str | Path | None = None
    student: str | Path | None = None
    detector: str | Path | None = None


class Pipeline:
    """Frame in, faces out. Stages own their buffers; the faces handed out are copies."""

    def __init__(
        self, find: FindSettings = FindSettings(), smooth: SmoothSettings = SmoothSettings(),
        vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG, assets: Assets = Assets(), backend: str = "auto",
        refine: RefineSettings = RefineSettings(), calibrate: CalibrateSettings = CalibrateSettings(),
        device: Callable[..., FaceWork] | None = None,
    ) -> None:  # fmt: skip
        """With a `device`, such as `face_work.device_named` gives, known faces are its work. Raises AssetError,
        BackendUnavailable, ProfileError, SettingsError."""
        if device and smooth.look_ahead_frames:
            raise SettingsError(
                f"look_ahead_frames {smooth.look_ahead_frames} with a device, which keeps what its filters say to "
                "itself; leave out --smooth-look-ahead-frames, or track with --device cpu"
            )
        slots = find.max_faces
        self.kernels: Kernels = choose(backend)
        self.model = FaceModel.load(assets.face_model)
        self.detector = Detector(self.kernels.crop_luma, path=assets.detector)
        self.finder = Finder(self.detector, find)
        self.regressor = Regressor(self.kernels.crop_roi, max(slots, LOOKS), self.model.hash, assets.student)
        self.refiner = Refiner(slots, self.model, self.kernels.locate)
        self.resembler = Resembler(slots, self.model, self.kernels.resemble, refine, self.kernels.reorient)
        self.smoother = Smoother(smooth, self.kernels.imm)
        self.estimator = Estimator(self.model, self.kernels.morph, self.kernels.project, self.kernels.portray)
        self.calibrator = Calibrator(calibrate, self.model)
        self.device = device and device(
            slots=slots, model=self.model, crop_roi=self.kernels.crop_roi, student=assets.student, refine=refine,
            smooth=smooth,
        )  # fmt: skip
        self.stage_ns: dict[str, int] = dict.fromkeys(STAGES, 0)
        self._fov_deg = vertical_fov_deg
        self._size, self._alone = (0, 0), False
        self._camera = Camera.from_fov(640, 480, vertical_fov_deg)
        self.fits: dict[int, Fit] = {}
        """The last raw fit of each track, and what the filter made of it; overwritten by the next frame."""
        self.filtered: dict[int, Filtered] = {}
        self._faces: dict[int, Face] = {}

    @property
    def ahead_ns(self) -> int:
        """How long after the picture the filtered values are for."""
        smooth = self.smoother.settings
        return round(smooth.ahead_ms * 1e6) if smooth.enabled else 0

    def camera_for(self, frame: Frame) -> Camera:
        """The camera of this frame's size; a change of size starts new tracks, with ids of their own."""
        if (frame.width_px, frame.height_px) != self._size:
            self._forget()
            self._size = (frame.width_px, frame.height_px)
            self._camera = Camera.from_fov(*self._size, self._fov_deg)
        return self._camera

    def reset(self) -> None:
        """Forget every face; track ids start at 0 again."""
        self._forget()
        self.finder.reset()

    def _forget(self) -> None:
        """Forget every face; track ids go on."""
        self.finder.forget()
        self.resembler.reset()
        self.smoother.reset()
        self.estimator.reset()
        self.calibrator.reset()
        if self.device:
            self.device.reset()
        self._faces.clear()
        self.fits.clear()
        self.filtered.clear()

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """The faces of one frame of a stream, by track; a frame without time is an image of its own."""
        tracks = self.begin(frame)
        return self.finish(frame, tracks, self.look(frame, tracks))

    def begin(self, frame: Frame) -> list[Track]:
        """The squares to look at. Those of known faces come next: `look`, or a device with those of other streams."""
        self.camera_for(frame)
        self.stage_ns.update(dict.fromkeys(STAGES, 0))
        if self._alone or frame.pts_seconds is None:
            self.reset()
        self._alone = frame.pts_seconds is None
        return self._find(frame)

    def finish(self, frame: Frame, tracks: list[Track], fits: dict[int, Fit]) -> tuple[Face, ...]:
        """The frame's faces, from what it began with and the `fits` of those that were known."""
        camera, now_seconds = self.camera_for(frame), frame.pts_seconds
        fits |= self._meet(frame, tracks)
        while others := self._timed("find", self.finder.instead, fits):
            fits |= self._meet(frame, others)
        missed = [track for track in self.finder.tracks if track.track_id not in fits]
        if missed:
            moved = self._timed("find", self.finder.elsewhere, frame, missed)
            fits |= self.look(frame, moved) | self._meet(frame, moved)
        tracks = self._timed("find", self.finder.settle, fits, now_seconds or 0.0)
        self._follow([(track, fits[track.track_id]) for track in tracks if track.unseen_since is None], now_seconds)
        faces = tuple(self._as_of_now(track, camera, now_seconds) for track in tracks)
        self._forget_all_but({track.track_id for track in tracks if track.state != TrackState.LOST})
        return faces if now_seconds is not None else _by_size(faces)

    def _find(self, frame: Frame) -> list[Track]:
        """A stream's squares follow their tracks; an image is searched thoroughly, tiles and all."""
        search = self.finder if frame.pts_seconds is not None else self.finder.thorough
        tracks: list[Track] = self._timed("find", search, frame)
        return tracks

    def look(self, frame: Frame, tracks: list[Track]) -> dict[int, Fit]:
        """Regress and refine the squares of known faces, all together; what is still a face stays."""
        known = [track for track in tracks if track.seen]
        if self.device:
            return self._on_device(frame, known)
        fits: dict[int, Fit] = {}
        for track, (guess, fit) in zip(known, self._see(frame, known, [t.roi for t in known]), strict=True):
            self._judge(track, guess, fit, [], fits)
        return fits

    def ask(self, frame: Frame, tracks: list[Track]) -> Any:
        """What `look` would ask of the device, for one that several streams share."""
        assert self.device
        known = [track for track in tracks if track.seen]
        return self.device.ask(frame, known, self.camera_for(frame), self.finder.settings.keep_presence)

    def _meet(self, frame: Frame, tracks: list[Track]) -> dict[int, Fit]:
        """Those of the squares without a known face that show one."""
        fits: dict[int, Fit] = {}
        for track in tracks:
            if not track.seen:
                self._approach(frame, track, fits)
        return fits

    def _approach(self, frame: Frame, track: Track, fits: dict[int, Fit]) -> None:
        """A new track's square is rough: settle it, and look from beside it for other opinions."""
        ((_, fit),) = self._see(frame, [track], [track.roi])
        if self.finder.promises(fit):
            track.roi = fit.roi()
            rois = (*nudged(track.roi), track.roi)
            *others, (guess, fit) = [(guess, kept(fit)) for guess, fit in self._see(frame, [track] * len(rois), rois)]
            self._judge(track, guess, fit, [other for _, other in others], fits)
            if self.device and track.track_id in fits:
                # Settled here; followed there from its first frame on, unless the device sees no face.
                track.roi = fits.pop(track.track_id).roi()
                fits |= self._on_device(frame, [track])

    def _on_device(self, frame: Frame, tracks: list[Track]) -> dict[int, Fit]:
        """The same work as `_judge` and the stages after it, on a device, which keeps the estimates."""
        least, camera = self.finder.settings.keep_presence, self.camera_for(frame)
        assert self.device
        fits: dict[int, Fit] = self._timed("refine", self.device, frame, tracks, camera, least)
        return fits

    def _follow(self, seen: list[tuple[Track, Fit]], now_seconds: float | None) -> None:
        """Smooth the fits of the tracks seen in this frame, and keep their estimates."""
        if self.device:
            self._faces |= {track.track_id: self.calibrator(self.device.face_of(track)) for track, _ in seen}
            return
        for track, _ in seen:
            if track.leapt:
                self.smoother.drop(track.track_id)
        smoothed = self._timed("smooth", self.smoother, [fit for _, fit in seen], now_seconds)
        for (track, fit), filtered in zip(seen, smoothed, strict=True):
            self.fits[track.track_id], self.filtered[track.track_id] = fit, filtered
            self._faces[track.track_id] = self._estimate(track, fit, filtered, self._camera)

    def _judge(self, track: Track, guess: Guess, fit: Fit, others: list[Fit], fits: dict[int, Fit]) -> None:
        """Take the look into `fits` if it shows a face; `others` are a new track's further looks."""
        if self.finder.accepts(track, fit, others):
            fit = self._timed("refine", consensus, fit, agreeing(fit, others))
            fits[track.track_id] = self._timed("refine", self.resembler, guess, fit, track.slot)

    def _see(self, frame: Frame, tracks: Sequence[Track], rois: Sequence[Roi]) -> Iterator[tuple[Guess, Fit]]:
        """Look at squares, one a track or several of the same: then a fit is good until the next is asked for."""
        guesses = self._timed("regress", self.regressor, frame, rois)
        for track, guess in zip(tracks, guesses, strict=True):
            yield guess, self._timed("refine", self.refiner, guess, track.slot, track.track_id)

    def _as_of_now(self, track: Track, camera: Camera, now_seconds: float | None) -> Face:
        """The track's estimate with its present state; one that is not seen now moves on as it likely did, without
        confidence."""
        face = self._faces[track.track_id]
        if track.unseen_since is None or now_seconds is None:
            return face
        if self.device:
            likely = self._timed("smooth", self.device.coast, track, camera, now_seconds)
            calibrated: Face = self._timed("smooth", self.calibrator, likely)
            return calibrated
        fit = unseen(self.fits[track.track_id], face)
        filtered = self._timed("smooth", self.smoother.coast, track.track_id, now_seconds)
        return self._estimate(track, fit, filtered, camera)

    def _estimate(self, track: Track, fit: Fit, filtered: Filtered, camera: Camera) -> Face:
        identity = self.resembler.identity_of(track.slot)
        lighting = self._timed("smooth", self.resembler.light_before, camera, fit.center_px, track.slot)
        face = self._timed("smooth", self.estimator, fit, filtered, identity, camera, lighting, track.state)
        calibrated: Face = self._timed("smooth", self.calibrator, face)
        return calibrated

    def _forget_all_but(self, alive: set[int]) -> None:
        """Drop what is kept for tracks that ended, those that never got beyond a frame or two among them."""
        for track_id in self._faces.keys() - alive:
            self.smoother.drop(track_id)
            self.estimator.drop(track_id)
            self.calibrator.drop(track_id)
            if self.device:
                self.device.drop(track_id)
            for by_track in (self._faces, self.fits, self.filtered):
                by_track.pop(track_id, None)

    def _timed(self, stage: str, call: Callable[..., Any], *args: Any) -> Any:
        started = monotonic_ns()
        result = call(*args)
        self.stage_ns[stage] += monotonic_ns() - started
        return result


def _by_size(faces: tuple[Face, ...]) -> tuple[Face, ...]:
    """An image's faces, largest first, numbered in that order and seen for sure."""
    largest = sorted(faces, key=lambda face: -float(np.ptp(face.landmarks_px[:, 1])))
    return tuple(replace(f, track_id=k, state=TrackState.TRACKING) for k, f in enumerate(largest))


def build_pipeline(
    max_faces: int = 1, smooth: bool = True, vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG,
    calibrate: CalibrateSettings = CalibrateSettings(), device: Callable[..., FaceWork] | None = None,
) -> Pipeline:  # fmt: skip
    """The pipeline that most want."""
    find, smoothing = FindSettings(max_faces=max_faces), SmoothSettings(enabled=smooth)
    return Pipeline(find, smoothing, vertical_fov_deg, calibrate=calibrate, device=device)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run came to."""

    frames: int
    """Published, one message each."""
    with_faces: int
    """Frames in which at least one face was seen."""
    dropped: int
    """Frames the source skipped to stay current."""
    reformatted: int
    """Frames whose pixel format had to be converted."""
    damaged: int
    """Packets of the source that could not be decoded."""
    seconds: float

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds else 0.0
        parts = [f"{self.frames} frames in {self.seconds:.1f} s ({rate:.0f} a second), faces in {self.with_faces}"]
        parts += [f"{count} {name}" for name, count in (
            ("dropped to stay current", self.dropped), ("converted to I420", self.reformatted),
            ("damaged packets skipped", self.damaged),
        ) if count]  # fmt: skip
        return ", ".join(parts)


class Stopped(KeyboardInterrupt):
    """An interrupt that came while frames ran, with what they had come to by then."""

    def __init__(self, summary: RunSummary) -> None:
        super().__init__()
        self.summary = summary


class BrokenOff(SourceError):
    """What ended a source while frames ran, with what they had come to by then."""

    def __init__(self, failure: SourceError, summary: RunSummary) -> None:
        super().__init__(str(failure))
        self.summary = summary


def run(
    source: Source, pipeline: Pipeline, publisher: Publisher,
    on_frame: Callable[[Frame, Sequence[Face], Camera], None] | None = None,
) -> RunSummary:  # fmt: skip
    """Track and publish every frame of `source`, to its end. `on_frame` is called after each message has left. An
    interrupt goes on to the caller as `Stopped`, and what breaks a source off after its first frame as `BrokenOff`,
    both with the summary.

    While it runs, what was loaded before is left out of garbage collection: a full one, rare as it is, would hold a
    frame up for a tenth of a second only to find that libraries stay loaded. Their memory goes into large pages.
    """
    started, frames, with_faces = monotonic_ns(), 0, 0
    stop: KeyboardInterrupt | SourceError | None = None
    try:
        gc.freeze()
        if pipeline.device is None:  # a GPU's driver has memory of its own in here, not to be moved
            large_pages.collapse()
        started = monotonic_ns()
        for frame, camera, faces in waited(pipeline, source):
            publisher.publish(header_of(frame, camera, publisher.source_id, pipeline.ahead_ns), faces)
            frames += 1
            with_faces += any(face.confidence > 0 for face in faces)
            if on_frame is not None:
                on_frame(frame, faces, camera)
    except (KeyboardInterrupt, SourceError) as early:
        stop = early
    finally:
        gc.unfreeze()
    seconds = (monotonic_ns() - started) / 1e9
    summary = RunSummary(frames, with_faces, source.dropped, source.reformatted, source.damaged, seconds)
    if isinstance(stop, KeyboardInterrupt):
        raise Stopped(summary) from stop
    if stop is not None:
        raise (BrokenOff(stop, summary) if frames else stop) from stop.__cause__
    return summary


def header_of(frame: Frame, camera: Camera, source_id: str, ahead_ns: int = 0) -> FrameHeader:
    """What a message says about the frame itself; `inferred_ns` is now."""
    return FrameHeader(
        source_id, frame.pts, frame.time_base.numerator, frame.time_base.denominator, frame.captured_ns,
        frame.decoded_ns, monotonic_ns(), frame.width_px, frame.height_px, camera.fx, camera.fy, camera.cx, camera.cy,
        frame.dropped, ahead_ns=ahead_ns,
    )  # fmt: skip

"""The runs that filters over time are judged on: rendered people, three at once, photographs, real clips.

Given pictures with what is true of them it looks once, runs every filter over the same raw fits and notes jitter and
lag of each; and of MediaPipe on the same pictures. It concludes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.bench import motions, rhythm
from tracker.bench.answers import read_image, timed_frames
from tracker.bench.filters import METHODS, Method
from tracker.bench.peers import Landmarker
from tracker.bench.report import Progress
from tracker.bench.trace import Trace, an_estimator, look
from tracker.bench.verdicts import IMAGE, RAW, VIDEO, Scores, Table
from tracker.distill.synthesize import Face
from tracker.face.model import FaceModel
from tracker.face.pose import log_so3
from tracker.smooth.estimate import Estimator

POINTS = (33, 263, 1, 61, 291, 152, 168, 10)
"""Landmarks of which lag is measured: corners of eyes and mouth, nose, chin, brow."""
FIRST_OF_THREE = 1000
"""Their numbers: 100 to 109 are the people that the filter's constants were fitted on, and in no bench."""
PAN_PX, PAN_HZ, PAN_SECONDS, STILL_SECONDS = 40.0, 0.5, 2.0, 2.0
_Row = tuple[float, np.ndarray, np.ndarray, np.ndarray]
"""Of one answer: seconds, landmarks [478, 2], rotation [3, 3], scores [52]."""


@dataclass(frozen=True, slots=True, eq=False)
class _Truth:
    """What is known of one run."""

    seconds: np.ndarray
    landmarks_px: np.ndarray
    """float64 [N, 478, 2]."""
    turns: np.ndarray
    """float64 [N, 3]: rotation vectors from the first."""
    weights: np.ndarray
    """float64 [N, 52]."""


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """What somebody says over time; NaN rows where nothing."""

    seconds: np.ndarray
    landmarks_px: np.ndarray
    turns: np.ndarray
    expression: np.ndarray


def _turns(rotations: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    return np.array([log_so3(rotations[0].T.astype(np.float64) @ one) for one in rotations])


def _truth(seconds: np.ndarray, faces: Sequence[Face], left_px: int = 0) -> _Truth:
    """Of one rendered person, whose picture begins at the column `left_px` of what is shown."""
    return _Truth(
        seconds, np.array([face.landmarks[:, :2] + [left_px, 0] for face in faces], np.float64),
        _turns([face.rotation for face in faces]), np.array([face.scores for face in faces], np.float64),
    )  # fmt: skip


def _signal(trace: Trace, estimator: Estimator) -> _Signal:
    return _Signal(trace.seconds, trace.landmarks_px(estimator), _turns(trace.rotation), trace.expression)


def _scores(signal: _Signal, truth: _Truth) -> Scores:
    """Jitter at rest and lag in motion of one signal on the score of `motions`."""
    t = signal.seconds
    points, true = signal.landmarks_px[:, POINTS].reshape(len(t), -1), truth.landmarks_px[:, POINTS]
    talking = list(motions.TALKING)
    said, meant = signal.expression[:, talking], truth.weights[:, talking]
    return {
        "landmarks": (
            rhythm.jitter(signal.landmarks_px, t, motions.RESTS),
            rhythm.lag_ms(points, t, true.reshape(len(truth.seconds), -1), truth.seconds, motions.HEAD),
        ),
        "pose": (
            float(np.degrees(rhythm.jitter(signal.turns[:, None], t, motions.RESTS))),
            rhythm.lag_ms(signal.turns, t, truth.turns, truth.seconds, motions.HEAD),
        ),
        "shapes": (
            rhythm.jitter(said[..., None], t, motions.RESTS),
            rhythm.lag_ms(said, t, meant, truth.seconds, motions.TALK, scaled=True),
        ),
    }


def _peer(pictures: Sequence[np.ndarray], seconds: np.ndarray, teacher: Path, video: bool) -> _Signal | None:
    """What MediaPipe says; frames without an answer are left out, and None is for no answer at all."""
    rows: list[_Row] = []
    with Landmarker(teacher, video=video) as landmarker:
        for picture, second in zip(pictures, seconds, strict=True):
            for answer in landmarker(picture, round(float(second) * 1000))[:1]:
                rows.append((float(second), answer.landmarks_px[:, :2], answer.rotation, answer.scores))
    return _signal_of(rows, 10)


def _signal_of(rows: list[_Row], fewest: int) -> _Signal | None:
    """None for fewer rows."""
    if len(rows) < fewest:
        return None
    at, landmarks, rotations, scores = (np.array(column) for column in zip(*rows, strict=True))
    return _Signal(at, landmarks.astype(np.float64), _turns(rotations), scores)


def _methods() -> Iterator[tuple[Method, float]]:
    """Every method at every setting."""
    return ((method, setting) for method in METHODS for setting in method.settings)


class Rehearsal:
    """What is gathered on the way: per part, method and setting, the scores of each person."""

    def __init__(self, teacher: Path, say: Progress) -> None:
        self.teacher, self.say = teacher, say
        self.estimator = an_estimator(FaceModel.load())
        self.scores: Table = {}
        self.blinks: dict[str, list[float]] = {}

    def add(self, part: str, method: str, setting: float | None, scores: Scores) -> None:
        """Note what one person gave."""
        self.scores.setdefault((part, method, setting), []).append(scores)

    def rendered(self, stage: Any, people: int) -> None:
        """People on the score, to a camera that keeps time and to one that does not."""
        for number in range(people):
            for part in ("rendered", "irregular"):
                self.say(number, people, f"{part}: person {number}")
                times = motions.regular() if part == "rendered" else motions.irregular(np.random.default_rng(number))
                faces = list(motions.performance(stage, number, times))
                self._judge(part, [face.picture for face in faces], _truth(times, faces))
        self.say(people, people, "rendered people")

    def _judge(self, part: str, pictures: list[np.ndarray], truth: _Truth) -> None:
        (trace,) = look(pictures, truth.seconds)
        if trace is None:
            return
        lids = list(motions.LIDS)
        for method, setting in _methods():
            of = method.run(trace, setting)
            self.add(part, method.name, setting, _scores(_signal(of, self.estimator), truth))
            if setting == method.default and part == "rendered":
                left = rhythm.kept(
                    trace.expression[:, lids], of.expression[:, lids], trace.seconds, motions.BLINK_SECONDS
                )
                self.blinks.setdefault(method.name, []).append(left)
        self.add(part, RAW, None, _scores(_signal(trace, self.estimator), truth))
        peers = {video: _peer(pictures, truth.seconds, self.teacher, video) for video in (True, False)}
        for video, signal in peers.items():
            if signal is not None:
                self.add(part, VIDEO if video else IMAGE, None, _scores(signal, truth))
        smooth, plain = peers[True], peers[False]
        if (
            part == "rendered"
            and smooth is not None
            and plain is not None
            and len(smooth.seconds) == len(plain.seconds)
        ):
            # MediaPipe's own input to its filter cannot be had; its image mode is what it says without one.
            left = rhythm.kept(
                plain.expression[:, lids], smooth.expression[:, lids], smooth.seconds, motions.BLINK_SECONDS
            )
            self.blinks.setdefault(VIDEO, []).append(left)

    def three(self, stage: Any) -> None:
        """Three people side by side in one picture: does anybody smooth all of them?"""
        times = motions.regular()
        self.say(0, 1, "three faces")
        shown = [list(motions.performance(stage, FIRST_OF_THREE + number, times)) for number in range(3)]
        pictures = [np.hstack([one.picture for one in row]) for row in zip(*shown, strict=True)]
        width = shown[0][0].picture.shape[1]
        truths = [_truth(times, faces, number * width) for number, faces in enumerate(shown)]
        for trace in look(pictures, times, 3):
            if trace is not None:
                # Whose it is follows from where it is: somebody else may not have been found.
                truth = truths[min(int(np.median(trace.center_px[:, 0]) // width), 2)]
                for method, setting in _methods():
                    signal = _signal(method.run(trace, setting), self.estimator)
                    self.add("three faces", method.name, setting, _scores(signal, truth))
                self.add("three faces", RAW, None, _scores(_signal(trace, self.estimator), truth))
        for peer, truth in zip(_three_peers(pictures, times, self.teacher, width), truths, strict=True):
            if peer is not None:
                self.add("three faces", VIDEO, None, _scores(peer, truth))
        self.say(1, 1, "three faces")

    def photographs(self, paths: Sequence[Path]) -> None:
        """A photograph that is panned for a while, then still, with a camera's noise."""
        seconds = np.arange(round((PAN_SECONDS + STILL_SECONDS) * 30)) / 30
        shift = np.where(seconds < PAN_SECONDS, PAN_PX * np.sin(2 * np.pi * PAN_HZ * seconds), 0.0)
        for number, path in enumerate(paths):
            self.say(number, len(paths), f"photograph {path.name}")
            pictures = list(_panned(read_image(path), shift, number))
            (trace,) = look(pictures, seconds)
            if trace is None:
                continue
            for method, setting in _methods():
                signal = _signal(method.run(trace, setting), self.estimator)
                self.add("photographs", method.name, setting, _pan_scores(signal, seconds, shift))
            raw = _pan_scores(_signal(trace, self.estimator), seconds, shift)
            self.add("photographs", RAW, None, raw)
            for video in (True, False):
                of = _peer(pictures, seconds, self.teacher, video)
                if of is not None:
                    self.add("photographs", VIDEO if video else IMAGE, None, _pan_scores(of, seconds, shift))
        self.say(len(paths), len(paths), "photographs")

    def clips(self, paths: Sequence[Path]) -> None:
        """Real clips: tremble over all frames, and lag behind the raw fits. Nobody knows the truth."""
        for number, path in enumerate(paths):
            self.say(number, len(paths), f"clip {path.name}")
            frames = [(rgb, ms / 1000) for rgb, ms in timed_frames(path)][:120]
            seconds = np.array([second for _, second in frames])
            (trace,) = look([rgb for rgb, _ in frames], seconds)
            if trace is None:
                continue
            raw = _signal(trace, self.estimator)
            for method, setting in _methods():
                signal = _signal(method.run(trace, setting), self.estimator)
                self.add("clips", method.name, setting, _clip_scores(signal, raw))
        self.say(len(paths), len(paths), "clips")


def _three_peers(pictures: list[np.ndarray], seconds: np.ndarray, teacher: Path, width: int) -> list[_Signal | None]:
    rows: list[list[_Row]] = [[], [], []]
    with Landmarker(teacher, video=True, max_faces=3) as landmarker:
        for picture, second in zip(pictures, seconds, strict=True):
            for answer in landmarker(np.ascontiguousarray(picture), round(float(second) * 1000)):
                whose = min(int(answer.landmarks_px[:, 0].mean() // width), 2)
                rows[whose].append((float(second), answer.landmarks_px[:, :2], answer.rotation, answer.scores))
    return [_signal_of(one, len(seconds) // 2) for one in rows]


def _panned(picture: np.ndarray, shift: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    import cv2

    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    for dx in shift:
        warp = np.array([[1.0, 0.0, dx], [0.0, 1.0, 0.0]])
        moved = cv2.warpAffine(picture, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield np.rint(moved + rng.normal(0, motions.NOISE_GREY, moved.shape)).clip(0, 255).astype(np.uint8)


def _pan_scores(signal: _Signal, seconds: np.ndarray, shift: np.ndarray) -> Scores:
    x = signal.landmarks_px[:, POINTS, 0].mean(1, keepdims=True)
    rest = [(PAN_SECONDS + 0.5, PAN_SECONDS + STILL_SECONDS)]
    lag = rhythm.lag_ms(x, signal.seconds, shift[:, None], seconds, (0.2, PAN_SECONDS))
    return {
        "landmarks": (rhythm.jitter(signal.landmarks_px, signal.seconds, rest), lag),
        "pose": (float(np.degrees(rhythm.jitter(signal.turns[:, None], signal.seconds, rest))), lag),
        "shapes": (rhythm.jitter(signal.expression[:, :, None], signal.seconds, rest), lag),
    }


def _clip_scores(signal: _Signal, raw: _Signal) -> Scores:
    t = signal.seconds
    whole = (float(t[0]) + 0.2, float(t[-1]) - rhythm.AROUND_SECONDS)
    everything = [(whole[0], float(t[-1]))]
    points = signal.landmarks_px[:, POINTS].reshape(len(t), -1), raw.landmarks_px[:, POINTS].reshape(len(t), -1)
    return {
        "landmarks": (
            rhythm.jitter(signal.landmarks_px, t, everything), rhythm.lag_ms(points[0], t, points[1], t, whole)
        ),
        "pose": (
            float(np.degrees(rhythm.jitter(signal.turns[:, None], t, everything))),
            rhythm.lag_ms(signal.turns, t, raw.turns, t, whole),
        ),
        "shapes": (
            rhythm.jitter(signal.expression[:, :, None], t, everything),
            rhythm.lag_ms(signal.expression, t, raw.expression, t, whole),
        ),
    }  # fmt: skip

"""A student for one's own face and camera, in minutes on a CPU.

Given footage of a person it starts from the shipped weights, or a checkpoint's, and tunes its last layers to what the
teacher says about that footage, mixed with the general corpus where there is one (`distill.tune`). On frames held out
from all of that both are compared, and a student that got no better is not written.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from tracker.distill.corpus import Corpus, load
from tracker.distill.evaluate import Held, evaluate
from tracker.distill.export import calibration_crops, write_student
from tracker.distill.lessons import Poses, fit_poses
from tracker.distill.losses import Objective
from tracker.distill.own import label_own
from tracker.distill.student import Decoder, Student
from tracker.distill.thaw import thaw
from tracker.distill.train import averaged, score_std
from tracker.distill.tune import TuneSettings, look_at, personal
from tracker.distill.whole import whole
from tracker.errors import AssetError, SettingsError
from tracker.face.model import FaceModel

RESERVE_SECONDS = 75.0
"""Kept for measuring and writing at the end."""
SHORTEST_SECONDS = 20.0
HELD = 300
"""Held-out frames that are looked at."""
OTHERS, OTHERS_HELD = 3000, 300
"""Faces of the general corpus that are mixed in, and that are asked about at the end."""
LEAST_GAIN = 0.01
"""Of landmarks by share, of correlation and presence as it is."""
LEAST_SPREAD = 0.08
"""A shape that this person never moves must not count as if its noise were meant."""


@dataclass(frozen=True, slots=True)
class PersonalSettings:
    """How long, and how it is learned."""

    minutes: float = 8.0
    """At most, in all, labelling and measuring included."""
    frames: int = 1200
    """That the teacher is asked about at most."""
    tune: TuneSettings = TuneSettings()


@dataclass(frozen=True, slots=True)
class Standing:
    """How good one student is on one set of faces."""

    landmarks_percent: float
    """Mean 2D distance to the teacher over the inter-ocular distance."""
    correlation: float
    """Mean Pearson's r over the shapes that move; NaN where none does."""
    presence: float
    """Share of faces with a presence above one half."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What personalising bought, on frames held out."""

    trained: int
    """Frames trained on."""
    held: int
    """Frames held out that judged."""
    way: float
    """How far from the old weights to the tuned ones, chosen on the frames trained on, block by block."""
    before: Standing
    after: Standing
    others_before: Standing | None
    """On people of the general corpus that are kept aside; None without any."""
    others_after: Standing | None
    path: Path | None
    """The student; None where it got worse, or no better, and was not written."""

    def __str__(self) -> str:
        lines = [
            f"tuned on {self.trained} frames, {self.way:.0%} of it kept; on the {self.held} held out, before -> after:"
        ]
        lines += _compared("you", self.before, self.after)
        if self.others_before and self.others_after:
            lines += _compared("other people", self.others_before, self.others_after)
        return "\n".join(lines)


def _compared(who: str, before: Standing, after: Standing) -> list[str]:
    return [
        f"{who:13} landmarks {before.landmarks_percent:.2f}% -> {after.landmarks_percent:.2f}% of the inter-ocular "
        f"distance, shapes r {_r(before)} -> {_r(after)}, "
        f"found {before.presence:.1%} -> {after.presence:.1%}"
    ]


def _r(standing: Standing) -> str:
    return "-" if math.isnan(standing.correlation) else f"{standing.correlation:.3f}"


def no_better(before: Standing, after: Standing) -> bool:
    """Whether a user would miss something, or would see no gain beyond what writing as int8 anew changes by itself."""
    lost = (
        after.landmarks_percent > before.landmarks_percent * 1.005
        or after.correlation < before.correlation - LEAST_GAIN
        or after.presence < before.presence - LEAST_GAIN
    )
    gained = (
        after.landmarks_percent < before.landmarks_percent * (1 - LEAST_GAIN)
        or after.correlation > before.correlation + LEAST_GAIN
    )
    return lost or not gained


def personalize(
    footage: Path, teacher_path: Path, out: Path, settings: PersonalSettings = PersonalSettings(), *,
    start: Path | None = None, cache: Path | None = None, progress: Callable[[str], None] = print,
) -> Gain:  # fmt: skip
    """Train a student on `footage` (a video, or a folder of videos and images) and write `out/student.onnx`.

    `start` is a checkpoint (.pt) or a student.onnx, the shipped one by default; `cache` may hold a packed corpus.
    Labels are kept in `out/labels`. Raises SourceError, AssetError, SettingsError, OutputError.
    """
    began = time.monotonic()
    model = FaceModel.load()
    net, version = _start(start, model)
    mine = label_own(footage, teacher_path, out / "labels", settings.frames, _tell(progress))
    poses = fit_poses(mine, model)
    others = _others(cache, model, settings.tune.seed) if cache else None
    left = settings.minutes * 60 - RESERVE_SECONDS - (time.monotonic() - began)
    if left < SHORTEST_SECONDS:
        needed = math.ceil(10 * settings.minutes + (SHORTEST_SECONDS - left) / 6) / 10
        raise SettingsError(f"minutes {settings.minutes:g} leave no time to train; give at least {needed}")
    until, trained = time.monotonic() + left, int((~mine.validation).sum())
    progress(f"tuning on {trained} frames, for {left / 60:.1f} min at most")
    sources = [(mine, poses), *([others] if others else [])]
    objective = Objective(Decoder(model), torch.tensor(_spread(sources)))
    seen = look_at(net, (mine, poses), others, settings.tune, until)
    tuned, way = personal(net, seen, objective, settings.tune, until)
    with tempfile.TemporaryDirectory() as folder:
        first, last = start, Path(folder) / "after.onnx"
        if start and start.suffix != ".onnx":
            first = Path(folder) / "before.onnx"
            write_student(net, _crops(sources), first, version)
        write_student(tuned, _crops(sources), last, f"{version}+personal")
        judged = [evaluate(mine, poses, HELD, student) for student in (first, last)]
        before, after = map(_standing, judged)
        elsewhere: list[Standing] = []
        if others and others[0].validation.any():
            elsewhere = [_standing(evaluate(*others, OTHERS_HELD, student)) for student in (first, last)]
        path = None if no_better(before, after) else _put(last, out / "student.onnx")
    others_before, others_after = elsewhere or (None, None)
    held = sum(row.faces for row in judged[0])
    return Gain(trained, held, way, before, after, others_before, others_after, path)


def _put(made: Path, path: Path) -> Path:
    with whole(path) as part:
        shutil.copyfile(made, part)
    return path


def _tell(progress: Callable[[str], None]) -> Callable[[int, int, int], None]:
    return lambda done, total, faces: progress(f"{done} of {total} files labelled, {faces} faces")


def _start(path: Path | None, model: FaceModel) -> tuple[Student, str]:
    """The network to start from and its version."""
    if path is not None and path.suffix != ".onnx":
        return averaged(path, model), "1.0"
    net, stamps = thaw(path)
    trained_for = stamps.get("face_model", "")
    if trained_for != model.hash.hex():
        raise AssetError(
            f"{path or 'the shipped student'} was trained for face model {trained_for or 'unknown'}, but "
            f"{model.hash.hex()} is loaded; give the pair that belongs together"
        )
    return net, stamps.get("version", "").removesuffix("+personal")


def _others(cache: Path, model: FaceModel, seed: int) -> tuple[Corpus, Poses] | None:
    """Some of the general corpus, in memory; None where there is none, or nobody in it to learn from."""
    if not (cache / "corpus/labels.npz").is_file():
        return None
    packed, rng = load(cache, in_memory=False), np.random.default_rng(seed)
    if packed.validation.all():
        return None
    chosen = np.sort(np.concatenate([
        rng.permutation(np.flatnonzero(packed.validation == held))[:most]
        for held, most in ((False, OTHERS), (True, OTHERS_HELD))
    ]))  # fmt: skip
    some = Corpus(**{field.name: getattr(packed, field.name)[chosen] for field in fields(Corpus)})
    return some, fit_poses(some, model)


def _spread(sources: list[tuple[Corpus, Poses]]) -> np.ndarray:
    """float32 [52]: how much each shape moves in people at large, as far as we can know."""
    spreads = [score_std(corpus) for corpus, _ in sources]
    result: np.ndarray = spreads[1] if len(spreads) > 1 else np.maximum(spreads[0], LEAST_SPREAD)
    return result


def _crops(sources: list[tuple[Corpus, Poses]]) -> Iterator[np.ndarray]:
    return chain(*(calibration_crops(*source) for source in sources))


def _standing(rows: list[Held]) -> Standing:
    """Over all kinds of data, by their number of faces."""
    weight = np.array([row.faces for row in rows], float)
    share = weight / weight.sum()
    known = ~np.isnan([row.correlation for row in rows])
    correlation = [row.correlation for row in rows]
    r = float(np.average(np.array(correlation)[known], weights=weight[known])) if known.any() else float("nan")
    flat = [float(share @ np.array([getattr(row, name) for row in rows])) for name in ("landmarks_percent", "presence")]
    return Standing(flat[0], r, flat[1])

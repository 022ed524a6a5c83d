"""What each idea of the recipe buys: the same training with it and without.

Given a packed corpus it trains one arm after another from the same start, for the same number of steps and with the
same seed, and shows each to the people held out. An arm that is done is kept, one that was cut is taken up again. It
judges nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tracker.bench.report import json_line, open_folder, plain, table
from tracker.distill.accuracy import Accuracy, Turned, accuracy, shapes_error, turned
from tracker.distill.checkpoint import check_model
from tracker.distill.corpus import KINDS, SYNTHETIC, Corpus, load
from tracker.distill.current import current_model, geometry_of
from tracker.distill.lessons import SHARE, Lessons, Poses, sparse_faces
from tracker.distill.loop import drawing
from tracker.distill.losses import Terms
from tracker.distill.student import Student
from tracker.distill.thaw import thaw
from tracker.distill.train import Run, TrainSettings, averaged, poses_of, score_std, steps_of
from tracker.distill.whole import whole
from tracker.errors import SettingsError
from tracker.face.model import FaceModel

ALL = "all"
RENDERED = 400
"""The last so many synthetic faces are kept aside: the teacher is not the truth, and they have it."""
DATA = ("turned", "synthetic", "sparse", "phantoms")
"""Kinds of lessons that can be left out."""


@dataclass(frozen=True, slots=True)
class AblateSettings:
    """What every arm has in common."""

    steps: int = 3000
    batch: int = 128
    learning_rate: float = TrainSettings().learning_rate
    muon_learning_rate: float = TrainSettings().muon_learning_rate
    faces: int = 300
    """Held-out faces of each kind that are looked at."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or self.batch % 2 or self.faces < 3:
            raise SettingsError(
                f"steps {self.steps}, batch {self.batch}, faces {self.faces}; give steps from 1, an even batch and "
                "faces from 3"
            )


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train."""

    name: str
    terms: Terms
    left_out: str | None = None
    """One of `DATA`."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An arm's results."""

    name: str
    kinds: list[Accuracy]
    turned: Turned
    truth_error: float
    """Mean absolute error of the shapes on rendered faces kept aside; NaN where there are none."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Ground:
    """What all arms stand on."""

    corpus: Corpus
    poses: Poses
    lessons: Lessons
    profiles: list[tuple[np.ndarray, np.ndarray]]
    """Held-out crops with people's points."""
    model: FaceModel
    start: Student


def arms(lessons: Lessons) -> list[Arm]:
    """Everything in the default recipe, then each of its ideas left out, and each that it lacks put in."""
    usual = Terms()
    found = [Arm(ALL, usual)]
    for field in fields(Terms):
        value = getattr(usual, field.name)
        if isinstance(value, bool):
            name = f"{'without' if value else 'with'} {field.name}"
            found.append(Arm(name, replace(usual, **{field.name: not value})))
    return found + [Arm(f"without {name}", usual, name) for name in DATA if _has(lessons, name)]


def _has(lessons: Lessons, name: str) -> bool:
    if name == "phantoms":
        return lessons.phantoms is not None
    return bool(lessons.share[list(SHARE).index(name)] > 0)


def without(lessons: Lessons, name: str | None) -> Lessons:
    """The same lessons but for one kind, the others drawn that much more often."""
    fewer = copy(lessons)
    if name == "phantoms":
        fewer.phantoms = None
    elif name is not None:
        share = lessons.share * [kind != name for kind in SHARE]
        fewer.share = share / share.sum()
    return fewer


def ablate(
    cache: Path, data: Path, out: Path, settings: AblateSettings = AblateSettings(), *, start: Path | None = None,
    only: tuple[str, ...] = (), progress: Callable[[str], None] = print,
) -> str:  # fmt: skip
    """Train what `out` does not hold yet and add it there; returns the table, which stands beside it as text.

    `start` is a checkpoint or a student.onnx, random weights by default; `only` names arms (see `arms`). Raises
    SettingsError for unknown arms or an `out` of other settings, SourceError, AssetError, OutputError.
    """
    if out.is_dir() or out.suffix == ".txt":
        raise SettingsError(f"{out} cannot hold the arms: their table goes into a .txt beside; give {out.stem}.json")
    named = _named(start)
    ground = _ground(cache, data, settings, start)
    same = {
        **plain_dict(settings), "start": named, "lessons": _digest(ground), "face_model": ground.model.hash.hex(),
    }  # fmt: skip
    done = _done(out, same)
    todo = arms(ground.lessons)
    names = [arm.name for arm in todo]
    if unknown := [name for name in only if name not in names]:
        raise SettingsError(f"no arm {unknown[0]!r}; valid: {', '.join(names)}")
    open_folder(out.parent)
    chosen = [arm for arm in todo if not only or arm.name in only]
    for number, arm in enumerate(chosen):
        if arm.name in done:
            continue
        progress(f"arm {number + 1} of {len(chosen)}: {arm.name}")
        done[arm.name] = plain_dict(_train(arm, ground, settings, _checkpoint(cache, arm, same), progress))
        _write(out, same, done)
    shown = show(done, same)
    with whole(out.with_suffix(".txt")) as part:
        part.write_text(shown + "\n")
    return shown


def _ground(cache: Path, data: Path, settings: AblateSettings, start: Path | None) -> Ground:
    model = current_model(cache)
    corpus = load(cache, made=True)
    poses = poses_of(cache, corpus, model)
    corpus = replace(corpus, validation=corpus.validation | rendered_aside(corpus))
    lessons = Lessons(corpus, poses, model, data, cache, settings.seed)
    torch.manual_seed(settings.seed)
    return Ground(corpus, poses, lessons, sparse_faces(data, held_out=True), model, _begun(start, model))


def _begun(start: Path | None, model: FaceModel) -> Student:
    """The network that all arms start from. Raises AssetError for one that was trained through other shapes."""
    if start is None:
        return Student()
    if start.suffix != ".onnx":
        return averaged(start, model)
    net, told = thaw(start)
    through, shipped = told.get("face_model", "unknown"), FaceModel.load()
    if through != model.hash.hex():
        geometry = geometry_of(shipped) if through == shipped.hash.hex() else "unknown"
        check_model(start, {"face_model": through, "geometry": geometry}, model)
    return net


def rendered_aside(corpus: Corpus) -> np.ndarray:
    """bool [N]: rendered faces that no arm is taught, whole people. A start that was trained has met them."""
    rows = np.flatnonzero(corpus.kind == SYNTHETIC)
    aside = np.zeros(len(corpus), bool)
    aside[rows[-min(RENDERED, len(rows) // 4 * 2) :] if len(rows) >= 4 else []] = True
    return aside


def _train(
    arm: Arm, ground: Ground, settings: AblateSettings, checkpoint: Path, progress: Callable[[str], None]
) -> Finished:
    """One arm to its end. Its clock counts steps as seconds, so that a slow machine trains as a fast one does."""
    recipe = TrainSettings(
        minutes=settings.steps / 60, batch=settings.batch, learning_rate=settings.learning_rate,
        muon_learning_rate=settings.muon_learning_rate, seed=settings.seed, terms=arm.terms,
    )  # fmt: skip
    run, began = Run(ground.model, score_std(ground.corpus), recipe), time.monotonic()
    for net in (run.net, run.average):
        net.load_state_dict(ground.start.state_dict())
    if checkpoint.is_file():
        run.resume(checkpoint)
        progress(f"resuming at step {run.steps}")
    run.net.train()
    saved = began
    with drawing(without(ground.lessons, arm.left_out), settings.batch, settings.seed + run.steps) as draw:
        while run.steps < settings.steps:
            run.step(draw())
            run.seconds = float(run.steps)
            if run.steps % 100 == 0:
                progress(f"step {run.steps} of {settings.steps}")
            if time.monotonic() - saved > recipe.checkpoint_minutes * 60:
                run.save(checkpoint)
                saved = time.monotonic()
    net, seconds = deepcopy(run.average).cpu().eval(), time.monotonic() - began
    rows = accuracy(net, ground.corpus, ground.poses, ground.model, settings.faces)
    rendered = np.flatnonzero(rendered_aside(ground.corpus))
    error = shapes_error(net, ground.corpus, ground.poses, rendered)
    result = Finished(arm.name, rows, turned(net, ground.profiles, ground.model), error, seconds)
    checkpoint.unlink(missing_ok=True)
    return result


def plain_dict(value: object) -> dict:
    """A dataclass as what JSON has."""
    made = plain(value)
    assert isinstance(made, dict)
    return made


def _named(start: Path | None) -> str:
    """What is started from, the same for the same content."""
    if start is None:
        return "random weights"
    if not start.is_file():
        raise SettingsError(f"no file {start} to start from; give a student.pt or a student.onnx")
    digest = hashlib.sha256(start.read_bytes()).hexdigest()[:16]
    if start.suffix == ".onnx":
        return f"student {thaw(start)[1].get('version', 'of no version')} ({digest})"
    return f"a student of {steps_of(start):,} steps ({digest})"


def _digest(ground: Ground) -> str:
    """Of all that is learned from and judged by: other faces, labels or kinds give other figures."""
    corpus, lessons = ground.corpus, ground.lessons
    digest = hashlib.sha256(np.ascontiguousarray(corpus.landmarks[::61]).tobytes())
    for column in (corpus.kind, corpus.clip, corpus.person, corpus.validation, corpus.scores):
        digest.update(np.ascontiguousarray(column).tobytes())
    for _, points in (*lessons.sparse, *ground.profiles):
        digest.update(points.tobytes())
    digest.update(b"" if lessons.phantoms is None else np.ascontiguousarray(lessons.phantoms[::7]).tobytes())
    return digest.hexdigest()[:16]


def _checkpoint(cache: Path, arm: Arm, same: dict) -> Path:
    key = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]
    return cache / "ablation" / f"{arm.name.replace(' ', '_')}_{key}.pt"


def _done(out: Path, same: dict) -> dict[str, dict]:
    """The arms that `out` holds."""
    if not out.is_file():
        return {}
    try:
        result = json.loads(out.read_text())["result"]
        settings, kept = result["settings"], result["arms"]
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{out} holds no ablation; give another file to write to") from error
    if settings != same:
        apart = [f"{name} {settings.get(name, 'unknown')} there, {same[name]} here" for name in same
                 if settings.get(name) != same[name]]  # fmt: skip
        raise SettingsError(f"{out} holds an ablation with {'; '.join(apart)}; give another file or take it away")
    return {arm["name"]: arm for arm in kept}


def _write(out: Path, same: dict, done: dict[str, dict]) -> None:
    with whole(out) as part:
        part.write_text(json_line("ablation", {"settings": same, "arms": list(done.values())}) + "\n")


def show(done: dict[str, dict], same: dict[str, Any]) -> str:
    """The table: a row an arm; what is in percent of the inter-ocular distance per kind, the rest over all kinds."""
    headers = [
        "arm", *(f"{kind} %" for kind in KINDS), "guides %", "shapes r", "pose deg", "by guides", "turned %",
        "identity", "truth",
    ]  # fmt: skip
    rows = []
    for arm in done.values():
        kinds = {row["kind"]: row for row in arm["kinds"]}
        counts = [row["faces"] for row in kinds.values()]
        names = ("guides_percent", "correlation", "rotation_deg", "guided_rotation_deg")
        means = [_mean([row[name] for row in kinds.values()], counts) for name in names]
        # A recipe without guides leaves those outputs as they were.
        means = [None if "guides" in name and arm["name"] == "without guides" else mean
                 for name, mean in zip(names, means, strict=True)]  # fmt: skip
        per_kind = [kinds[kind]["landmarks_percent"] if kind in kinds else None for kind in KINDS]
        within = kinds.get("clips", {}).get("identity_within")
        rows.append([arm["name"], *per_kind, *means, arm["turned"]["points_percent"], within, arm.get("truth_error")])
    title = f"{same['steps']:,} steps of {same['batch']} crops from {same['start']}, every arm; on people held out"
    return table(headers, rows, title)


def _mean(values: list[float | None], counts: list[int]) -> float | None:
    known = [(value, count) for value, count in zip(values, counts, strict=True) if value is not None]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else None

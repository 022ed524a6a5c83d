"""The commands that learn: `facewire distill ...`.

Each is a step of `tracker.distill`, of which nothing is imported before its command is asked for, and nothing at run
time needs it.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

from tracker.errors import AssetError, BackendUnavailable, SourceError
from tracker.measuring import show_progress

CACHE = Path("out/distill")


@click.group(invoke_without_command=True)
@click.pass_context
def distill(ctx: click.Context) -> None:
    """Learn the networks from a teacher (offline; needs the train extra).

    \b
    In this order, DATA being a folder with clips/, images/ and aflw_crops/, or with these in train/:
        facewire distill label DATA --teacher face_landmarker.task
        facewire distill model
        facewire distill phantoms DATA --teacher face_landmarker.task
        facewire distill turn
        facewire distill synthesize DATA --teacher face_landmarker.task
        facewire distill train DATA --minutes 180
        facewire distill detector DATA --minutes 38
        facewire distill export DATA --out tracker/assets
        facewire distill evaluate

    Every step can be cut: called again it goes on, or starts anew where that is quick. Files are written whole or
    not at all. The face model and the networks stay in the cache until export puts them in place together.

    \b
    A student for your own face and camera:
        facewire distill personalize ME.mp4 --teacher face_landmarker.task
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


class _Minutes(click.FloatRange):
    """A time above 0 that ends; a plain range takes nan for one."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        minutes = super().convert(value, param, ctx)
        if not math.isfinite(minutes):
            self.fail(f"{value} is no number of minutes; give one above 0, such as 70.", param, ctx)
        return minutes


def _minutes(default: float, text: str = "How long.") -> Any:
    return click.option("--minutes", type=_Minutes(), default=default, show_default=True, help=text)


_cache = click.option(
    "--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True, help="For labels and checkpoints."
)
_data = click.argument("data", type=click.Path(path_type=Path))
_teacher = click.option(
    "--teacher", type=click.Path(path_type=Path), required=True, envvar="FACEWIRE_TEACHER", show_envvar=True,
    help="The face_landmarker.task to learn from.",
)  # fmt: skip
_RATE = click.FloatRange(min=0, min_open=True)
_checkpoint = click.option(
    "--checkpoint", type=click.Path(path_type=Path), metavar="FILE",
    help="Start from this student.pt or student.onnx.",
)  # fmt: skip


@distill.command()
@_data
@_cache
@_teacher
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes.")
def label(data: Path, cache: Path, teacher: Path, workers: int) -> None:
    """Have the teacher label DATA.

    Every clip and image goes into the cache, and what DATA holds now is packed at the end. A file that this teacher
    has labelled as it is now is not labelled again.
    """
    from tracker.distill import corpus
    from tracker.distill.label import label as label_folder
    from tracker.distill.shelf import FOLDERS, files_in, taught

    project = _project(data)
    there = {kind: taught(project) / folder for kind, folder in FOLDERS.items() if (taught(project) / folder).is_dir()}
    if not there:
        raise SourceError(f"{data} holds none of clips/, images/ and aflw_crops/; put videos into {data / 'clips'}")
    there = {kind: folder for kind, folder in there.items() if files_in(folder)} or there
    for kind, folder in there.items():
        most = 4 if kind == "images" else 1
        target = cache / "labels" / kind
        label_folder(folder, teacher, target, workers=workers, max_faces=most, progress=_labelled)
    if "aflw" in there and not corpus.aflw_truth(project):
        click.echo(f"{there['aflw']} has no truth.npz, without which its crops are not trained on", err=True)
    packed = corpus.pack(cache, project)
    click.echo(f"packed {len(packed)} faces into {cache / 'corpus'}")


@distill.command()
@_data
@_cache
@_minutes(70.0)
@click.option("--open", "open_only", is_flag=True, help="Train on openly licensed files and your own only.")
def train(data: Path, cache: Path, minutes: float, open_only: bool) -> None:
    """Train the student.

    A second call goes on where the last one ended, or was stopped with Ctrl-C.
    """
    _need_torch()
    from tracker.distill import train as training

    settings = training.TrainSettings(minutes=minutes)
    checkpoint = training.train(cache, _project(data), settings, open_only=open_only, progress=click.echo)
    click.echo(f"wrote {checkpoint}")


@distill.command()
@_cache
@click.option("--out", type=click.Path(path_type=Path), help="In the cache by default, where later steps look for it.")
@click.option("--geometry", type=click.Path(path_type=Path), help="Keep the shapes of this model, learn its colours.")
def model(cache: Path, out: Path | None, geometry: Path | None) -> None:
    """Learn the face model from the labels: mean, identities, shapes, triangles, colours.

    It stays in the cache, where later steps train through it, until export puts it beside the networks. A student
    trained through another is refused.
    """
    from tracker.bench.report import json_line
    from tracker.distill import corpus, current, explained, shape
    from tracker.distill.whole import whole
    from tracker.face.model import FaceModel

    packed, out = corpus.load(cache, in_memory=False), out or cache / current.FILE
    with whole(out) as part:
        residuals = shape.build_model(packed, part, geometry)
    if residuals:  # else nobody is kept aside
        report = explained.explain(packed, FaceModel.load(out))
        click.echo(explained.card_table(report))
        for name, percent in residuals.items():
            click.echo(f"held-out people, {name:7} {percent:.2f}% of the inter-ocular distance")
        click.echo(json_line("face_model", report))
    click.echo(f"wrote {out}")


@distill.command()
@_data
@_cache
@_minutes(38.0)
def detector(data: Path, cache: Path, minutes: float) -> None:
    """Train the face detector on composed views.

    A second call goes on where the last one ended, or was stopped with Ctrl-C.
    """
    _need_torch()
    from tracker.distill import corpus, lessons, scenes, train_detector
    from tracker.distill import train as training
    from tracker.distill.current import current_model
    from tracker.distill.export import DETECTOR

    packed, folder = corpus.load(cache), _project(data)
    poses = training.poses_of(cache, packed, current_model(cache))
    views = scenes.Scenes(packed, poses, folder, cache, lessons.sparse_faces(folder))
    settings = train_detector.DetectorSettings(minutes=minutes)
    train_detector.train_detector(views, cache / DETECTOR, settings, progress=click.echo)
    click.echo(f"wrote {cache / DETECTOR}")


@distill.command()
@_data
@_cache
@_teacher
@click.option("--count", type=click.IntRange(min=1), default=4000, show_default=True, help="At most so many.")
@_minutes(8.0)
def phantoms(data: Path, cache: Path, teacher: Path, count: int, minutes: float) -> None:
    """Mine what the shipped networks take for a face where there is none.

    Faces of the training pictures are covered in many ways; what still passes for one is kept, to be taught as none.
    """
    from tracker.distill import phantoms as haunting

    found = haunting.mine(_project(data), teacher, cache, count=count, minutes=minutes, progress=show_progress)
    click.echo(f"wrote {found} phantoms to {cache / haunting.FILE}")


@distill.command()
@_cache
@click.option("--count", type=click.IntRange(min=2), default=10_000, show_default=True, help="Faces, in pairs.")
def turn(cache: Path, count: int) -> None:
    """Turn labelled faces out of plane, up to profile.

    The teacher finds few faces beyond 60 degrees; those it finds are turned on, landmarks and all.
    """
    _need_torch()
    from tracker.distill import turn as turning

    click.echo(f"wrote {turning.turn_faces(cache, count, progress=click.echo)}")


@distill.command()
@_data
@_cache
@_teacher
@click.option("--count", type=click.IntRange(min=2), default=46_000, show_default=True, help="Faces.")
def synthesize(data: Path, cache: Path, teacher: Path, count: int) -> None:
    """Render faces of which everything is known.

    DATA/ict holds the ICT-FaceKit model; its coefficients are exact, which no teacher's are. The teacher only says
    where its points lie on that head.
    """
    from tracker.distill import synthesize as rendering

    click.echo(f"wrote {rendering.synthesize(cache, _project(data), teacher, count, progress=click.echo)}")


@distill.command()
@_data
@_cache
@click.option("--out", type=click.Path(path_type=Path), default=Path("assets"), show_default=True, help="Folder.")
@click.option("--open", "open_only", is_flag=True, help="The student of train --open.")
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw a PNG: deviations promised and seen."
)
def export(data: Path, cache: Path, out: Path, open_only: bool, figure: Path | None) -> None:
    """Write what was trained as int8 ONNX, calibrated on the training faces.

    A face model that was learned into the cache goes along; all files are put in place, or none.

    \b
    Use them with:
        facewire run SOURCE --student assets/student.onnx [--face-model assets/face_model.npz]
    """
    _need_torch()
    from tracker.distill import export as exporting

    made = exporting.export(cache, _project(data), out, open_only=open_only, figure=figure, progress=click.echo)
    click.echo(f"wrote {', '.join(map(str, made))}")


@distill.command()
@_cache
@click.option("--student", type=click.Path(path_type=Path), help="An ONNX file; the shipped one by default.")
def evaluate(cache: Path, student: Path | None) -> None:
    """Compare the student with the teacher on the people kept aside.

    A STUDENT is taken to go with the face model in the cache, where one was learned, the shipped one with the shipped.
    """
    _need_torch()
    from tracker.distill import corpus
    from tracker.distill import evaluate as evaluating
    from tracker.distill import train as training
    from tracker.distill.current import current_model
    from tracker.face.model import FaceModel

    packed = corpus.load(cache, in_memory=False)
    if not packed.validation.any():
        raise SourceError(f"{cache} keeps nobody aside: too few people are labelled; label more clips or images")
    through = FaceModel.load() if student is None else current_model(cache)
    poses = training.poses_of(cache, packed, through)
    for row in evaluating.evaluate(packed, poses, student=student, model=through):
        moving = f"{row.correlation:.3f}", f"{row.expression_coverage:.1%}"
        # Over one face, or faces that all rest, nothing can be said of shapes.
        r, within = ("-" if "nan" in text else text for text in moving)
        click.echo(
            f"{row.kind:7} {row.faces:5} faces  landmarks {row.landmarks_percent:.2f}% of inter-ocular  shapes r "
            f"{r}  presence {row.presence:.1%}  within one std {within}"
        )


@distill.command()
@click.argument("footage", type=click.Path(path_type=Path))
@_cache
@_teacher
@_checkpoint
@click.option("--out", type=click.Path(path_type=Path), default=Path("personal"), show_default=True, help="Folder.")
@_minutes(8.0, "How long at most, in all.")
def personalize(footage: Path, cache: Path, teacher: Path, checkpoint: Path | None, out: Path, minutes: float) -> None:
    """Train a student for the face and camera of FOOTAGE.

    FOOTAGE is a video, or a folder of videos and images, of one person; its last fifth is kept out of the training and
    judges it. The last two layers are tuned, as far as the rest of the footage shows it to be worth. A corpus in the
    cache is mixed in, so that other people lose less. Nothing is written when the student got no better.

    \b
    Example:
        facewire distill personalize ME.mp4 --teacher face_landmarker.task --out mine
        facewire run v4l2:/dev/video0 --student mine/student.onnx
    """
    _need_torch()
    from tracker.distill import personalize as personal

    settings = personal.PersonalSettings(minutes=minutes)
    gain = personal.personalize(footage, teacher, out, settings, start=checkpoint, cache=cache, progress=click.echo)
    click.echo(str(gain))
    if gain.path is None:
        raise AssetError(
            f"the student got no better on the frames held out of {footage}, so nothing was written; give more footage"
        )
    click.echo(f"wrote {gain.path}; use it with: facewire run SOURCE --student {gain.path}")


@distill.command()
@_data
@_cache
@_checkpoint
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench/results/ablation.json"), show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=3000, show_default=True, help="Of every arm.")
@click.option("--batch", type=click.IntRange(min=2), default=128, show_default=True)
@click.option("--learning-rate", type=_RATE, default=2.5e-3, show_default=True, help="Of biases, first and last layer.")
@click.option("--muon-learning-rate", type=_RATE, default=5e-3, show_default=True, help="Of all other layers.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--arm", "only", multiple=True, help="Only this one, such as 'all' or 'without guides'; can be repeated.")
def ablate(data: Path, cache: Path, checkpoint: Path | None, out: Path, only: tuple[str, ...], **flags: Any) -> None:
    """Train with and without each idea of the recipe.

    Every arm starts from the same weights, random ones by default. Arms that OUT holds are kept; a run that was cut
    goes on. From a trained student lower rates are wanted, and what the table shows is what an idea is worth in as
    many steps more, not in a whole training.

    \b
    Example:
        facewire distill ablate DATA --checkpoint tracker/assets/student.onnx --steps 600 --batch 64 \\
            --learning-rate 1e-3 --muon-learning-rate 1.6e-3 --out out/ablation.json
    """
    _need_torch()
    from tracker.distill import ablate as ablating

    settings = ablating.AblateSettings(**flags)
    click.echo(ablating.ablate(cache, _project(data), out, settings, start=checkpoint, only=only, progress=click.echo))
    click.echo(f"wrote {out}")


@distill.command()
@_cache
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo.mp4"), show_default=True)
def clip(cache: Path, out: Path) -> None:
    """Render the demo clip from the face model and the mean texture of the training people."""
    from tracker.distill import clip as clips
    from tracker.distill import corpus, texture
    from tracker.distill.current import current_model

    face_model = current_model(cache)
    clips.render_clip(face_model, texture.learn_texture(corpus.load(cache, in_memory=False), face_model), out)
    click.echo(f"wrote {out}")


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendUnavailable(f"training needs torch ({error}): pip install 'facewire[train]'") from error


def _project(data: Path) -> Path:
    """The folder that holds `train/` and the manifest, given it or its `train/`, be it as `.` or `..`.

    Raises SourceError where there is none: a training would go without its stills and people's points, unsaid.
    """
    if not data.is_dir():
        raise SourceError(f"no folder {data}; give DATA, with clips/, images/ or aflw_crops/, or with these in train/")
    data = Path(os.path.abspath(data))
    return data.parent if data.name == "train" else data


def _labelled(done: int, total: int, faces: int) -> None:
    show_progress(done, total, f"files, {faces} faces")

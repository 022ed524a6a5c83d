"""The commands that measure and that learn: `facewire bench ...` and `facewire distill ...`.

Each bench is a module of `tracker.bench` with `Settings`, `measure` and `report`; its command is made from that. The
steps of distillation are called in the order in which they stand here. Nothing of either is imported before its
command is asked for, and nothing at run time needs them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tracker.errors import AssetError, BackendUnavailable
from tracker.settings import SettingsCommand, build

# Name -> what it measures and an example. The first field of the module's Settings is the positional argument.
BENCHES = {
    "latency": (
        "How long from a decoded frame to its message, by stage, beside MediaPipe on the same frames.",
        "facewire bench latency talk.mp4 --peer mediapipe --teacher face_landmarker.task --one-core",
    ),
    "accuracy": (
        "Agreement with the teacher on clips, and error against truth on AFLW2000-3D and 300-W.",
        "facewire bench accuracy data/eval --teacher face_landmarker.task",
    ),
    "detector": (
        "Recall by size of face, and false faces per thousand faceless frames.",
        "facewire bench detector data/eval",
    ),
    "kernels": ("Every backend of every kernel, or of one.", "facewire bench kernels crop_roi"),
    "runtimes": ("The student on OpenVINO and on ONNX Runtime.", "facewire bench runtimes"),
}
CACHE = Path("out/distill")
CALIBRATION_VIEWS = 240


@click.group()
def bench() -> None:
    """Measure: each prints a table and ends in one JSON line."""


def _module(name: str) -> Any:
    try:
        return import_module(f"tracker.bench.{name}")
    except ImportError as error:
        raise BackendUnavailable(f"bench {name} needs more ({error}): pip install 'facewire[bench]'") from error


def _bench_command(name: str, text: str, example: str) -> SettingsCommand:
    def measure(out: Path | None, **flags: Any) -> None:
        from tracker.bench.report import emit

        module = _module(name)
        result = module.measure(build(module.Settings, flags), _progress)
        emit(name, module.report(result), result, out)

    return SettingsCommand(
        name,
        sections=lambda: {name: _module(name).Settings},
        argument=True,
        callback=measure,
        params=[click.Option(["--out"], type=click.Path(path_type=Path), metavar="FILE", help="Write the JSON line.")],
        help=f"{text}\n\n\b\nExample:\n    {example}",
    )


for _name, (_text, _example) in BENCHES.items():
    bench.add_command(_bench_command(_name, _text, _example))


def _progress(done: int, total: int, text: str) -> None:
    """One line that overwrites itself, for a person only: a log keeps nothing of it."""
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"\x1b[K{done} of {total}  {text}", end=end, file=sys.stderr, flush=True)


@click.group()
def distill() -> None:
    """Learn the networks from a teacher (offline; needs the train extra).

    \b
    In this order, DATA being a folder with clips/, images/ and aflw_crops/:
        facewire distill label DATA --teacher face_landmarker.task
        facewire distill model --out tracker/assets/face_model.npz
        facewire distill train DATA --minutes 70
        facewire distill detector DATA --minutes 38
        facewire distill export DATA --out tracker/assets
        facewire distill evaluate
    """


_cache = click.option(
    "--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True, help="For labels and checkpoints."
)
_data = click.argument("data", type=click.Path(path_type=Path))


@distill.command()
@_data
@_cache
@click.option("--teacher", type=click.Path(path_type=Path), required=True, envvar="FACEWIRE_TEACHER", show_envvar=True)
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes.")
def label(data: Path, cache: Path, teacher: Path, workers: int) -> None:
    """Have the teacher label DATA.

    Every clip and image goes into the cache, which is packed at the end; what is there already is kept.
    """
    from tracker.distill import corpus
    from tracker.distill.label import label as label_folder

    for folder, kind, most in (("clips", "clips", 1), ("images", "images", 4), ("aflw_crops", "aflw", 1)):
        if (data / folder).is_dir():
            target = cache / "labels" / kind
            label_folder(data / folder, teacher, target, workers=workers, max_faces=most, progress=_labelled)
    packed = corpus.pack(cache, _project(data))
    click.echo(f"packed {len(packed)} faces into {cache / 'corpus'}")


@distill.command()
@_data
@_cache
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), default=70.0, show_default=True, help="How long."
)
@click.option("--open", "open_only", is_flag=True, help="Train on openly licensed rows only.")
def train(data: Path, cache: Path, minutes: float, open_only: bool) -> None:
    """Train the student.

    A second call goes on where the last one ended.
    """
    _need_torch()
    from tracker.distill import train as training

    settings = training.TrainSettings(minutes=minutes)
    checkpoint = training.train(cache, _project(data), settings, open_only=open_only, progress=click.echo)
    click.echo(f"wrote {checkpoint}")


@distill.command()
@_cache
@click.option("--out", type=click.Path(path_type=Path), default=Path("face_model.npz"), show_default=True)
def model(cache: Path, out: Path) -> None:
    """Learn the face model from the labels: mean, identities, shapes, triangles, colour."""
    from tracker.distill import corpus, shape

    residuals = shape.build_model(corpus.load(cache, in_memory=False), out)
    for name, percent in residuals.items():
        click.echo(f"held-out people, {name:7} {percent:.2f}% of the inter-ocular distance")
    click.echo(f"wrote {out}")


@distill.command()
@_data
@_cache
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), default=38.0, show_default=True, help="How long."
)
def detector(data: Path, cache: Path, minutes: float) -> None:
    """Train the face detector on composed views."""
    _need_torch()
    from tracker.distill import corpus, detector_net, lessons, scenes
    from tracker.distill import train as training
    from tracker.face.model import FaceModel

    packed, folder = corpus.load(cache), _project(data)
    poses = training.poses_of(cache, packed, FaceModel.load())
    views = scenes.Scenes(packed, poses, folder, cache, lessons.sparse_faces(folder))
    detector_net.train_detector(views, cache / "detector.pt", minutes, progress=click.echo)
    click.echo(f"wrote {cache / 'detector.pt'}")


@distill.command()
@_data
@_cache
@click.option("--out", type=click.Path(path_type=Path), default=Path("assets"), show_default=True, help="Folder.")
def export(data: Path, cache: Path, out: Path) -> None:
    """Write what was trained as int8 ONNX, calibrated on the training faces."""
    _need_torch()
    from tracker.distill import corpus, lessons, scenes
    from tracker.distill import export as exporting
    from tracker.distill import train as training
    from tracker.face.model import FaceModel

    out.mkdir(parents=True, exist_ok=True)
    packed = corpus.load(cache, in_memory=False)
    trained = {name: cache / f"{name}.pt" for name in ("student", "detector") if (cache / f"{name}.pt").is_file()}
    if not trained:
        raise AssetError(f"{cache} holds no checkpoint; run `facewire distill train DATA` first")
    poses = training.poses_of(cache, packed, FaceModel.load())
    if "student" in trained:
        exporting.export_student(trained["student"], packed, poses, out / "student.onnx")
    if "detector" in trained:
        folder = _project(data)
        views = scenes.Scenes(packed, poses, folder, cache, lessons.sparse_faces(folder)).batch(CALIBRATION_VIEWS)[0]
        exporting.export_detector(trained["detector"], views, out / "detector.onnx")
    click.echo(f"wrote {', '.join(str(out / f'{name}.onnx') for name in trained)}")


@distill.command()
@_cache
@click.option("--student", type=click.Path(path_type=Path), help="An ONNX file; the shipped one by default.")
def evaluate(cache: Path, student: Path | None) -> None:
    """Compare the student with the teacher on the people kept aside."""
    from tracker.distill import corpus, lessons
    from tracker.distill import evaluate as evaluating
    from tracker.face.model import FaceModel

    packed = corpus.load(cache, in_memory=False)
    poses = lessons.fit_poses(packed, FaceModel.load())
    for row in evaluating.evaluate(packed, poses, student=student):
        click.echo(
            f"{row.kind:7} {row.faces:5} faces  landmarks {row.landmarks_percent:.2f}% of inter-ocular  shapes r "
            f"{row.correlation:.3f}  presence {row.presence:.1%}  within one std {row.expression_coverage:.1%}"
        )


@distill.command()
@_cache
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo.mp4"), show_default=True)
def clip(cache: Path, out: Path) -> None:
    """Render the demo clip from the face model and the mean texture of the training people."""
    from tracker.distill import clip as clips
    from tracker.distill import corpus, texture
    from tracker.face.model import FaceModel

    face_model = FaceModel.load()
    clips.render_clip(face_model, texture.learn_texture(corpus.load(cache, in_memory=False), face_model), out)
    click.echo(f"wrote {out}")


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendUnavailable(f"training needs torch ({error}): pip install 'facewire[train]'") from error


def _project(data: Path) -> Path:
    """The folder that holds `train/` and the manifest, given it or its `train/`."""
    return data.parent if data.name == "train" else data


def _labelled(done: int, total: int, faces: int) -> None:
    _progress(done, total, f"files, {faces} faces")

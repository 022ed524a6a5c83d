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

from tracker.errors import BackendUnavailable
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
        facewire distill train DATA --minutes 70
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
    try:
        from tracker.distill import train as training
    except ImportError as error:
        raise BackendUnavailable(f"training needs torch ({error}): pip install 'facewire[train]'") from error
    settings = training.TrainSettings(minutes=minutes)
    checkpoint = training.train(cache, _project(data), settings, open_only=open_only, progress=click.echo)
    click.echo(f"wrote {checkpoint}")


def _project(data: Path) -> Path:
    """The folder that holds `train/` and the manifest, given it or its `train/`."""
    return data.parent if data.name == "train" else data


def _labelled(done: int, total: int, faces: int) -> None:
    _progress(done, total, f"files, {faces} faces")

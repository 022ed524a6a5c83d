"""The commands that measure: `facewire bench ...`.

Each bench is a module of `tracker.bench` with `Settings`, `measure` and `report`; its command is made from that.
Nothing of it is imported before its command is asked for, and nothing at run time needs it.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tracker.errors import BackendUnavailable, SettingsError
from tracker.settings import TRACKING_SECTIONS, SettingsCommand, build

# Name -> what it measures and an example. The first field of the module's Settings is the positional argument.
BENCHES = {
    "latency": (
        "How long from a decoded frame to its message, by stage, beside MediaPipe on the same frames.",
        "facewire bench latency talk.mp4 --peer mediapipe --teacher face_landmarker.task --one-core",
    ),
    "end-to-end": (
        "How long from a frame's due time to its receipt in another process: decoding, tracking and the socket.",
        "facewire bench end-to-end --minutes 5 --sizes 360,720,1080 --rates 30,60 --slow 2",
    ),
    "soak": (
        "A hundred thousand frames as fast as possible: is memory flat, does every number arrive, once? Exits with 1 "
        "where not.",
        "facewire bench soak --frames 100000",
    ),
    "accuracy": (
        "Agreement with the teacher on clips, and error against truth: AFLW2000-3D, 300-W, rendered faces; by group.",
        "facewire bench accuracy data/eval --teacher face_landmarker.task",
    ),
    "detector": (
        "Recall by size of face, and false faces per thousand faceless frames.",
        "facewire bench detector data/eval --teacher face_landmarker.task",
    ),
    "refine": (
        "What looking at the pixels brings: landmarks on rendered people who move, confidence of covered regions.",
        "facewire bench refine data --teacher face_landmarker.task --figure covered.png",
    ),
    "smoothing": (
        "Jitter at rest against lag in motion: our filter, others' and MediaPipe's, on people whose motion is known.",
        "facewire bench smoothing data --teacher face_landmarker.task --figure smoothing.png",
    ),
    "kernels": (
        "Every backend of every kernel, or of one: compared with the reference first, timed where they agree. Exits "
        "with 1 where one differs, with 3 where nothing could be compared here.",
        "facewire bench kernels rasterize --peers",
    ),
    "gpu": (
        "What an NVIDIA GPU brings: pictures a second, whole frames by the batch, decoded to received. Every kernel is "
        "compared first, and times count only after that. Exits with 0 when all was measured, with 1 when a comparison "
        "failed, a part broke off or a message was lost, with 2 for a mistake such as a missing clip. Without a "
        "GPU it compares what it can, says what it could not measure, and exits with 3.",
        "facewire bench gpu",
    ),
    "runtimes": ("The student on OpenVINO and on ONNX Runtime.", "facewire bench runtimes"),
}


# Name -> its section of a settings file; the tracker has some of these names, too.
SECTIONS = {name: f"bench-{name}" if name in TRACKING_SECTIONS else name for name in BENCHES}


@click.group(invoke_without_command=True)
@click.pass_context
def bench(ctx: click.Context) -> None:
    """Measure: each prints a table and ends in one JSON line."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _module(name: str) -> Any:
    try:
        return import_module(f"tracker.bench.{name.replace('-', '_')}")
    except ImportError as error:
        raise BackendUnavailable(f"bench {name} needs more ({error}): pip install 'facewire[bench]'") from error


def _require_apart(settings: Any, outputs: dict[str, Path]) -> None:
    """Raises SettingsError where one of the outputs, by their flags, would be written over what is measured, or over
    the other."""
    from tracker.source.address import require_apart

    values = (getattr(settings, field.name) for field in fields(settings) if f"--{field.name}" not in outputs)
    for value in values:
        for flag, path in outputs.items():
            if isinstance(value, Path) and value.is_file():
                require_apart(str(value), [path], flag)
    if len({path.resolve() for path in outputs.values()}) < len(outputs):
        raise SettingsError(f"--out and --figure are both {outputs['--out']}; give each a file of its own")


def _bench_command(name: str, text: str, example: str) -> SettingsCommand:
    def measure(out: Path | None, **flags: Any) -> int:
        from tracker.bench.measure import machine
        from tracker.bench.report import check_writable, emit, open_folder

        module = _module(name)
        settings = build(module.Settings, flags)
        outputs = {"--out": out, "--figure": getattr(settings, "figure", None)}
        _require_apart(settings, {flag: path for flag, path in outputs.items() if path is not None})
        for path in outputs.values():
            if path is not None:
                check_writable(path)
        if getattr(settings, "cache", None) is not None:
            open_folder(settings.cache)
        before = machine()  # how busy it was, without what is measured
        result = module.measure(settings, show_progress)
        # A bench that has a file of its own, pictures to draw, or more to say than that it ran, says so.
        own, draw, status = (getattr(module, what, None) for what in ("out_of", "draw", "status"))
        emit(name.replace("-", "_"), module.report(result), result, out or (own(result) if own else None), before)
        if draw:
            draw(result, settings)
        return status(result) if status else 0

    return SettingsCommand(
        name,
        sections=lambda: {SECTIONS[name]: _module(name).Settings},
        argument=True,
        foreign=(*TRACKING_SECTIONS, *SECTIONS.values()),
        callback=measure,
        params=[click.Option(["--out"], type=click.Path(path_type=Path), metavar="FILE", help="Write the JSON line.")],
        help=f"{text}\n\n\b\nExample:\n    {example}",
    )


for _name, (_text, _example) in BENCHES.items():
    bench.add_command(_bench_command(_name, _text, _example))


@bench.command()
@click.argument("texts", nargs=-1, type=click.Path(path_type=Path), metavar="[TEXT]...")
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path("bench/results"), show_default=True,
    help="Folder of what benches wrote with --out.",
)  # fmt: skip
def report(texts: tuple[Path, ...], results: Path) -> None:
    """Write the figures of each TEXT (README.md and docs/latency.md) from results.

    They stand between marks, and none of them is typed by hand.
    """
    for text in texts or (Path("README.md"), Path("docs/latency.md")):
        changed = _module("marks").rewrite(text, results)
        click.echo(f"{'wrote' if changed else 'nothing new for'} {text}")


def show_progress(done: int, total: int, text: str) -> None:
    """One line that overwrites itself, for a person only: a log keeps nothing of it."""
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"\x1b[K{done} of {total}  {text}", end=end, file=sys.stderr, flush=True)

"""The command `facewire`: settings from flags and one optional TOML file, and a command for each thing it can do.

The only place where settings are built and where an error becomes one line on stderr and exit code 2. Everything heavy
(decoder, compiler, inference runtime, MediaPipe, torch) is imported inside the command that needs it. It knows what
to start, not how any of it works.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from tracker import learning, measuring
from tracker.errors import FacewireError, SettingsError
from tracker.settings import (
    DEFAULT_ENDPOINT,
    TRACKING_SECTIONS,
    PublishSettings,
    SettingsCommand,
    TrackSettings,
    build,
)

EXIT_BAD_INPUT = 2
EXIT_NOTHING_CAME = 3
EXIT_INTERRUPTED = 130


def _tracking_sections() -> dict[str, type]:
    from tracker.detect.finder import FindSettings
    from tracker.refine.sharpen import RefineSettings
    from tracker.smooth.settings import SmoothSettings
    from tracker.source import SourceSettings

    return {
        "source": SourceSettings,
        "find": FindSettings,
        "track": TrackSettings,
        "refine": RefineSettings,
        "smooth": SmoothSettings,
    }


def _run_sections() -> dict[str, type]:
    from tracker.calibrate import CalibrateSettings
    from tracker.publish import FeedSettings

    last = {"calibrate": CalibrateSettings, "publish": PublishSettings, "feed": FeedSettings}
    return _tracking_sections() | last


# Sections of a settings file that are some command's.
_SECTIONS = (*TRACKING_SECTIONS, *measuring.SECTIONS.values())
# What a take knows nothing of: it is tracked on the processor, once, as it happens, and not as it will be or was.
_NOT_OF_A_TAKE = ("device", "decode", "loop", "smooth_look_ahead_frames", "smooth_ahead_ms")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(invoke_without_command=True, context_settings=_CONTEXT)
@click.option("--version", "asked", is_flag=True, help="As the command `version`.")
@click.pass_context
def cli(ctx: click.Context, asked: bool) -> None:
    """Live video in, 3D face parameters out on a ZeroMQ socket.

    \b
    See it work, on a clip that comes along:
        facewire demo
    Track a camera, and watch the estimates from a second terminal:
        facewire run v4l2:/dev/video0
        facewire subscribe
    Track a file at its own pace, for other machines too, and keep a video with the mesh drawn on it:
        facewire run talk.mp4 --realtime --bind tcp://0.0.0.0:5570 --preview overlay.mp4
    Have a resting face read zero, and a person's own range one:
        facewire calibrate --guided --out anna.json
        facewire run v4l2:/dev/video0 --profile anna.json
    Something is slow or missing:
        facewire doctor

    `facewire COMMAND --help` shows each command's flags with examples.
    """
    if asked:
        ctx.invoke(version)
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


class _Seconds(click.FloatRange):
    """A range of seconds, and no NaN, which is in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return seconds


@cli.command(cls=SettingsCommand, sections=_run_sections, prefixed=("refine", "smooth"), foreign=_SECTIONS)
@click.argument("source")
@click.option(
    "--preview", type=click.Path(path_type=Path), metavar="MP4",
    help="Also write the video with the mesh. Where that fails, tracking and publishing go on; exit code 2.",
)  # fmt: skip
@click.option(
    "--render", type=click.Choice(["mask", "depth", "normals", "regions"]),
    help="Draw this on the face instead of the mesh, in the preview.",
)  # fmt: skip
def run(source: str, preview: Path | None, render: str | None, **flags: Any) -> None:
    """Track the faces in SOURCE and publish them.

    \b
    SOURCE is one of
        talk.mp4                      a file; every frame in order, or --realtime
        rtsp://host/stream            a URL: rtsp, http, https, rtmp, udp, tcp, srt
        v4l2:/dev/video0              a camera on Linux (see: facewire devices)
        avfoundation:0                a camera on macOS
        dshow:video=Integrated Camera a camera on Windows
        lavfi:testsrc2=size=640x480   a generator of FFmpeg
        -                             standard input; a named pipe goes by its path

    \b
    Examples:
        facewire run talk.mp4 --preview overlay.mp4
        facewire run talk.mp4 --preview depth.mp4 --render depth
        facewire run v4l2:/dev/video0 --max-faces 2 --source-id desk
        facewire run v4l2:/dev/video0 --profile anna.json    (see: facewire calibrate)
        facewire run v4l2:/dev/video0 --bind tcp://0.0.0.0:5570 --control tcp://0.0.0.0:5571
        facewire run talk.mp4 --device cuda --max-faces 8
        ffmpeg -i talk.mp4 -f mpegts - | facewire run -

    Ctrl-C, or a service manager's SIGTERM, closes everything in order, says what the run came to, and exits with 130.
    """
    from tracker import pipeline, publish
    from tracker import source as sources
    from tracker.calibrate import CalibrateSettings
    from tracker.face_work import device_named

    publishing = build(PublishSettings, flags)
    if render and not preview:
        raise SettingsError(f"--render {render} without --preview; say where the video goes: --preview {render}.mp4")
    track = build(TrackSettings, flags)
    device = device_named(track.device, flags["max_faces"])
    if preview:
        sources.require_apart(source, [preview], "--preview")
    reading = build(sources.SourceSettings, flags)
    reading = replace(reading, decode=reading.decode or ("auto" if device else "cpu"))
    with ExitStack() as open_parts:
        video = open_parts.enter_context(sources.open_source(source, reading))
        _warm_up()
        built = _pipeline(flags, build(CalibrateSettings, flags), device)
        mirror = built.model if publishing.mirror else None
        named = (publishing.bind, publishing.source_id, built.model.hash, built.model.version)
        publisher = open_parts.enter_context(publish.Publisher(*named, build(publish.FeedSettings, flags), mirror))
        beside = _preview(open_parts, preview, video.fps, built.model, render) if preview else None
        on_frame = None if beside is None else lambda frame, faces, camera: beside.add(frame, faces)
        if watch := click.get_current_context().obj:  # whoever runs the command from Python, such as a bench
            on_frame = watch(built, publisher)
        asked = f", clock on {publisher.control_endpoint}" if publisher.control_endpoint else ""
        click.echo(
            f"tracking {source}, publishing {publishing.source_id!r} on {publisher.endpoint}{asked}; Ctrl-C stops"
        )
        stop: pipeline.Stopped | pipeline.BrokenOff | None = None
        try:
            summary = pipeline.run(video, built, publisher, on_frame)
        except (pipeline.Stopped, pipeline.BrokenOff) as early:
            summary, stop = early.summary, early
    click.echo(str(summary))
    if beside:
        click.echo(beside.outcome())
    if stop:
        raise stop


def _pipeline(flags: dict[str, Any], calibrate: Any, device: Callable[..., Any] | None = None) -> Any:
    from tracker import pipeline
    from tracker.detect.finder import FindSettings
    from tracker.refine.sharpen import RefineSettings
    from tracker.smooth.settings import SmoothSettings

    track = build(TrackSettings, flags)
    assets = pipeline.Assets(track.face_model, track.student, track.detector)
    find, smooth = build(FindSettings, flags), build(SmoothSettings, flags, "smooth")
    refine = build(RefineSettings, flags, "refine")
    return pipeline.Pipeline(
        find, smooth, track.vertical_fov_deg, assets, track.backend, refine, calibrate, device
    )  # fmt: skip


def _preview(
    open_parts: ExitStack, path: Path, fps: float | None, model: Any, render: str | None
) -> Any:  # fmt: skip
    from tracker.clients.preview import Bystander, Preview

    beside = Bystander(Preview(path, fps, model, render), tell=_tell)
    open_parts.callback(beside.close)
    return beside


@cli.command(
    cls=SettingsCommand, sections=_tracking_sections, prefixed=("refine", "smooth"), without=_NOT_OF_A_TAKE,
    foreign=_SECTIONS,
)  # fmt: skip
@click.argument("source", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), default="profile.json", show_default=True, metavar="FILE",
    help="Where the profile goes, NAME.json; an older profile there is replaced.",
)  # fmt: skip
@click.option("--name", help="Whose it is, for people; the file's name by default.")
@click.option("--guided", is_flag=True, help="Say what to do, prompt by prompt, for 42 s.")
@click.option(
    "--seconds", type=_Seconds(min=0, min_open=True), help="Stop after this long; 20 s of a camera. Not with --guided."
)
def calibrate(
    source: str | None, out: Path, name: str | None, guided: bool, seconds: float | None, **flags: Any
) -> None:
    """Learn a person's neutral face and range of motion from a short take of SOURCE.

    SOURCE is the first camera, or whatever `facewire run` takes. Without --guided, talk, smile, raise your brows, and
    rest your face for a few seconds: the neutral is found as the densest calm stretch. Ctrl-C ends such a take early
    and learns from what there is; a guided one is whole or nothing. `facewire run --profile FILE` applies the profile
    to that person's face, and again whenever the file changes.

    \b
    Examples:
        facewire calibrate --guided --out anna.json
        facewire calibrate take.mp4 --out profiles/anna.json
        facewire run v4l2:/dev/video0 --profile anna.json
        facewire run v4l2:/dev/video0 --max-faces 3 --profile profiles/
    """
    from tracker import calibrating
    from tracker import source as sources
    from tracker.calibrate import CalibrateSettings, learn, require_place, write_profile

    if guided and seconds is not None:
        raise SettingsError(f"--seconds {seconds:g} with --guided, which takes as long as its prompts; leave one out")
    require_place(out)
    spec = source or calibrating.first_camera()
    with sources.open_source(spec, build(sources.SourceSettings, flags)) as video:
        _warm_up()
        built = _pipeline(flags, CalibrateSettings())
        stops = "gives up" if guided else "stops, and learns from what there is"
        click.echo(f"watching {spec}; Ctrl-C {stops}" + ("" if guided or not video.live else "; move, talk, and rest"))
        longest = seconds or (calibrating.LIVE_SECONDS if video.live and not guided else float("inf"))
        take = calibrating.record(video, built, longest, guided, click.echo)
    profile = learn(take, built.model.hash, name or out.stem)
    click.echo(calibrating.as_text(profile, calibrating.check(take, built.model.hash)))
    write_profile(profile, out)
    applied = shlex.join(["facewire", "run", spec, "--profile", str(out)])
    click.echo(f"wrote {out}, profile {profile.id.hex()}; apply it: {applied}")


@cli.command()
@click.argument("url", default=DEFAULT_ENDPOINT)
@click.option("--source-id", help="Only this source; all of them by default.")
@click.option(
    "--newest", is_flag=True, help="Skip to the newest message at each look; what is skipped counts as missed."
)
@click.option("--seconds", type=float, help="Stop after this long.")
@click.option("--count", type=int, help="Stop after so many messages.")
@click.option("--control", metavar="URL", help="Where to ask the publisher's clock; its hello says by default.")
def subscribe(
    url: str, source_id: str | None, newest: bool, seconds: float | None, count: int | None, control: str | None
) -> int:
    """Show what is published on URL.

    Rates, gaps, staleness, stage latencies and the strongest shapes, live. From another machine the latency is true,
    with its error, where that one runs with --control; else it is as good as both wall clocks. Exits with 3 where
    --seconds went by without a message, or with fewer than --count.

    \b
    Examples:
        facewire subscribe
        facewire subscribe tcp://192.168.1.20:5570 --source-id desk
    """
    from tracker.clients import print as printing

    table = printing.print_table(url, source_id, newest, seconds, count, control=control)
    return EXIT_NOTHING_CAME if table.messages < (count or 1) else 0


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the report.")
@click.option("--seconds", type=_Seconds(0.5, 60), default=5.0, show_default=True, help="How long to measure.")
def doctor(as_json: bool, seconds: float) -> None:
    """Say what this machine has and how fast it is.

    Versions, cameras, codecs, kernel backends and why, what `run --device cuda` would need, models, and a latency
    verdict. No part of a GPU is needed: what is missing there is told with what to install, and is no problem.

    \b
    Examples:
        facewire doctor
        facewire doctor --json > report.json
    """
    from tracker import doctor as doctoring

    if not as_json:
        _warm_up()
    report = doctoring.examine(seconds)
    click.echo(doctoring.as_json(report) if as_json else doctoring.as_text(report))


@cli.command()
def devices() -> None:
    """List the cameras, with the SOURCE to give to `run`."""
    from tracker.source import list_devices

    found = list_devices()
    for device in found:
        click.echo(f"{device.spec:24} {device.name}  {device.description}")
    if not found:
        click.echo("no camera found; plug one in, or use a file, a URL or lavfi:testsrc2 instead")


@cli.command()
def warmup() -> None:
    """Compile the kernels now, so that `run` starts at once."""
    _warm_up()


@cli.command()
@click.argument("clip", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), default="out/demo", show_default=True, help="Folder to write to."
)
def demo(clip: str | None, out: Path) -> None:
    """Track a bundled clip, or CLIP, and show it.

    Publishes it, subscribes over a real socket, prints the live table, and writes an overlay video and a contact sheet.

    \b
    Examples:
        facewire demo
        facewire demo talk.mp4 --out pictures
    """
    from tracker.clients.demo import demo as show

    _warm_up()
    show(out, clip)


@cli.command()
def version() -> None:
    """Print the versions of package, schema and face model."""
    from tracker.doctor import version_line

    click.echo(version_line())


cli.add_command(measuring.bench)
cli.add_command(learning.distill)


def _warm_up() -> None:
    """Compile what numba must, with a word to the user while it does."""
    from tracker.kernels import backend

    with _stopped_at_once():
        backend.warmup(progress=click.echo)


@contextmanager
def _stopped_at_once() -> Iterator[None]:
    """While code is compiled or loaded a stop ends the process there and then: raised in one of LLVM's callbacks it
    would be lost, or crash LLVM. Nothing is published or written yet that would have to be closed in order."""
    heard = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    # A bench's own process leaves Ctrl-C to the first one; only a main thread may say who hears what.
    main = threading.current_thread() is threading.main_thread()
    before = [(number, handler) for number, handler in heard if main and handler is not signal.SIG_IGN]
    for number, _ in before:
        signal.signal(number, lambda *_: os._exit(EXIT_INTERRUPTED))
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _stop(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _stop_on_sigterm() -> None:
    """A service manager's stop ends every command like Ctrl-C: files are closed, sockets and children too."""
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(os, "register_at_fork"):  # a worker that is forked goes without a word
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; bad input is one line on stderr and exit code 2, Ctrl-C and SIGTERM are exit code 130."""
    try:
        _stop_on_sigterm()
        status = cli.main(arguments, prog_name="facewire", standalone_mode=False)
    except click.ClickException as error:
        asked = f" (see {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        status = _complain(error.format_message() + asked)
    except FacewireError as error:
        status = _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        status = EXIT_INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        status = _complain("the disk that this is written to is full; make room, or write elsewhere")
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str) -> int:
    _tell(message)
    return EXIT_BAD_INPUT


def _tell(message: str) -> None:
    print("facewire:", " ".join(message.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

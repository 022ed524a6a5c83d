"""The command as a user meets it: every mistake is one line on stderr and exit code 2, and help teaches.

Each command runs in its own process, as it is installed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tracker.cli import cli
from tracker.errors import BackendUnavailable
from tracker.learning import distill
from tracker.measuring import BENCHES, bench

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "tcp://127.0.0.1:*"


def facewire(
    *arguments: object, stdin: bytes = b"", timeout: float = 120, **kwargs
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tracker.cli", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, **kwargs)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def refused(*arguments: object, **kwargs) -> str:
    """Run a command that must fail; its one line without the name in front."""
    done = facewire(*arguments, **kwargs)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("facewire: ")
    return lines[0].removeprefix("facewire: ")


def run_refused(source: object, *flags: object, **kwargs) -> str:
    return refused("run", source, "--bind", LOOPBACK, *flags, **kwargs)


def test_missing_file(tmp_path: Path) -> None:
    assert "missing.mp4" in run_refused(tmp_path / "missing.mp4")


def test_directory(tmp_path: Path) -> None:
    assert str(tmp_path) in run_refused(tmp_path)


def test_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("to be, or not to be\n" * 100)
    assert "notes.mp4" in run_refused(path)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "empty.mp4" in run_refused(path)


def test_file_without_video(tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    assert "sound.wav" in run_refused(path)


def test_video_without_frames(tmp_path: Path, faceless_clip: Path) -> None:
    """A container that declares a video stream and holds no picture."""
    import av

    path = tmp_path / "hollow.mkv"
    with av.open(str(faceless_clip)) as given, av.open(str(path), "w") as container:
        container.add_stream_from_template(given.streams.video[0])
        container.start_encoding()
    assert "hollow.mkv" in run_refused(path)


def test_video_cut_before_its_index(tmp_path: Path, faceless_clip: Path) -> None:
    """An MP4 whose end is missing has lost its index: nothing can be read."""
    path = tmp_path / "cut.mp4"
    path.write_bytes(faceless_clip.read_bytes()[:600])
    assert "cut.mp4" in run_refused(path)


def test_unknown_scheme() -> None:
    assert "carrier-pigeon" in run_refused("carrier-pigeon://roof/2")


def test_no_such_camera() -> None:
    assert "video97" in run_refused("v4l2:/dev/video97")


def test_nonsense_on_standard_input() -> None:
    run_refused("-", stdin=b"nothing like a video" * 1000)


def test_nothing_listens_at_url() -> None:
    assert "127.0.0.1" in run_refused("tcp://127.0.0.1:9")


def test_port_in_use(faceless_clip: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refused("run", faceless_clip, "--bind", f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("endpoint", ["tcp://nowhere", "7", "carrier-pigeon://roof"])
def test_malformed_endpoint(faceless_clip: Path, endpoint: str) -> None:
    assert endpoint in refused("run", faceless_clip, "--bind", endpoint)


def test_malformed_url_to_subscribe_to() -> None:
    assert "carrier-pigeon" in refused("subscribe", "carrier-pigeon://roof")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--max-faces", "many"], "max-faces"),
        (["--max-faces", "0"], "max_faces"),
        (["--vertical-fov-deg", "270"], "vertical_fov_deg"),
        (["--source-id", ""], "source_id"),
        (["--backend", "abacus"], "abacus"),
        (["--smooth-lids", "0"], "lids"),
        (["--face-model", "missing.npz"], "missing.npz"),
        (["--student", "missing.onnx"], "missing.onnx"),
        (["--detector", "missing.onnx"], "missing.onnx"),
        (["--profile", "missing.json"], "missing.json"),
        (["--profile-distance-mm", "0"], "profile_distance_mm"),
        (["--control", "nowhere"], "nowhere"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--settings", "missing.toml"], "missing.toml"),
    ],
)
def test_bad_flag(faceless_clip: Path, flags: list[str], named: str) -> None:
    assert named in refused("run", faceless_clip, "--bind", LOOPBACK, *flags)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[find]\nmax_fases = 2\n", "max_fases"),
        ("[finder]\nmax_faces = 2\n", "finder"),
        ("max_faces = 2\n", "max_faces"),
        ("[find\n", "TOML"),
        ("[find]\nmax_faces = 'two'\n", "max_faces"),
    ],
)
def test_bad_settings_file(tmp_path: Path, faceless_clip: Path, text: str, named: str) -> None:
    path = tmp_path / "facewire.toml"
    path.write_text(text)
    assert named in refused("run", faceless_clip, "--bind", LOOPBACK, "--settings", path)


def test_a_preview_of_the_source_on_itself(faceless_clip: Path, tmp_path: Path) -> None:
    own, linked = Path(shutil.copy(faceless_clip, tmp_path / "own.mp4")), tmp_path / "linked.mp4"
    linked.symlink_to(own)
    assert "linked.mp4 is the source itself" in run_refused(own, "--preview", linked)
    assert own.read_bytes() == faceless_clip.read_bytes()


def test_unwritable_preview(faceless_clip: Path, tmp_path: Path) -> None:
    assert "nowhere" in run_refused(faceless_clip, "--preview", tmp_path / "nowhere" / "out.mp4")


def test_unknown_command() -> None:
    assert "frobnicate" in refused("frobnicate")


def test_missing_argument() -> None:
    assert "SOURCE" in refused("run")


def test_tampered_face_model(tmp_path: Path, faceless_clip: Path) -> None:
    """A face model whose content is not what its hash says is refused before anything is published."""
    import numpy as np

    site = tmp_path / "site" / "tracker"
    skip = shutil.ignore_patterns("distill")
    shutil.copytree(ROOT / "tracker", site, ignore=skip)
    for folder in ("kernels", "clients", "bench"):
        shutil.copytree(ROOT / folder, site / folder, ignore=skip)
    model = site / "assets" / "face_model.npz"
    with np.load(model) as archive:
        content = {name: archive[name] for name in archive}
    content["mean_mm"] = content["mean_mm"] + np.ones_like(content["mean_mm"])
    np.savez(model, **content)
    done = run_refused(faceless_clip, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site.parent)})
    assert "face_model.npz" in done


def test_student_that_is_another_file(faceless_clip: Path) -> None:
    assert faceless_clip.name in run_refused(faceless_clip, "--student", faceless_clip)


def test_no_arguments_shows_help() -> None:
    done = facewire()
    assert done.returncode == 0
    assert "facewire run" in done.stdout


@pytest.mark.parametrize(
    "command",
    [[name] for name in cli.commands]
    + [["bench", name] for name in bench.commands]
    + [["distill", name] for name in distill.commands],
)
def test_help_of_every_command(command: list[str]) -> None:
    told = CliRunner().invoke(cli, [*command, "--help"], prog_name="facewire")
    assert told.exit_code == 0, told.output
    assert "Usage: facewire " + " ".join(command) in told.output


def test_flags_come_from_settings_and_carry_their_docstrings() -> None:
    from dataclasses import fields

    from tracker.detect.finder import FindSettings
    from tracker.settings import PublishSettings, TrackSettings
    from tracker.source import SourceSettings

    text = facewire("run", "--help").stdout
    for section in (SourceSettings, FindSettings, TrackSettings, PublishSettings):
        for field in fields(section):
            assert "--" + field.name.replace("_", "-") in text
    assert "--smooth / --no-smooth" in text and "--smooth-lids" in text
    assert "Name of this source in every message" in text


def test_version_names_schema_and_model() -> None:
    done = facewire("version")
    assert facewire("--version").stdout == done.stdout
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("facewire ")
    assert "schema" in done.stdout and "face model" in done.stdout


def test_devices_lists_or_says_what_else() -> None:
    done = facewire("devices")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_run_tracks_a_faceless_clip_to_its_end(faceless_clip: Path) -> None:
    done = facewire("run", faceless_clip, "--bind", LOOPBACK)
    assert done.returncode == 0, done.stderr
    assert "30" in done.stdout


def test_run_writes_a_preview(faceless_clip: Path, tmp_path: Path) -> None:
    import av

    path = tmp_path / "overlay.mp4"
    done = facewire("run", faceless_clip, "--bind", LOOPBACK, "--preview", path)
    assert done.returncode == 0, done.stderr
    with av.open(str(path)) as video:
        assert sum(1 for _ in video.decode(video=0)) == 30


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_run_goes_on_without_a_preview_that_finds_no_room(faceless_clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "full.mp4"
    path.symlink_to("/dev/full")
    done = facewire("run", faceless_clip, "--bind", LOOPBACK, "--preview", path)
    assert "30 frames" in done.stdout and "wrote" not in done.stdout
    told, last = done.stderr.splitlines()
    assert "No space left" in told and told.endswith("tracking and publishing go on")
    assert "not whole" in last and done.returncode == 2


def test_run_reads_standard_input(faceless_clip: Path, tmp_path: Path) -> None:
    import av

    path = tmp_path / "piped.ts"
    with av.open(str(faceless_clip)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    done = facewire("run", "-", "--bind", LOOPBACK, stdin=path.read_bytes())
    assert done.returncode == 0, done.stderr


def test_settings_file_beats_default_and_flag_beats_file(tmp_path: Path, faceless_clip: Path) -> None:
    path = tmp_path / "facewire.toml"
    path.write_text(
        f"[publish]\nsource_id = 'kitchen'\nbind = '{LOOPBACK}'\n[find]\nmax_faces = 2\n[smooth]\nlids = 2.0\n"
    )
    assert "kitchen" in facewire("run", faceless_clip, "--settings", path).stdout
    assert "hallway" in facewire("run", faceless_clip, "--settings", path, "--source-id", "hallway").stdout


@pytest.fixture
def preview(tmp_path: Path) -> Path:
    """Where `running` draws."""
    return tmp_path / "overlay.mp4"


@pytest.fixture
def running(preview: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `facewire run` without an end, and where it publishes."""
    command = [sys.executable, "-m", "tracker.cli", "run", "lavfi:testsrc2=size=160x120:rate=30", "--bind", LOOPBACK]
    command += ["--preview", str(preview)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        while "tracking" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        try:
            yield process, line.split(" on ")[1].split(";")[0]
        finally:
            process.kill()


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_ends_quietly_with_a_summary(
    running: tuple[subprocess.Popen[str], str], preview: Path, asked: signal.Signals
) -> None:
    import av

    from tracker.clients import subscribe

    process, url = running
    with subscribe(url, timeout_seconds=30) as subscription:  # until frames come
        next(subscription)
    time.sleep(0.3)
    process.send_signal(asked)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == ""
    summary, wrote = said.splitlines()
    assert " frames in " in summary and wrote == f"wrote {preview}"
    with av.open(str(preview)) as video:
        drawn = sum(1 for _ in video.decode(video=0))
    assert int(summary.split()[0]) in (drawn, drawn + 1)


def test_subscribe_stops_when_a_service_manager_asks() -> None:
    command = [sys.executable, "-u", "-m", "tracker.cli", "subscribe", "tcp://127.0.0.1:9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and "nothing has come yet" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[1].strip() == ""
    assert process.returncode == 130


def test_subscribe_in_vain_exits_with_3() -> None:
    done = facewire("subscribe", "tcp://127.0.0.1:9", "--count", "1", "--seconds", "0.2")
    assert done.returncode == 3 and "does a publisher run there?" in done.stdout


def test_subscribe_shows_what_run_publishes(running: tuple[subprocess.Popen[str], str]) -> None:
    done = facewire("subscribe", running[1], "--count", "5")
    assert done.returncode == 0, done.stderr
    assert "camera0" in done.stdout and "received 5" in done.stdout


# A stop that comes while LLVM calls back: there an exception is lost.
STOPPED_IN_A_CALLBACK = """
import ctypes, os, signal, sys
from tracker.kernels import backend
called_back = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), getattr(signal, sys.argv[1])))
backend.warmup = lambda progress: called_back()
from tracker.cli import main
main(["warmup"])
"""


@pytest.mark.parametrize("asked", ["SIGINT", "SIGTERM"])
def test_a_stop_while_kernels_are_loaded_is_not_lost(asked: str) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED_IN_A_CALLBACK, asked], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_stops_are_raised_again_once_kernels_are_loaded() -> None:
    from tracker.cli import _stopped_at_once

    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    with _stopped_at_once():
        assert not set(before) & {signal.getsignal(number) for number in numbers}
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_is_said_to_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "tracker.cli", "version"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("facewire: the disk ") and "is full" in line


def test_a_demo_whose_reader_leaves_ends_quietly(tmp_path: Path, faceless_clip: Path) -> None:
    command = [sys.executable, "-m", "tracker.cli", "demo", str(faceless_clip), "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("group", ["bench", "distill"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    alone, asked = facewire(group), facewire(group, "--help")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == asked.stdout and len(alone.stdout.splitlines()) > 10


def test_doctor_reports_as_text_and_json() -> None:
    text = facewire("doctor", "--seconds", "0.5")
    assert text.returncode == 0, text.stderr
    assert all(word in text.stdout for word in ("versions", "cameras", "kernels", "gpu", "models", "latency"))
    report = json.loads(facewire("doctor", "--json", "--seconds", "0.5").stdout)
    assert report["versions"]["facewire"] != "-"
    assert {row["operator"] for row in report["kernels"]} >= {"crop_roi", "morph"}
    assert report["latency"]["frames"] > 0, report["problems"]
    assert report["gpu"][0]["name"] == "driver" and not any("gpu" in problem for problem in report["problems"])


def test_doctor_says_of_every_device_column_whether_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker import doctor
    from tracker.kernels import backend

    found = backend.operator

    def operator(row: str, name: str = "auto") -> Any:
        if name == "triton" and row != "halve":
            raise BackendUnavailable(f"{row} on triton: no device here; use auto")
        return (print, backend.Choice(row, name, "asked for; it runs")) if name in ("triton", "cupy") else found(row)

    monkeypatch.setattr(backend, "operator", operator)
    rows = {(row["operator"], row["backend"]): row["reason"] for row in doctor._kernels()}
    for row in (*backend.ROWS, *backend.LATER_ROWS):
        for column in backend.device_columns(row):
            ready = column == "cupy" or row == "halve"
            assert rows[row, column if ready else f"no {column}"] == (
                "it runs" if ready else "no device here; use auto"
            )
    lines = doctor._kernel_lines(doctor._kernels())
    (missing,) = [line for line in lines if "no triton" in line]
    assert missing.startswith(
        "  project, morph, normals, rasterize, relight, shade, linearize, shade_gradient: no triton: "
    )
    assert "  halve: triton: it runs" in lines and sum(": cupy: " in line for line in lines) == 1


def test_doctor_judges_by_the_frame_period() -> None:
    from tracker.doctor import judge

    assert "120" in judge(2.0)
    assert "30" in judge(20.0)
    assert "too slow" in judge(200.0)


def test_bench_refuses_what_it_could_not_write(tmp_path: Path) -> None:
    """Before it measures, not after."""
    from tracker.errors import SettingsError

    (tmp_path / "file").touch()
    missing, within = str(tmp_path / "missing" / "a.json"), str(tmp_path / "file" / "cache")
    refine = ["refine", str(tmp_path), "--teacher", str(tmp_path)]
    commands = ["kernels", "halve", "--out", missing], [*refine, "--figure", missing], [*refine, "--cache", within]
    for command in commands:
        with pytest.raises(SettingsError, match=f"cannot write .*{command[-1]} "):
            cli.main(["bench", *command], standalone_mode=False)


def test_bench_writes_over_nothing_that_it_reads(tmp_path: Path) -> None:
    from tracker.cli import cli
    from tracker.errors import SettingsError

    clip, picture = tmp_path / "talk.mp4", str(tmp_path / "a.png")
    clip.write_bytes(b"a clip")
    (tmp_path / "link.json").symlink_to(clip)
    for command in (["latency", "--out", str(clip)], ["latency", "--out", str(tmp_path / "link.json")],
                    ["end-to-end", "--figure", str(clip)]):  # fmt: skip
        with pytest.raises(SettingsError, match=f"is the source itself.*{command[1]}"):
            cli.main(["bench", command[0], str(clip), *command[1:]], standalone_mode=False)
    with pytest.raises(SettingsError, match="--out and --figure are both"):
        cli.main(["bench", "end-to-end", "--out", picture, "--figure", picture], standalone_mode=False)
    assert clip.read_bytes() == b"a clip" and not Path(picture).exists()


def test_a_bench_says_how_busy_the_machine_was_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tracker.bench import kernels
    from tracker.cli import cli

    load = [0.25]
    monkeypatch.setattr(os, "getloadavg", lambda: (load[0], 0.0, 0.0))

    def measure(settings: object, progress: object) -> kernels.Result:
        load[0] = 9.0
        return kernels.Result((), {}, {})

    monkeypatch.setattr(kernels, "measure", measure)
    cli.main(["bench", "kernels", "halve"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["machine"]["load"] == 0.25


@pytest.mark.parametrize("name", BENCHES)
def test_the_example_of_a_bench_is_one_that_it_takes(name: str) -> None:
    _, _, said, *arguments = shlex.split(BENCHES[name][1])
    assert said == name
    try:
        cli.commands["bench"].commands[name].make_context(name, arguments)
    except BackendUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(
    "bench",
    [["latency", "missing.mp4"], ["accuracy", "--teacher", "any.task", "missing"], ["kernels", "frobnicate"]],
)  # fmt: skip
def test_bench_refuses_bad_input(bench: list[str]) -> None:
    assert bench[-1] in refused("bench", *bench)


def test_a_bench_asks_for_the_teacher_that_it_needs() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FACEWIRE_TEACHER"}
    assert "Missing option '--teacher'" in refused("bench", "accuracy", "data", env=environment)

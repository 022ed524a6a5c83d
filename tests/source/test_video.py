"""Files and pipes: every frame, in order, on time, and none lost at the end or before a cut."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.source import SourceSettings, open_source, video
from tracker.source.address import parse_address
from tracker.source.decoder import Decoder
from tracker.source.video import Pace

B_FRAMES = {"bf": "3", "x264-params": "b-pyramid=normal"}


@pytest.mark.parametrize(
    ("name", "wishes"),
    [
        ("plain.mp4", {}),
        ("b.mp4", {"options": B_FRAMES}),
        ("b.mkv", {"options": B_FRAMES}),
        ("b.ts", {"options": B_FRAMES}),
        ("bare.h264", {"options": B_FRAMES}),
        ("zero.mp4", {"options": {"tune": "zerolatency"}}),
        ("part4.mp4", {"codec": "mpeg4", "options": {"bf": "2", "b": "8000000", "qmax": "2"}}),
        ("part2.ts", {"codec": "mpeg2video", "options": {"bf": "2", "b": "8000000", "qmax": "2"}}),
        ("deep.mp4", {"codec": "libx265", "options": {"x265-params": "bframes=3:log-level=none"}}),
        ("b.avi", {"options": B_FRAMES}),
        ("motion.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("web.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    ],
)
def test_every_frame_in_order(clip, frame_shown, name: str, wishes: dict) -> None:
    with open_source(str(clip(name, **wishes))) as source:
        frames = list(source)
    assert [frame_shown(frame) for frame in frames] == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    times = [frame.pts_seconds for frame in frames]
    assert np.allclose(np.diff(times), 1 / 30, atol=1.1e-3)  # Matroska counts milliseconds
    assert (source.live, source.dropped, source.damaged, source.fps) == (False, 0, 0, 30.0)
    assert all(frame.captured_ns <= frame.decoded_ns for frame in frames)


def test_the_container_says_how_many(clip) -> None:
    with open_source(str(clip("plain.mp4"))) as source:
        assert source.frames_expected == 30
    with open_source(str(clip("bare.h264", options=B_FRAMES))) as source:
        assert source.frames_expected is None


def lag(path: Path) -> int:
    """The most packets that were read beyond those whose frames were out."""
    decoder = Decoder(parse_address(str(path)), SourceSettings())
    packets, read = decoder._packets, 0

    def counted():
        nonlocal read
        for packet in packets():
            read += 1
            yield packet

    decoder._packets = counted  # type: ignore[method-assign]
    late = [read - 1 - decoded.index for decoded in decoder]
    decoder.close()
    return max(late)


def test_the_decoder_holds_nothing_back(clip) -> None:
    """Frame threads would keep one frame each."""
    assert lag(clip("zero.mp4", frames=30, options={"tune": "zerolatency"})) == 0
    assert lag(clip("sliced.mp4", options={"tune": "zerolatency", "slices": "4"})) == 0


def test_b_frames_cost_their_own_delay_only(clip) -> None:
    assert lag(clip("b.mp4", options=B_FRAMES)) == 2


def test_closing_ends_the_iteration(clip) -> None:
    with open_source(str(clip("plain.mp4"))) as source:
        next(source)
    assert list(source) == []
    source.close()


def test_frames_outlive_their_source(clip) -> None:
    """Planes are the decoder's own memory, which must not be used again while somebody holds a plane."""
    with open_source(str(clip("b.mp4", options=B_FRAMES))) as source:
        held = [(frame.planes, [plane.copy() for plane in frame.planes]) for frame in source]
    del source
    gc.collect()
    for planes, copies in held:
        assert all(np.array_equal(plane, copy) for plane, copy in zip(planes, copies, strict=True))


def test_planes_are_read_only_views(clip) -> None:
    with open_source(str(clip("plain.mp4"))) as source:
        for plane in next(source).planes:
            assert plane.base is not None
            with pytest.raises(ValueError, match="read-only"):
                plane[0, 0] = 0


@pytest.mark.parametrize(
    ("name", "muxer"),
    [
        ("cut.mp4", {"movflags": "faststart"}),
        ("pieces.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("cut.mkv", {}),
        ("cut.avi", {}),
        ("cut.h264", {}),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.7])
def test_truncated(clip, frame_shown, tmp_path: Path, name: str, muxer: dict[str, str], kept: float) -> None:
    whole = clip(name, frames=60, muxer=muxer, options={"g": "15"}, noisy=True).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * kept)])
    with open_source(str(path)) as source:
        order = [frame_shown(frame) for frame in source]
    assert 5 < len(order) < 60
    assert order[:-2] == [index % 40 for index in range(len(order) - 2)]  # what is torn shows what it can
    assert source.damaged >= (not name.endswith(".h264"))  # a bare stream may just stop


def test_damage_in_the_middle_is_passed_over(clip, tmp_path: Path) -> None:
    whole = bytearray(clip("long.mp4", frames=60, options={"g": "10"}, size=(320, 240)).read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, 400, np.uint8).tobytes()
    whole[len(whole) // 4 : len(whole) // 4 + 400] = noise
    path = tmp_path / "scratched.mp4"
    path.write_bytes(whole)
    with open_source(str(path)) as source:
        assert len(list(source)) >= 40
    assert source.damaged >= 1


@pytest.mark.parametrize("kind", ["h264", "ts"])
def test_resolution_changes_mid_stream(clip, frame_shown, tmp_path: Path, kind: str) -> None:
    wide, tall = clip(f"wide.{kind}", frames=10), clip(f"tall.{kind}", frames=10, size=(97, 161), pix_fmt="yuv444p")
    path = tmp_path / f"both.{kind}"
    path.write_bytes(wide.read_bytes() + tall.read_bytes())
    with open_source(str(path)) as source:
        frames = list(source)
    assert [(frame.width_px, frame.height_px) for frame in frames] == [(160, 120)] * 10 + [(97, 161)] * 10
    assert [frame_shown(frame) for frame in frames] == [*range(10), *range(10)]
    assert source.reformatted == 10 and [frame.reformatted for frame in frames] == [False] * 10 + [True] * 10


@pytest.fixture
def reopened(monkeypatch) -> list[Decoder]:
    """The decoders that a source opens after its first."""
    decoders: list[Decoder] = []
    monkeypatch.setattr(video, "Decoder", lambda *given: decoders.append(Decoder(*given)) or decoders[-1])
    return decoders


@pytest.mark.parametrize(
    ("name", "wishes"),
    [
        ("b.mp4", {"options": B_FRAMES}),
        ("b.mkv", {"options": B_FRAMES}),
        ("b.ts", {"options": B_FRAMES}),
        ("bare.h264", {"options": B_FRAMES}),
        ("bare.hevc", {"codec": "libx265", "options": {"x265-params": "bframes=3:log-level=none"}}),
        ("part2.mpg", {"codec": "mpeg2video", "options": {"bf": "2", "b": "8000000", "qmax": "2"}}),
        ("b.avi", {"options": B_FRAMES}),
        ("motion.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("web.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    ],
)
def test_loop_goes_on_in_time(clip, frame_shown, reopened, name: str, wishes: dict) -> None:
    """In the container that is open already."""
    with open_source(str(clip(name, **wishes)), SourceSettings(loop=True)) as source:
        assert source.frames_expected is None
        frames = list(islice(source, 75))
        assert source.damaged == 0
    assert [frame_shown(frame) for frame in frames] == [index % 30 for index in range(75)]
    assert [frame.index for frame in frames] == list(range(75))
    assert np.allclose(np.diff([frame.pts_seconds for frame in frames]), 1 / 30, atol=1.1e-3)
    assert not reopened


@pytest.mark.parametrize(("kind", "options"), [("ts", B_FRAMES), ("ts", {"tune": "zerolatency"}), ("h264", B_FRAMES)])
def test_loop_begins_at_the_beginning(clip, frame_shown, reopened, tmp_path: Path, kind: str, options: dict) -> None:
    """Where times start anew in the middle, the same time is found twice: only the first is the beginning."""
    one, other = clip(f"one.{kind}", options=options), clip(f"other.{kind}", frames=20, options=options)
    path = tmp_path / f"both.{kind}"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    with open_source(str(path), SourceSettings(loop=True)) as source:
        order = [frame_shown(frame) for frame in islice(source, 120)]
    assert order == [*range(30), *range(20), *range(30), *range(20), *range(20)]
    assert source.damaged == (2 if kind == "ts" else 0)  # where the two are joined
    assert not reopened


def test_loop_opens_anew_what_cannot_go_back(clip, frame_shown, reopened, monkeypatch) -> None:
    """With a container that finds another picture than the first, or none."""
    for start in (
        lambda decoder: islice(Decoder(decoder.address, SourceSettings()), 3, None),
        lambda decoder: iter(()),
    ):
        monkeypatch.setattr(Decoder, "rewound", start)
        with open_source(str(clip("plain.mp4")), SourceSettings(loop=True)) as source:
            assert [frame_shown(frame) for frame in islice(source, 40)] == [*range(30), *range(10)]
    assert len(reopened) == 2


def test_realtime_is_captured_on_schedule(clip) -> None:
    path = clip("fast.mp4", frames=12, fps=200)
    with open_source(str(path), SourceSettings(realtime=True)) as source:
        frames = list(source)
    captured = np.diff([frame.captured_ns for frame in frames])
    assert np.abs(captured - 5_000_000).max() <= 1000
    assert all(frame.decoded_ns >= frame.captured_ns for frame in frames)


def test_pace() -> None:
    """Late is caught up; a jump back or far ahead starts anew."""
    pace, second = Pace(), 10**9
    assert pace.due_ns(5 * second, 100) == 100
    assert pace.due_ns(6 * second, 100) == 100 + second
    assert pace.due_ns(7 * second, 50 * second) == 100 + 2 * second
    assert pace.due_ns(1 * second, 60 * second) == 60 * second
    assert pace.due_ns(90 * second, 61 * second) == 61 * second
    assert pace.due_ns(91 * second, 61 * second) == 62 * second


def test_generator() -> None:
    with open_source("lavfi:testsrc2=size=62x46:rate=25:duration=0.4") as source:
        frames = list(source)
    assert (len(frames), source.live, source.fps) == (10, False, 25.0)
    assert [plane.shape for plane in frames[0].planes] == [(46, 62), (23, 31), (23, 31)]
    assert frames[3].pts_seconds == pytest.approx(0.12) and frames[3].time_base == Fraction(1, 25)


COUNT = """
from tracker.source import open_source
with open_source("-") as source:
    print(source.name, source.live, sum(1 for _ in source), source.damaged)
"""


@pytest.mark.parametrize("name", ["piped.ts", "piped.mkv"])
def test_standard_input_from_a_pipe(clip, name: str) -> None:
    data = clip(name).read_bytes()
    done = subprocess.run([sys.executable, "-c", COUNT], input=data, capture_output=True, timeout=60)
    assert done.stdout.decode().split("\n")[0] == "standard input False 30 0", done.stderr.decode()


def with_sound(path: Path, video: Path) -> Path:
    """The video as it is, with two tracks of silence beside it."""
    with av.open(str(video)) as given, av.open(str(path), "w", format="mpegts") as container:
        copied = container.add_stream_from_template(given.streams.video[0])
        sound = [container.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = copied
                container.mux(packet)
        for stream in sound:
            for number in range(40):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.pts, silence.time_base = 48000, number * 1024, Fraction(1, 48000)
                container.mux(stream.encode(silence))
            container.mux(stream.encode(None))
    return path


def test_sound_that_begins_later_ends_nothing_early(clip, tmp_path: Path) -> None:
    """Streams that FFmpeg finds while it reads; the pictures that the decoder holds back come all the same."""
    mute = clip("mute.ts", frames=300, options=B_FRAMES, noisy=True).read_bytes()
    data = mute + with_sound(tmp_path / "sound.ts", clip("b.ts", options=B_FRAMES)).read_bytes()
    done = subprocess.run([sys.executable, "-c", COUNT], input=data, capture_output=True, timeout=60)
    # Where the two are joined, the packets' numbers jump.
    assert done.stdout.decode().split("\n")[0] == "standard input False 330 1", done.stderr.decode()


def test_nothing_useful_on_standard_input() -> None:
    for data in (b"", b"nonsense" * 1000):
        done = subprocess.run([sys.executable, "-c", COUNT], input=data, capture_output=True, timeout=60)
        assert "SourceError: 'standard input'" in done.stderr.decode()


def test_a_named_pipe(clip, frame_shown, tmp_path: Path) -> None:
    path, data = tmp_path / "pipe", clip("piped.ts").read_bytes()
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    before = len(os.listdir("/dev/fd"))
    with open_source(str(path)) as source:
        assert [frame_shown(frame) for frame in source] == list(range(30))
    writer.join()
    assert len(os.listdir("/dev/fd")) <= before
    with pytest.raises(SettingsError, match="--loop"):
        open_source(str(path), SourceSettings(loop=True))


def interrupted(program: str, reading: str) -> bytes:
    """What a program says of an interrupt that comes a while after it began to wait, having said `reading`."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == f"{reading}\n".encode()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        return process.stderr.read()


@pytest.mark.parametrize("given", ["nobody", "silence", "half"])
def test_a_named_pipe_can_be_interrupted(clip, tmp_path: Path, given: str) -> None:
    """While nobody writes to it, nothing is written, or no more."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    program = f"from tracker.source import open_source; print('opening', flush=True); list(open_source({str(path)!r}))"
    data = clip("long.ts", frames=300, noisy=True).read_bytes() if given == "half" else b""
    writer = None if given == "nobody" else os.open(path, os.O_RDWR)
    if writer is not None:
        threading.Thread(target=os.write, args=(writer, data), daemon=True).start()
    assert b"KeyboardInterrupt" in interrupted(program, "opening").splitlines()[-1]
    if writer is not None:
        os.close(writer)


def test_standard_input_can_be_interrupted(clip) -> None:
    """While it waits for data that does not come."""
    program = COUNT.replace("print(", "next(source); print('reading', flush=True); print(")
    data = clip("long.ts", frames=300, noisy=True).read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(data)
        process.stdin.flush()
        assert process.stdout.readline() == b"reading\n"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert b"KeyboardInterrupt" in process.stderr.read()
    assert process.returncode != 0

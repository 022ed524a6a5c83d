"""Streams that do not wait: the newest frame, honest counts, no hang, and errors that reach the consumer."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from tracker.clock import Anchor, monotonic_ns
from tracker.errors import SourceError
from tracker.source import SourceSettings, open_source
from tracker.source.address import parse_address
from tracker.source.decoder import Decoded, Decoder
from tracker.source.live import LiveSource, captured

PATIENT = SourceSettings(timeout_seconds=30)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server on loopback that lets `talk` have the first connection; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`; fail after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def test_only_the_newest_frame_is_kept(clip, frame_shown) -> None:
    """Whoever looks after the stream has run through sees its last frame, and how many were missed."""
    data = clip("sent.ts").read_bytes()
    with server(lambda connection: connection.sendall(data)) as url, open_source(url, PATIENT) as source:
        assert source.live and source.frames_expected is None
        until(lambda: source.dropped == 29)
        frame = next(source)
        assert (frame_shown(frame), frame.index, frame.dropped) == (29, 29, 29)
        assert frame.captured_ns <= frame.decoded_ns <= monotonic_ns()
        assert list(source) == []


def test_a_quick_consumer_misses_nothing_between(clip, frame_shown) -> None:
    """Indices rise, and those missing are exactly those dropped."""
    data = clip("sent.ts", frames=60, noisy=True).read_bytes()
    with server(lambda connection: connection.sendall(data)) as url, open_source(url, PATIENT) as source:
        frames = list(source)
    assert [frame_shown(frame) for frame in frames] == [frame.index % 40 for frame in frames]
    assert len(frames) + source.dropped == 60 and frames[-1].index == 59
    assert all(frame.index == number + frame.dropped for number, frame in enumerate(frames))


def stalling(data: bytes, release: threading.Event) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        release.wait(60)

    return talk


@pytest.mark.parametrize(
    ("name", "wishes"),
    [("bare.mjpeg", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}), ("bare.h264", {"options": {"tune": "zerolatency"}})],
)
def test_a_stream_without_times_has_those_of_its_coming(clip, name: str, wishes: dict) -> None:
    data = clip(name, frames=60, **wishes).read_bytes()
    with server(lambda connection: connection.sendall(data)) as url, open_source(url, PATIENT) as source:
        frames = list(source)
    shown = [(frame.pts, frame.captured_ns - frames[0].captured_ns) for frame in frames]
    assert source.live and [pts - frames[0].pts for pts, _ in shown] == [came for _, came in shown]
    assert {frame.time_base for frame in frames} == {Fraction(1, 10**9)}


def test_closing_while_blocked_does_not_hang(clip) -> None:
    data, release = clip("sent.ts", frames=60, noisy=True).read_bytes(), threading.Event()
    with server(stalling(data, release)) as url:
        source = open_source(url, SourceSettings(timeout_seconds=60))
        given: list[int] = []
        consumer = threading.Thread(target=lambda: given.extend(frame.index for frame in source), daemon=True)
        consumer.start()
        until(lambda: len(given) > 0)
        source.close()
        consumer.join(30)
        assert not consumer.is_alive()
        assert list(source) == []
        release.set()


def test_a_stream_that_falls_silent_is_an_error(clip) -> None:
    data, release = clip("sent.ts", frames=60, noisy=True).read_bytes(), threading.Event()
    with server(stalling(data, release)) as url, open_source(url, SourceSettings(timeout_seconds=1)) as source:
        with pytest.raises(SourceError, match="nothing came from"):
            list(source)
        release.set()


def test_a_server_that_never_answers(clip) -> None:
    release = threading.Event()
    with server(stalling(b"", release)) as url:
        with pytest.raises(SourceError, match="nothing came from"):
            open_source(url.replace("tcp", "http") + "/a.mp4", SourceSettings(timeout_seconds=1))
        release.set()


def test_a_process_ends_while_its_reader_is_blocked(clip) -> None:
    """Without closing, even."""
    data, release = clip("sent.ts", frames=60, noisy=True).read_bytes(), threading.Event()
    program = (
        "import sys; from tracker.source import *; "
        "source = open_source(sys.argv[1], SourceSettings(timeout_seconds=60)); print(next(source).width_px)"
    )
    with server(stalling(data, release)) as url:
        done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, timeout=60)
        release.set()
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [b"160"], b"")


def test_opening_can_be_interrupted(clip) -> None:
    """At once, and as an interrupt: not as the fault of a source that said nothing by then."""
    waiting, release = threading.Event(), threading.Event()

    def silent(_: socket.socket) -> None:
        waiting.set()
        release.wait(60)

    program = "import sys; from tracker.source import *; open_source(sys.argv[1], SourceSettings(timeout_seconds=20))"
    with (
        server(silent) as url,
        subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE) as process,
    ):
        assert waiting.wait(60) and process.stderr
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.stderr.read().splitlines()[-1]
        release.set()


class Breaking:
    """A decoder that fails after some pictures."""

    def __init__(self, path: Path, failure: BaseException) -> None:
        self._real, self._failure = Decoder(parse_address(str(path)), SourceSettings()), failure
        self.address, self.rate, self.damaged, self.closed = self._real.address, self._real.rate, 0, False

    def __iter__(self) -> Iterator[Decoded]:
        for decoded in self._real:
            if decoded.index == 5:
                raise self._failure
            yield decoded

    def close(self) -> None:
        self._real.close()
        self.closed = True


@pytest.mark.parametrize("failure", [ZeroDivisionError("broken"), SourceError("unplugged")])
def test_what_breaks_the_reader_reaches_the_consumer(clip, failure: Exception) -> None:
    decoder = Breaking(clip("sent.ts"), failure)
    with LiveSource(decoder, 30) as source:
        with pytest.raises(type(failure), match=str(failure)):
            for frame in source:
                last = frame.index
        assert last == 4
    assert decoder.closed


class Impatient:
    """A container as AVFoundation's: it says that there is no frame yet, twice for each, and for ever at the end."""

    def __init__(self, container) -> None:
        self._container = container
        self._packets = None
        self._asked = 0

    def demux(self, stream):
        self._packets = self._packets or self._container.demux(stream)
        self._asked += 1
        if self._asked % 3 == 0:
            for packet in self._packets:
                if packet.size:
                    yield packet
                break
        raise av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    def __getattr__(self, name: str):
        return getattr(self._container, name)


def test_a_camera_that_does_not_wait_is_asked_again(clip, frame_shown) -> None:
    decoder = Decoder(parse_address(str(clip("plain.mp4"))), SourceSettings(timeout_seconds=0.2))
    decoder._container = Impatient(decoder._container)  # type: ignore[assignment]
    pictures = []
    with pytest.raises(SourceError, match="nothing came from .* for 0.2 s"):
        pictures.extend(decoder)
    decoder.close()
    assert 20 <= len(pictures) <= 30  # the decoder still holds those that it was not asked for
    assert decoder.damaged == 0


def test_a_camera_stamp_is_believed_if_its_clock_is_ours(clip) -> None:
    decoder = Decoder(parse_address(str(clip("sent.ts"))), SourceSettings())
    picture = next(iter(decoder)).picture
    second, tie = 10**9, Anchor(1_000 * 10**9, 1_700_000_000 * 10**9)
    arrived = 1_010 * second

    def stamped(stamp_us: int) -> int:
        return captured(Decoded(picture, stamp_us, Fraction(1, 10**6), 0, arrived, arrived), tie)

    assert stamped(1_009_970_000) == arrived - 30_000_000  # monotonic
    assert stamped(1_700_000_009_950_000) == arrived - 50_000_000  # wall
    assert stamped(0) == stamped(2_000_000_000) == stamped(500_000_000) == arrived
    decoder.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web(folder: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_file_on_a_web_server_gives_every_frame(clip, frame_shown) -> None:
    path = clip("served.mp4", muxer={"movflags": "faststart"})
    with web(path.parent) as url, open_source(f"{url}/{path.name}", PATIENT) as source:
        assert not source.live
        assert [frame_shown(frame) for frame in source] == list(range(30))


def test_a_stream_without_end_on_a_web_server_is_live(clip) -> None:
    path = clip("sent.ts")
    with web(path.parent) as url, open_source(f"{url}/{path.name}", PATIENT) as source:
        assert source.live
        assert sum(1 for _ in source) + source.dropped == 30


def test_not_found_on_a_web_server(clip) -> None:
    path = clip("served.mp4")
    with web(path.parent) as url, pytest.raises(SourceError, match=r"missing\.mp4"):
        open_source(f"{url}/missing.mp4", PATIENT)

"""The whole thing on one clip: track, publish on a loopback socket, subscribe from another process, draw.

Given a folder and a clip (the bundled one by default) it prints the subscriber's live table, writes an overlay video
and a contact sheet, and fails if a message was lost. Subscribing here is what any client would do: the other process
knows the address and nothing else.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.clients.subscribe import subscribe
from tracker.errors import AssetError, PublishError, SettingsError
from tracker.face.expression import ARKIT_NAMES
from tracker.face.parameters import TrackState
from tracker.wire.schema import FrameHeader, FrameMessage

if TYPE_CHECKING:
    from tracker.publish import Publisher

SOURCE_ID = "demo"
PICTURES = 12
ROW_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
"""How long each process waits for the other to start."""
SILENCE_SECONDS = 3.0
"""After the last frame was published: how long the subscriber waits for what is still missing."""
_HEAD = " time s   msg/s  missed  frame to here ms  socket ms  face"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the subscriber got."""

    first: int
    """Sequence of its first message."""
    received: int
    missed: int
    """Gaps between the messages it got."""
    socket_ms: float
    """Median from published to received."""


def demo(out_dir: str | Path, clip: str | None = None) -> None:
    """Run it, and print where the results are.

    Raises SourceError or AssetError for a clip that is none, SettingsError for a folder that cannot be made
    or holds the clip as its overlay.mp4, OutputError where the disk refuses, PublishError where messages were lost.
    """
    from tracker import pipeline
    from tracker.clients.preview import Preview, contact_sheet
    from tracker.publish import Publisher
    from tracker.source import SourceSettings, open_source, require_apart

    out = _folder(out_dir)
    overlay, sheet = out / "overlay.mp4", out / "contact_sheet.png"
    shown = clip or bundled_clip()
    require_apart(shown, [overlay, sheet], "--out")
    with ExitStack() as parts:
        video = parts.enter_context(open_source(shown, SourceSettings(realtime=True)))
        built = pipeline.build_pipeline()
        publisher = parts.enter_context(
            Publisher("tcp://127.0.0.1:*", SOURCE_ID, built.model.hash, built.model.version)
        )
        watcher = parts.enter_context(Watcher(publisher.endpoint))
        watcher.wait(publisher)
        preview = parts.enter_context(Preview(overlay, video.fps, built.model))
        pictures = Spread(PICTURES)
        summary = pipeline.run(
            video, built, publisher, lambda frame, faces, camera: pictures.offer(preview.add(frame, faces))
        )
        delivery = watcher.finish(publisher.sequence)
    print(summary)
    contact_sheet(pictures.pictures(), sheet)
    got = check(delivery, publisher.sequence)
    print(f"{got.received} messages over {publisher.endpoint}, none lost, {got.socket_ms:.2f} ms each")
    print(f"wrote {overlay}\nwrote {sheet}")


def bundled_clip() -> str:
    """The path of the clip that comes with the package. Raises AssetError where it is missing."""
    path = files("tracker.assets").joinpath("demo.mp4")
    if not path.is_file():
        raise AssetError(f"no demo clip at {path}; reinstall facewire, or name a clip: facewire demo talk.mp4")
    return str(path)


def check(delivery: Delivery | None, published: int) -> Delivery:
    """Raise PublishError unless the subscriber got every message from its first to the last; returns it if so."""
    if delivery is None:
        raise PublishError("the subscriber's process ended early; run the demo again, and see what it printed")
    lost = published - delivery.first - delivery.received
    if lost or delivery.missed:
        raise PublishError(
            f"{lost} of {published - delivery.first} messages were lost on loopback ({delivery.missed} in gaps); "
            "the machine was too busy: close other programs and run the demo again"
        )
    return delivery


class Spread:
    """`count` pictures spread evenly over a stream whose length nobody knows."""

    def __init__(self, count: int) -> None:
        self.kept: list[np.ndarray] = []
        self._most, self._step, self._seen = 2 * count, 1, 0
        self._count = count

    def offer(self, picture: np.ndarray) -> None:
        """Keep a copy if it is due; when twice as many as wanted are kept, every second one goes."""
        if self._seen % self._step == 0:
            self.kept.append(picture.copy())
        self._seen += 1
        if len(self.kept) == self._most:
            del self.kept[1::2]
            self._step *= 2

    def pictures(self) -> list[np.ndarray]:
        """Those wanted, the first and the last kept among them."""
        wanted = np.linspace(0, len(self.kept) - 1, min(self._count, len(self.kept)))
        return [self.kept[round(k)] for k in wanted]


class Watcher:
    """The other process, and what is said to it apart from the socket: when to stop, and the counts it returns."""

    def __init__(self, endpoint: str) -> None:
        fresh = multiprocessing.get_context("spawn")  # a fork would inherit the publisher's socket and threads
        self._ready, self._last, self._counts = fresh.Event(), fresh.Value("q", -1), fresh.SimpleQueue()
        # A daemon: should an interrupt come before the caller holds this, it ends with the program all the same.
        told = (endpoint, self._ready, self._last, self._counts)
        self._process = fresh.Process(target=_watch, args=told, daemon=True)
        self._process.start()

    def wait(self, publisher: Publisher) -> None:
        """Publish empty frames until one has arrived: what is sent before a subscription stands is never seen."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._ready.wait(0.02):
            if time.monotonic() > until or not self._process.is_alive():
                raise PublishError(f"nothing arrives from {publisher.endpoint}; does a firewall block loopback?")
            publisher.publish(_empty(), ())

    def finish(self, published: int) -> Delivery | None:
        """Tell it how many messages there were and wait for its counts; None where it died."""
        self._last.value = published - 1
        self._process.join(PATIENCE_SECONDS)
        return None if self._counts.empty() else self._counts.get()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


def _watch(endpoint: str, ready: Any, last: Any, counts: Any) -> None:
    """The subscriber's process: one row of the table twice a second, and the counts at the end."""
    try:
        counts.put(listen(endpoint, ready.set, lambda: last.value))
    except (KeyboardInterrupt, BrokenPipeError):
        return  # the other process says so


def listen(endpoint: str, ready: Callable[[], None], last: Callable[[], int]) -> Delivery:
    """Receive until the message numbered `last()` (below 0: not known yet) is here, or nothing comes any more."""
    first, received, quiet_since = -1, 0, time.monotonic()
    table = Table()
    with subscribe(endpoint, source_id=SOURCE_ID) as subscription:
        while not 0 <= last() < first + received:
            message = subscription.receive(0.1)
            if message is None:
                if time.monotonic() - quiet_since > (SILENCE_SECONDS if last() >= 0 else PATIENCE_SECONDS):
                    break
                continue
            if first < 0:
                first = message.sequence
                ready()
            received, quiet_since = received + 1, time.monotonic()
            table.add(message, subscription.reception.sources[SOURCE_ID].missed)
            if message.sequence == last():
                break
        missed = subscription.reception.sources[SOURCE_ID].missed if received else 0
    return Delivery(max(first, 0), received, missed, float(np.median(table.socket_ms or [0.0])))


class Table:
    """Rows of what came in the last half second."""

    def __init__(self) -> None:
        self.socket_ms: list[float] = []
        self._started = self._row_from = time.monotonic()
        self._rows = 0
        self._delays_ms: list[float] = []

    def add(self, message: FrameMessage, missed: int) -> None:
        """Count a message; print a row when one is due. Frames before the first of the clip are not shown."""
        if message.pts is None:
            self._started = self._row_from = time.monotonic()
            return
        received_ns = message.received_ns or 0  # what has been received has its stamp
        self.socket_ms.append((received_ns - message.published_ns) / 1e6)
        self._delays_ms.append((received_ns - message.decoded_ns) / 1e6)
        elapsed = time.monotonic() - self._row_from
        if elapsed < ROW_SECONDS:
            return
        if self._rows == 0:
            print(_HEAD, flush=True)
        rate, delay = len(self._delays_ms) / elapsed, float(np.median(self._delays_ms))
        socket = float(np.median(self.socket_ms[-len(self._delays_ms) :]))
        since = time.monotonic() - self._started
        print(f"{since:7.1f} {rate:7.1f} {missed:7d} {delay:17.2f} {socket:10.2f}  {describe(message)}", flush=True)
        self._row_from, self._rows = time.monotonic(), self._rows + 1
        self._delays_ms.clear()


def describe(message: FrameMessage) -> str:
    """The first face in a few words: track, state and its three strongest shapes."""
    if not message.faces:
        return "no face"
    face = message.faces[0]
    if face.state == TrackState.LOST:
        return f"#{face.track_id} lost"
    strongest = np.argsort(-face.blendshapes, kind="stable")[:3]
    shapes = "  ".join(f"{ARKIT_NAMES[k]} {face.blendshapes[k]:.2f}" for k in strongest)
    return f"#{face.track_id} {face.state.name.lower()}  {shapes}"


def _empty() -> FrameHeader:
    now_ns = time.monotonic_ns()
    return FrameHeader(
        source_id=SOURCE_ID, pts=None, time_base_num=1, time_base_den=1, captured_ns=now_ns, decoded_ns=now_ns,
        inferred_ns=now_ns, width_px=1, height_px=1, fx=1.0, fy=1.0, cx=0.5, cy=0.5,
    )  # fmt: skip


def _folder(out_dir: str | Path) -> Path:
    out = Path(out_dir)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {out} ({error.strerror}); give another with --out") from error
    return out

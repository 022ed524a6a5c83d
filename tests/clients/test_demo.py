"""The demo end to end, and its subscriber on a real socket in another process: nothing lost, or it says so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.clients import demo as showing
from tracker.errors import PublishError, SettingsError, SourceError
from tracker.publish import Publisher


def publisher() -> Publisher:
    return Publisher("tcp://127.0.0.1:*", showing.SOURCE_ID, bytes(8), "1.0")


def publish(sender: Publisher, count: int) -> None:
    for _ in range(count):
        sender.publish(showing._empty(), ())
        time.sleep(0.002)


def test_demo_shows_the_bundled_clip(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    showing.demo(out)
    with av.open(showing.bundled_clip()) as container:
        clip = list(container.decode(video=0))
    with av.open(str(out / "overlay.mp4")) as container:
        overlay = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(overlay) == len(clip) > 150
    assert overlay[0].shape == (480, 640, 3)
    changed = [
        np.abs(a.astype(int) - b.to_ndarray(format="rgb24")).max(-1) > 40 for a, b in zip(overlay, clip, strict=True)
    ]
    middle = [int(change[180:400, 240:400].sum()) for change in changed]
    assert np.median(middle) > 500  # the mesh on the face in the middle
    with av.open(str(out / "contact_sheet.png")) as container:
        sheet = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert sheet.shape[1] == 4 * 484 + 4
    said = capfd.readouterr().out
    for words in (
        "msg/s",
        "tracking",
        "none lost",
        str(out / "overlay.mp4"),
        str(out / "contact_sheet.png"),
    ):
        assert words in said, words
    # For more than a second nobody is in the picture.
    assert any(words in said for words in ("coasting", "lost\n", "no face")), said


def test_watcher_in_its_own_process_counts_every_message() -> None:
    with publisher() as sender, showing.Watcher(sender.endpoint) as watcher:
        watcher.wait(sender)
        publish(sender, 200)
        delivery = watcher.finish(sender.sequence)
    assert delivery is not None
    assert delivery.first + delivery.received == sender.sequence
    assert (delivery.missed, delivery.received > 200) == (0, True)
    showing.check(delivery, sender.sequence)


@pytest.mark.parametrize("gap_at_the_end", [False, True])
def test_a_lost_message_is_an_error(gap_at_the_end: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "SILENCE_SECONDS", 0.3)
    started, results, last = threading.Event(), [], [-1]
    with publisher() as sender:
        ear = threading.Thread(
            target=lambda: results.append(showing.listen(sender.endpoint, started.set, lambda: last[0]))
        )
        ear.start()
        while not started.wait(0.02):
            publish(sender, 1)
        publish(sender, 5)
        sender.sequence += 3  # three that were never sent
        if not gap_at_the_end:
            publish(sender, 5)
        last[0] = sender.sequence - 1
        ear.join(30)
    with pytest.raises(PublishError, match=r"^3 of \d+ messages were lost") as caught:
        showing.check(results[0], sender.sequence)
    assert "\n" not in str(caught.value)


def test_a_dead_subscriber_is_an_error() -> None:
    with pytest.raises(PublishError, match="ended early"):
        showing.check(None, 10)


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.mp4"):
        showing.demo(tmp_path / "out", str(tmp_path / "missing.mp4"))
    (tmp_path / "file").write_text("here")
    with pytest.raises(SettingsError, match="file"):
        showing.demo(tmp_path / "file")


@pytest.mark.parametrize("length", [1, 5, 24, 25, 211, 5000])
def test_pictures_are_spread_evenly(length: int) -> None:
    spread = showing.Spread(12)
    for index in range(length):
        spread.offer(np.array([index]))
    kept = [int(picture[0]) for picture in spread.pictures()]
    assert len(kept) == min(length, 12)
    assert kept[0] == 0
    assert kept[-1] >= 0.75 * (length - 1)
    if length > 24:
        steps = np.diff(kept)
        assert steps.max() <= 2.1 * steps.min()


def test_the_clip_itself_is_not_overwritten(tmp_path: Path) -> None:
    own = Path(shutil.copy(showing.bundled_clip(), tmp_path / "overlay.mp4"))
    before = own.read_bytes()
    with pytest.raises(SettingsError, match=r"overlay\.mp4 is the source itself.*--out"):
        showing.demo(tmp_path, str(own))
    assert own.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are a Unix thing")
def test_a_service_manager_s_stop_takes_the_subscriber_along(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "tracker.cli", "demo", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            while "tracking" not in (line := process.stdout.readline()):  # of the subscriber's table
                assert line
            process.send_signal(signal.SIGTERM)
            # Both pipes are the subscriber's too: they end when it does, which by itself would be in 20 s.
            _, errors = process.communicate(timeout=showing.PATIENCE_SECONDS / 2)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and errors.strip() == ""

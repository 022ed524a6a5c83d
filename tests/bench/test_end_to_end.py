"""The whole chain over real sockets: played, tracked by `facewire run`, received elsewhere, and accounted for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hdrh", reason="hdrhistogram is not installed: pip install 'facewire[bench]'")

from tracker.bench import arrivals, end_to_end, footage, tap
from tracker.bench.arrivals import Taken
from tracker.bench.end_to_end import Settings
from tracker.bench.figures import figures
from tracker.bench.player import Schedule
from tracker.bench.report import json_line
from tracker.errors import SettingsError

STALL_SECONDS = 0.3


def test_a_stall_of_the_player_counts_from_the_schedule(
    tmp_path: Path, faceless_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_to_end, "WARM_UP_SECONDS", 0.2)
    settings, shot = Settings(minutes=0.03, slow=1), footage.Shot(120, 30, crf=38)
    path = tmp_path / "numbered.mp4"
    count = footage.film(footage.load(faceless_clip, find_face=False), shot, path)
    piped = Settings(minutes=0.03, via="pipe")
    with ThreadPoolExecutor(2) as pool:  # both at once: most of it is waiting
        case, piped_case = pool.map(
            lambda one: end_to_end.run_case(one, shot, path, count, STALL_SECONDS), (settings, piped)
        )
    # Standard input gives every frame; those behind the stall are late, one by one.
    account = piped_case.account
    assert account.tracked == account.due == 54 and not (account.dropped or account.lost or account.unaccounted)
    assert account.stages["due to received"].max_ns > STALL_SECONDS * 0.99e9
    account = case.account
    assert account.due == 54
    assert (account.lost, account.unsure, account.unaccounted) == (0, 0, 0)
    assert account.tracked + account.dropped == account.due and account.tracked > 20
    whole = account.stages["due to received"]
    assert whole.count == account.tracked
    # Of what piled up behind the stall the source gave only the newest; the frame that was due first counts until then.
    every = account.stages[arrivals.EVERY]
    assert every.count == account.due and every.max_ns > STALL_SECONDS * 0.99e9
    assert account.curve[-1][1] >= every.max_ns and whole.max_ns <= every.max_ns
    assert whole.p50_ns > account.stages["decoded to published"].p50_ns > account.stages["find"].p50_ns > 0
    assert account.beside["all read"].count + account.beside["the slow ones do not read"].count == whole.count
    (slow,) = case.slow
    # The newest when it looked again, not the first that had waited.
    assert 0 < slow.received < account.tracked + 30 and 0 <= slow.behind_frames < 20
    result = end_to_end.Result("clip.mp4", 0.03, "tcp", (case,))
    text = end_to_end.report(result)
    assert "of 54 frames due" in text and "slow 1" in text
    (tmp_path / "end_to_end.json").write_text(json_line("end_to_end", result))
    assert "214 x 120 at 30 Hz, 1 face" in figures(tmp_path) and "1 other subscribers read" in figures(tmp_path)
    assert json.loads((tmp_path / "end_to_end.json").read_text())["result"]["cases"][0]["account"]["due"] == 54


def _taken(tracked: list[tuple[int, int, int]], sent_late_ns: int = 0) -> Taken:
    """Rows of (frame by its time, number in its pixels, dropped so far), at 10 Hz, rounds of 8, frames 10 to 20."""
    rows = [
        (k, by_time * 100_000_000, number, dropped, 1, by_time * 100_000_000 + 9, 1, 1, 1, 1)
        for k, (by_time, number, dropped) in enumerate(tracked)
    ]
    sent_ns = np.arange(40, dtype=np.int64) * 100_000_000 + sent_late_ns
    return Taken(Schedule(0, 10), 10, 20, 8, sent_ns, np.array(rows, np.int64))


def _received(taken: Taken, late_ns: int, without: tuple[int, ...] = ()) -> np.ndarray:
    rows = []
    for row in taken.tracked.tolist():
        if row[0] not in without:
            captured = row[1] + late_ns
            rows.append((row[0], captured, captured + 1, captured + 9, captured + 10, captured + 1_000_000))
    return np.array(rows, np.int64)


def test_every_frame_has_its_account() -> None:
    """Two dropped, one whose pixels say another number, one whose message was lost, one that never came."""
    kept = [k for k in range(6, 24) if k not in (12, 13, 19)]
    tracked = [(k, 3 if k == 15 else k % 8, 2 if k > 13 else 0) for k in kept]
    taken = _taken(tracked)
    lost = kept.index(17)
    account = arrivals.account(taken, _received(taken, 5_000_000, (lost,)), (1_200_000_000, 1_700_000_000))
    assert account.due == 10
    assert account.tracked == 6  # 10 11 14 16 17 18
    assert (account.dropped, account.unsure, account.unaccounted, account.lost) == (2, 1, 1, 1)
    whole = account.stages["due to received"]
    assert whole.count == 5 and whole.p50_ns == pytest.approx(6_000_000, rel=1e-3)
    assert account.stages["sent to read"].p50_ns == pytest.approx(5_000_000, rel=1e-3)
    every = account.stages[arrivals.EVERY]
    # 12 was surpassed by 14, 200 ms later; 15 by 16, 17 by 18, and 19 by 20.
    assert every.count == 10 and every.max_ns == pytest.approx(206_000_000, rel=1e-3)
    assert every.p50_ns == pytest.approx(6_000_000, rel=1e-3)
    assert (account.beside["all read"].count, account.beside["the slow ones do not read"].count) == (3, 2)


def test_drops_before_and_behind_the_span_do_not_count() -> None:
    kept = [k for k in range(4, 26) if k not in (8, 9, 15, 20, 21)]
    dropped = {k: sum(k > gone for gone in (8, 9, 15, 20, 21)) for k in kept}
    taken = _taken([(k, k % 8, dropped[k]) for k in kept])
    account = arrivals.account(taken, _received(taken, 0), None)
    assert (account.due, account.tracked, account.dropped, account.unaccounted) == (10, 9, 1, 0)
    assert account.beside == {}


def test_bad_settings_are_named() -> None:
    for wrong, name in (({"sizes": "720p"}, "sizes '720p'"), ({"rates": ""}, "rates ''"), ({"faces": "9"}, "9 faces")):
        with pytest.raises(SettingsError, match=name):
            Settings(**wrong)
    with pytest.raises(SettingsError, match="0 minutes"):
        Settings(minutes=0)
    assert [str(shot) for shot in Settings(sizes="360,720", rates="30", faces="1,8").shots()][::3] == [
        "640 x 360 at 30 Hz, 1 face", "1280 x 720 at 30 Hz, 8 faces",
    ]  # fmt: skip


def test_there_is_room_for_all_frames_of_the_longest_run() -> None:
    (shot,) = Settings(minutes=240, rates="240").shots()
    assert (240 * 60 + 60) * shot.rate_hz < tap.MOST_FRAMES

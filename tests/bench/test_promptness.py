"""The bars of a live stream: reached at them, missed beyond, and never where nothing came."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

pytest.importorskip("hdrh", reason="hdrhistogram is not installed: pip install 'facewire[bench]'")

from tracker.bench import end_to_end
from tracker.bench.arrivals import EVERY, Account
from tracker.bench.end_to_end import Settings
from tracker.bench.footage import Shot
from tracker.bench.promptness import bars, bars_table
from tracker.bench.tail import Tail


def account(p50_ms: float, p99_ms: float, tail_ratio: float, frames: int = 90) -> Account:
    p50_ns, p99_ns = round(p50_ms * 1e6), round(p99_ms * 1e6)
    every, tracking = Tail(frames, p50_ns, p99_ns, p99_ns, p99_ns, p99_ns), Tail(frames, 1, 1, 1, 1, 1)
    stages = {"decoded to published": tracking, EVERY: every}
    return Account(frames, frames, 0, 0, 0, 0, 1.0, tail_ratio, stages, [], "", {})


@pytest.mark.parametrize(
    ("found", "reached"),
    [((4.0, 12.0, 3.0), [True] * 3), ((4.01, 12.0, 3.0), [False, True, True]),
     ((3.0, 12.01, 3.01), [True, False, False])],
)  # fmt: skip
def test_a_bar_is_reached_up_to_it(found: tuple[float, float, float], reached: list[bool]) -> None:
    judged = bars(account(*found))
    assert [bar.found for bar in judged] == pytest.approx(found)
    assert [bar.reached for bar in judged] == [asdict(bar)["reached"] for bar in judged] == reached
    assert [row.split()[-1] for row in bars_table(judged).splitlines()[3:]] == ["yes" if r else "NO" for r in reached]


def test_where_nothing_came_nothing_is_reached() -> None:
    judged = bars(account(0, 0, 0.0, frames=0))
    assert not any(bar.reached for bar in judged) and all(bar.found is None for bar in judged)
    assert all(row.split()[-1] == "NO" for row in bars_table(judged).splitlines()[3:])


def test_only_the_stream_they_speak_of_has_bars() -> None:
    met, shot = account(1, 1, 1.0), Shot(720, 30)
    assert end_to_end._bars(Settings(), shot, met)
    for settings, other in (
        (Settings(via="pipe"), shot), (Settings(via="mpegts"), shot), (Settings(), replace(shot, rate_hz=60)),
        (Settings(), replace(shot, height_px=1080)), (Settings(), replace(shot, faces=2)),
    ):  # fmt: skip
        assert not end_to_end._bars(settings, other, met)


def test_a_report_says_of_every_bar_whether_it_is_reached() -> None:
    met = account(3.9, 11, 4.0)
    case = end_to_end.Case("720p", 720, 30, 1, 600.0, met, (), end_to_end._bars(Settings(), Shot(720, 30), met))
    text = end_to_end.report(end_to_end.Result("clip.mp4", 1.0, "tcp", (case, replace(case, bars=()))))
    said = [" ".join(line.split()) for line in text.splitlines()]
    assert said.count(f"{EVERY}, p50 3.90 ms 4 ms yes") == 1
    assert said.count("decoded to published, p99 by p50 4.00 3 NO") == 1

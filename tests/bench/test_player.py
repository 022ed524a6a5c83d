"""The player keeps its schedule, whatever becomes of its frames, over a real socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.bench import strip
from tracker.bench.player import Player, Schedule, Stream
from tracker.source import SourceSettings, open_source

RATE_HZ = 60


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory, faceless_clip: Path) -> tuple[Path, int]:
    """Footage of 120 rows, and the number of its frames."""
    from tracker.bench import footage

    path = tmp_path_factory.mktemp("footage") / "numbered.mp4"
    found = footage.load(faceless_clip, find_face=False)
    reel = footage.Reel(found.pictures[:7], found.rate_hz, None)
    return path, footage.film(reel, footage.Shot(120, RATE_HZ, crf=38), path)


def test_the_schedule_is_exact_and_never_drifts() -> None:
    schedule = Schedule(1_000, 30)
    assert schedule.due_ns(0) == 1_000 and schedule.due_ns(30 * 3600) == 3600 * 10**9 + 1_000
    for now_ns in (0, 1_000, 1_001, 33_334_333, 33_334_334, 10**12):
        number = schedule.next_after(now_ns)
        assert schedule.due_ns(number) >= now_ns - 1
        assert number == 0 or schedule.due_ns(number - 1) < now_ns


@pytest.mark.parametrize("container", ["nut", "mpegts"])
def test_a_stall_makes_frames_late_and_the_schedule_stays(numbered: tuple[Path, int], container: str) -> None:
    """Round and round, with times that go on and the numbers of the footage in the pixels."""
    path, count = numbered
    last = 2 * count + 20
    with Player(path, RATE_HZ, container) as player:  # type: ignore[arg-type]
        player.stall_before(30, 0.25)
        player.end_before(last)
        with open_source(player.address, SourceSettings()) as source:
            found = [(round(frame.pts_seconds * RATE_HZ), strip.read(frame.planes[0])) for frame in source]
        schedule, sent_ns = player.schedule(), player.finish()
    late_ms = [(ns - schedule.due_ns(number)) / 1e6 for number, ns in enumerate(sent_ns.tolist())]
    assert len(sent_ns) == last and min(late_ms) >= 0
    assert late_ms[30] > 200 and late_ms[31] > 150  # what stood behind it is late, too
    assert late_ms[-1] < late_ms[30]  # and nothing was put off
    assert found and all(seen == number % count for number, seen in found)
    assert found[-1][0] == last - 1 and source.dropped + len(found) == last


def test_each_frame_is_a_chunk_of_its_own(numbered: tuple[Path, int]) -> None:
    stream = Stream(numbered[0], RATE_HZ, "nut")
    assert all(len(stream.frame(number)) > 20 for number in range(2 * numbered[1]))

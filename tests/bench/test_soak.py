"""The soak notices what it is there for: memory that grows, numbers that are missing or come again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.bench import soak
from tracker.bench.soak import Numbers, Settings
from tracker.errors import SettingsError

ALL = np.arange(5, 105)


def _flat(seconds: int = 400) -> np.ndarray:
    at = np.arange(seconds, dtype=float)
    return np.stack([at, at * 100 + 100, np.where(at < 40, 200 + at, 240)], 1)


def test_a_flat_run_has_no_fault() -> None:
    result = soak.judge(Settings(), _flat(), soak.numbers_of(ALL, 104, 0, 0))
    assert result.faults == () and result.growth_mb == 0 and result.warm_seconds == 60
    assert result.numbers == Numbers(100, 100, 0, 0, 0)
    assert "no fault" in soak.report(result)


def test_a_leak_after_the_first_minute_is_a_fault() -> None:
    curve = _flat()
    curve[:, 2] += np.maximum(0, curve[:, 0] - 60) * 0.02  # 7 MB in six minutes
    result = soak.judge(Settings(), curve, soak.numbers_of(ALL, 104, 0, 0))
    assert len(result.faults) == 1 and "memory grew by 6.8 MB" in result.faults[0]
    assert "FAULT: memory" in soak.report(result)


def test_missing_numbers_must_have_been_counted() -> None:
    seen = np.delete(ALL, [10, 11, 50])
    numbers = soak.numbers_of(seen, 106, 0, 5)  # two more are missing at the end
    assert numbers.missed == 5 and soak.judge(Settings(), _flat(), numbers).faults == ()
    silent = soak.judge(Settings(), _flat(), soak.numbers_of(seen, 106, 0, 4)).faults
    assert silent == ("5 frame numbers are missing, of which the publisher counted 4",)
    again = soak.judge(Settings(), _flat(), soak.numbers_of(np.append(ALL, 50), 104, 1, 0)).faults
    assert again == ("1 frame numbers came again or out of order",)
    assert soak.judge(Settings(), _flat(), soak.numbers_of(ALL[:0], 104, 0, 0)).faults


def test_a_number_that_comes_again_hides_none_that_is_missing() -> None:
    """Then the last number is not the largest, and the first not the least."""
    assert soak.numbers_of(np.array([5, 6, 7, 7]), 6, 1, 0) == Numbers(3, 4, 0, 1, 0)
    assert soak.numbers_of(np.array([5, 4, 5, 7]), 7, 2, 0) == Numbers(4, 4, 1, 2, 0)


def test_the_exit_says_what_was_found() -> None:
    fine = soak.judge(Settings(), _flat(), soak.numbers_of(ALL, 104, 0, 0))
    assert soak.status(fine) == 0 and soak.status(replace(fine, faults=("memory grew",))) == 1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize(("spoil", "fault"), [("leak", "memory grew"), ("gap", "missing, of which")])
def test_a_spoilt_run_is_noticed(spoil: str, fault: str, faceless_clip: Path) -> None:
    """All of it: `facewire run` and a subscriber, each in a process of its own."""
    result = soak.measure(Settings(faceless_clip, frames=120, size=120, spoil=spoil))  # type: ignore[arg-type]
    assert result.frames == 120 and len(result.memory.curve) >= 20
    found = [one for one in result.faults if not one.startswith("memory") or spoil == "leak"]
    assert any(fault in one for one in found), result.faults
    assert result.numbers.missed >= 0
    if spoil == "leak":  # a run so short grows by itself; but the numbers are right
        assert result.numbers.missed <= result.numbers.overflows and not result.numbers.repeated
        assert result.growth_mb > 5


def test_too_few_frames_are_named() -> None:
    with pytest.raises(SettingsError, match="frames 3"):
        Settings(frames=3)

"""The offset of another machine's clock: its bound holds, and drift shows."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.clients.clock_offset import OffsetWindow
from tracker.wire.control import Echo

SECOND = 10**9


def asked(rng: np.random.Generator, at_ns: int, drift: float) -> tuple[Echo, int, int]:
    """A question at `at_ns` of our clock, with ways of its own; the answer, when it came, and the true offset then."""

    def there(now_ns: int) -> int:
        return now_ns + 5 * SECOND + round(drift * now_ns)

    way, busy, back = (int(t) for t in rng.gamma(1.0, 300_000, 3) + (100_000, 10_000, 100_000))
    received = at_ns + way + busy + back
    echo = Echo(at_ns, there(at_ns + way), there(at_ns + way + busy), 1)
    return echo, received, there(received) - received


@pytest.mark.parametrize("drift", [0.0, 80e-6, -150e-6])
def test_the_bound_holds_whatever_the_ways_take(drift: float) -> None:
    rng, window = np.random.default_rng(1), OffsetWindow()
    for second in range(200):
        echo, received, true_ns = asked(rng, second * SECOND, drift)
        window.add(echo, received)
        best = window.best(received)
        assert best is not None and abs(best.offset_ns - true_ns) <= best.bound_at_ns(received)
        assert best.bound_at_ns(received) <= (received - echo.sent_ns) // 2 + 1, "the newest is never better"
    assert best.drift_ppm is not None
    assert abs(best.drift_ppm - 1e6 * drift) <= best.drift_bound_ppm < 40


def test_the_shortest_way_counts_until_it_is_too_old() -> None:
    window = OffsetWindow(window_seconds=10)
    window.add(Echo(0, SECOND + 1000, SECOND + 1000, 1), 2000)
    window.add(Echo(SECOND, 2 * SECOND + 900_000, 2 * SECOND + 900_000, 1), SECOND + 2_000_000)
    best = window.best(SECOND + 2_000_000)
    assert best is not None and (best.offset_ns, best.bound_ns) == (SECOND, 1000)
    assert best.here_ns(SECOND + 5) == 5
    window.add(Echo(20 * SECOND, 21 * SECOND, 21 * SECOND, 1), 20 * SECOND + 10_000_000)
    best = window.best(20 * SECOND + 10_000_000)
    assert best is not None and best.bound_ns == 5_000_000 and best.drift_ppm is None


def test_another_start_of_the_publisher_begins_anew() -> None:
    window = OffsetWindow()
    window.add(Echo(0, 1000, 1000, 1), 2000)
    window.add(Echo(5000, SECOND, SECOND, 2), 2_000_000)
    best = window.best(2_000_000)
    assert best is not None and best.epoch == 2


@pytest.mark.parametrize("echo", [Echo(0, 10, 5, 1), Echo(0, 0, 3000, 1), Echo(5000, 1, 2, 1)])
def test_stamps_that_cannot_be_are_passed_over(echo: Echo) -> None:
    window = OffsetWindow()
    window.add(echo, 2000)
    assert window.best(2000) is None

"""Percentiles to three digits, the largest kept, and a form that others read."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("hdrh", reason="hdrhistogram is not installed: pip install 'facewire[bench]'")
from hdrh.histogram import HdrHistogram

from tracker.bench import tail


def test_percentiles_are_right_to_a_thousandth() -> None:
    samples = np.random.default_rng(0).lognormal(15, 1, 20_000).astype(np.int64)
    found = tail.tail(samples)
    exact = np.percentile(samples, (50, 95, 99, 99.9), method="inverted_cdf")
    assert found.count == len(samples)
    assert [found.p50_ns, found.p95_ns, found.p99_ns, found.p999_ns] == pytest.approx(exact.tolist(), rel=1.5e-3)
    assert found.max_ns == pytest.approx(samples.max(), rel=1e-3)


def test_nothing_measured_is_a_dash() -> None:
    assert tail.tail([]).cells() == [0, None, None, None, None, None]
    assert tail.curve([]) == []


def test_one_late_frame_in_a_thousand_shows() -> None:
    samples = [2_000_000] * 1998 + [90_000_000] * 2
    found = tail.tail(samples)
    assert found.p99_ns == pytest.approx(2e6, rel=1e-3) and found.max_ns == pytest.approx(9e7, rel=1e-3)
    assert dict(tail.curve(samples))[99.95] == pytest.approx(9e7, rel=1e-3)


def test_others_read_the_histogram() -> None:
    read = HdrHistogram.decode(tail.encoded([5_000_000, 7_000_000]))
    assert read.get_total_count() == 2 and read.get_max_value() == pytest.approx(7e6, rel=1e-3)

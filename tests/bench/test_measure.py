"""Percentiles by hand, and a machine that says what it is."""

from __future__ import annotations

import pytest

from tracker.bench.measure import machine, spread
from tracker.errors import SettingsError


def test_percentiles_by_hand() -> None:
    found = spread([4, 1, 3, 2])
    assert (found.count, found.min_ns, found.max_ns, found.mean_ns) == (4, 1, 4, 2.5)
    # Linear between samples: the 95th of four lies 0.95 * 3 = 2.85 steps above the least.
    assert found.p50_ns == pytest.approx(2.5)
    assert found.p95_ns == pytest.approx(3.85)
    assert found.p99_ns == pytest.approx(3.97)


def test_one_sample_is_every_percentile() -> None:
    found = spread([7])
    assert {found.p50_ns, found.p95_ns, found.p99_ns, found.min_ns, found.max_ns, found.mean_ns} == {7.0}


def test_no_sample_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no sample"):
        spread([])


def test_the_machine_names_its_versions() -> None:
    here = machine()
    assert here.cores >= 1
    assert "numpy" in here.versions
    assert f"numpy {here.versions['numpy']}" in here.line()

"""Timings as percentiles, and on what they were taken: the machine and the versions, from the standard library.

Given nanosecond samples it sums them up; it does not know what was timed, and prints nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from tracker.errors import SettingsError

# What a figure may depend on; the ones that are not installed are left out.
_DISTRIBUTIONS = (
    "facewire", "numpy", "numba", "av", "pyzmq", "openvino", "onnxruntime", "mediapipe", "hdrhistogram", "torch",
    "triton", "cupy-cuda13x",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number of durations spread, in nanoseconds."""

    count: int
    p50_ns: float
    p95_ns: float
    p99_ns: float
    min_ns: float
    max_ns: float
    mean_ns: float
    p20_ns: float
    p80_ns: float


def spread(samples_ns: Sequence[int] | np.ndarray) -> Spread:
    """Percentiles with linear interpolation between samples (the median of [1, 2] is 1.5). Raises SettingsError
    without samples."""
    samples = np.asarray(samples_ns, np.float64)
    if samples.size == 0:
        raise SettingsError("no sample to sum up; measure at least one frame")
    p20, p50, p80, p95, p99 = np.percentile(samples, (20, 50, 80, 95, 99))
    return Spread(
        int(samples.size), float(p50), float(p95), float(p99),
        float(samples.min()), float(samples.max()), float(samples.mean()), float(p20), float(p80),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were taken on."""

    processor: str
    cores: int
    """Cores this process may run on."""
    memory_gib: float
    system: str
    python: str
    load: float
    """Processes that wanted a core over the last minute, before the bench; well below `cores` is idle."""
    versions: dict[str, str]
    """Distribution -> version, of those installed."""

    def line(self) -> str:
        """One line for a person."""
        versions = " ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, load {self.load:.2f}, {self.system}, "
            f"Python {self.python}, {versions}"
        )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_bytes(name: str) -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def memory_available_bytes() -> int:
    """What can still be taken without swapping; 4 GiB where the system does not say."""
    return _memory_bytes("MemAvailable") or 4 << 30


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> Machine:
    """Describe this machine now."""
    return Machine(
        _processor(), cores(), _memory_bytes("MemTotal") / 2**30, f"{platform.system()} {platform.machine()}",
        platform.python_version(), os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, _versions(),
    )  # fmt: skip

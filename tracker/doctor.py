"""What this machine has and how fast it is: the report behind `facewire doctor`.

Given a number of seconds it looks at versions, cameras, codecs, kernel backends, a GPU and model files, then runs the
pipeline on the bundled clip (on generated pictures where there is none) and judges the time from decoded to estimated.
Each part that fails becomes a sentence in the report instead of an end to it. It repairs nothing.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from importlib.resources import as_file, files
from typing import Any

import numpy as np

from tracker import __version__
from tracker.errors import FacewireError, SourceError

PACKAGES = ("numpy", "av", "numba", "pyzmq", "msgspec", "onnxruntime", "click")
OPTIONAL = ("openvino", "mediapipe", "torch", "triton", "cupy-cuda13x", "open3d")
CODECS = ("h264", "hevc", "vp9", "av1", "mjpeg", "rawvideo")
# Frame periods a verdict is measured against, in ms; the 95th percentile has to fit with a third to spare.
RATES_HZ = (120, 60, 30, 15)
HEADROOM = 1.5
DEVICE_COLUMNS, NO = ("triton", "cupy"), "no "
"""Backends that take a device's arrays, and what stands before one that does not work here."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Decoded frame to estimate, over the run, in milliseconds."""

    source: str
    frames: int
    faces: int
    """Faces estimated, over all frames."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    stages_ms: dict[str, float]
    """Median by stage."""
    verdict: str


@dataclass(slots=True)
class Report:
    """Everything found; plain values, so that it goes straight to JSON."""

    versions: dict[str, str] = field(default_factory=dict)
    cores: int = 0
    devices: list[dict[str, str]] = field(default_factory=list)
    codecs: dict[str, bool] = field(default_factory=dict)
    hardware_decoders: list[str] = field(default_factory=list)
    kernels: list[dict[str, str]] = field(default_factory=list)
    """Per operator: which backend was taken, and why; then its device columns, ready or `no`, and why."""
    gpu: list[dict[str, Any]] = field(default_factory=list)
    """Per part that `run --device cuda` needs: whether it works, and what was found or is to be done."""
    gpu_ready: bool = False
    """Whether that command would run; without it everything works on the processor."""
    models: list[dict[str, str]] = field(default_factory=list)
    latency: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)
    """One sentence per thing that is missing or broken, with what to try."""


def examine(seconds: float) -> Report:
    """Look at everything; the latency run lasts `seconds` after its warm-up."""
    report = Report(versions=versions(), cores=_cores())
    parts: dict[str, Callable[[], Any]] = {
        "devices": _devices,
        "codecs": _codecs,
        "hardware_decoders": _hardware_decoders,
        "kernels": _kernels,
        "gpu": _gpu,
        "models": _models,
        "latency": lambda: asdict(measure(seconds)),
    }
    for name, look in parts.items():
        try:
            setattr(report, name, look())
        except FacewireError as error:
            report.problems.append(f"{name}: {error}")
        except (ImportError, OSError) as error:
            report.problems.append(f"{name}: {error}; reinstall facewire, or the package it names")
    report.gpu_ready = bool(report.gpu) and all(part["works"] or not part["needed"] for part in report.gpu)
    return report


def versions() -> dict[str, str]:
    """Versions of Facewire, Python and every package it may use; `-` where one is not installed."""
    found = {"facewire": __version__, "python": platform.python_version(), "system": platform.platform()}
    return found | {name: _version(name) for name in (*PACKAGES, *OPTIONAL)}


def version_line() -> str:
    """Facewire's, its schema's and its face model's version on one line."""
    from tracker.face.model import FaceModel
    from tracker.wire import schema

    model = FaceModel.load()
    return (
        f"facewire {__version__}, schema {schema.VERSION_MAJOR}.{schema.VERSION_MINOR}, "
        f"face model {model.version} ({model.hash.hex()}), Python {platform.python_version()}"
    )


def measure(seconds: float) -> Latency:
    """Run the pipeline on the bundled clip over and over for `seconds`, and judge it."""
    from tracker.pipeline import build_pipeline
    from tracker.source import SourceSettings, open_source

    pipeline = build_pipeline()
    taken_ns: list[int] = []
    stages_ns: dict[str, list[int]] = {}
    faces = 0
    clip = files("tracker.assets").joinpath("demo.mp4")
    with as_file(clip) as path:
        name = str(path) if path.is_file() else "lavfi:testsrc2=size=1280x720:rate=30"
        with open_source(name, SourceSettings(loop=path.is_file())) as source:
            started = time.monotonic()
            for frame in source:
                begin = time.monotonic_ns()
                faces += len(pipeline.track(frame))
                if frame.index >= 10:  # the first frames fill caches
                    taken_ns.append(time.monotonic_ns() - begin)
                    for stage, duration in pipeline.stage_ns.items():
                        stages_ns.setdefault(stage, []).append(duration)
                if time.monotonic() - started > seconds:
                    break
    if not taken_ns:
        raise SourceError(f"{name} gave too few frames in {seconds} s; try a longer --seconds")
    p50, p95, p99 = (float(p) for p in np.percentile(taken_ns, (50, 95, 99)) / 1e6)
    stages = {stage: float(np.median(durations) / 1e6) for stage, durations in stages_ns.items()}
    shown = "bundled clip" if clip.is_file() else "generated pictures (no face)"
    return Latency(shown, len(taken_ns), faces, p50, p95, p99, stages, judge(p95))


def judge(p95_ms: float) -> str:
    """The highest usual frame rate that this 95th percentile leaves room for, in a sentence."""
    rate = next((rate for rate in RATES_HZ if p95_ms * HEADROOM <= 1000 / rate), None)
    if rate is None:
        return f"too slow for {RATES_HZ[-1]} frames a second; close other programs, track fewer faces or --no-smooth"
    return f"keeps up with {rate} frames a second with room to spare"


def as_json(report: Report) -> str:
    """The report as one line of JSON."""
    return json.dumps(asdict(report), separators=(",", ":"))


def as_text(report: Report) -> str:
    """The report as a person reads it."""
    lines = ["versions"]
    lines += [f"  {name:14} {version}" for name, version in report.versions.items()]
    lines += ["", f"cores            {report.cores}", "", "cameras"]
    lines += [f"  {device['spec']:24} {device['name']}" for device in report.devices] or ["  none"]
    lines += ["", "decoders         " + ", ".join(name for name, there in report.codecs.items() if there)]
    missing = [name for name, there in report.codecs.items() if not there]
    lines += [f"  missing        {', '.join(missing)}"] if missing else []
    lines += [f"  hardware       {', '.join(report.hardware_decoders) or 'none'}", "", "kernels"]
    lines += _kernel_lines(report.kernels)
    lines += ["", *_gpu_lines(report)]
    lines += ["", "models"]
    lines += [f"  {row['file']:20} {row['version']:8} {row['hash']}" for row in report.models]
    lines += ["", *_latency_lines(report.latency), ""]
    lines += [f"problem: {problem}" for problem in report.problems] or ["no problem found"]
    return "\n".join(lines)


def _kernel_lines(kernels: list[dict[str, str]]) -> list[str]:
    """One an operator; the columns of a device, which mostly say the same, one for all that do."""
    here, there = list[str](), dict[tuple[str, str], list[str]]()
    for row in kernels:
        if row["backend"].removeprefix(NO) in DEVICE_COLUMNS:
            there.setdefault((row["backend"], row["reason"]), []).append(row["operator"])
        else:
            here.append(f"  {row['operator']:14} {row['backend']:10} {row['reason']}")
    return [*here, *(f"  {', '.join(rows)}: {backend}: {reason}" for (backend, reason), rows in there.items())]


def _gpu_lines(report: Report) -> list[str]:
    """A machine without one is told first that nothing is amiss."""
    verdict = "ready: run --device cuda" if report.gpu_ready else "not ready for run --device cuda"
    lines = [f"gpu              {verdict}; without --device everything runs on the processor, which needs none of this"]
    for part in report.gpu:
        state = "works" if part["works"] else "missing" if part["needed"] else "without"
        lines.append(f"  {part['name']:14} {state:10} {part['found']}")
    return lines


def _latency_lines(latency: dict[str, Any] | None) -> list[str]:
    if latency is None:
        return ["latency          not measured"]
    stages = ", ".join(f"{stage} {value:.2f}" for stage, value in latency["stages_ms"].items())
    return [
        f"latency          {latency['verdict']}",
        f"  decoded to estimate, ms: p50 {latency['p50_ms']:.2f}, p95 {latency['p95_ms']:.2f}, "
        f"p99 {latency['p99_ms']:.2f} over {latency['frames']} frames of the {latency['source']}",
        f"  median by stage, ms: {stages}",
    ]


def _cores() -> int:
    """Cores this process may run on, which on a shared machine are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "-"


def _devices() -> list[dict[str, str]]:
    from tracker.source import list_devices

    return [{"spec": device.spec, "name": device.name, "description": device.description} for device in list_devices()]


def _codecs() -> dict[str, bool]:
    from av.codec import codecs_available

    return {name: name in codecs_available for name in CODECS}


def _hardware_decoders() -> list[str]:
    """What FFmpeg was built with; whether the hardware is there shows only on use."""
    from av.codec.hwaccel import hwdevices_available

    return list(hwdevices_available())


def _kernels() -> list[dict[str, str]]:
    """What each operator uses here, then each of its device columns: ready, or why not."""
    from tracker.kernels import backend

    choices = [*backend.choose("auto").choices, *(backend.operator(row)[1] for row in backend.LATER_ROWS)]
    for row in (*backend.ROWS, *backend.LATER_ROWS):
        for column in backend.device_columns(row):
            works, choice = backend.tried(row, column)
            choices.append(choice if works else replace(choice, backend=f"{NO}{column}"))
    return [{"operator": choice.row, "backend": choice.backend, "reason": choice.reason} for choice in choices]


def _gpu() -> list[dict[str, Any]]:
    from tracker.device.inventory import parts

    return [asdict(part) for part in parts()]


def _models() -> list[dict[str, str]]:
    """The pipeline's own models; building it checks their hashes and that they belong together."""
    from tracker.pipeline import build_pipeline

    built = build_pipeline()
    parts: dict[str, Any] = {
        "face_model.npz": built.model,
        "student.onnx": built.regressor.network,
        "detector.onnx": built.detector.network,
    }
    return [{"file": name, "version": part.version or "-", "hash": part.hash.hex()} for name, part in parts.items()]

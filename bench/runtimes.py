"""OpenVINO and ONNX Runtime on the same network: one thread each, no spinning, turn about on the same inputs.

Given an ONNX file (the shipped student by default) it times one inference at a time, in float32 on both sides, and
checks that the two say the same. It does not know what the outputs mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from tracker.bench.measure import Spread, spread
from tracker.bench.report import SPREAD_HEADERS, Progress, said, spread_cells, table
from tracker.clock import monotonic_ns
from tracker.errors import AssetError, BackendUnavailable, FacewireError, SettingsError

WARM_UP = 50
INPUTS = 8
# One batch of inputs in the network's order to its outputs, in the network's order.
Infers = Callable[[list[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to time."""

    model: Path | None = None
    """An ONNX file; the shipped student by default."""
    runs: int = 2000
    """Timed inferences of each runtime."""
    pause_ms: float = 0.0
    """Sleep before every inference, as a tracker does between frames; 12 is a camera's."""

    def __post_init__(self) -> None:
        if not 0 <= self.pause_ms <= 1000:
            raise SettingsError(f"pause_ms {self.pause_ms}; give 0 to 1000, such as 12")
        if self.runs < 1:
            raise SettingsError(f"runs {self.runs}; give 1 or more")


@dataclass(frozen=True, slots=True)
class Result:
    """Both runtimes."""

    model: str
    pause_ms: float
    by_runtime: dict[str, Spread]
    largest_difference: float
    """Between the two runtimes' outputs, over all inputs."""


def openvino_f32(model: Path) -> Infers:
    """OpenVINO on one thread, in float32 whatever the processor could do with less."""
    try:
        import openvino
    except ImportError as error:
        raise BackendUnavailable("openvino is not installed: pip install openvino") from error
    wanted = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
    }  # fmt: skip
    request = openvino.Core().compile_model(str(model), "CPU", wanted).create_infer_request()

    def infer(inputs: list[np.ndarray]) -> list[np.ndarray]:
        return list(request.infer(inputs, share_inputs=True, share_outputs=True).values())

    return infer


def onnxruntime_f32(model: Path) -> Infers:
    """ONNX Runtime on one thread, which does not spin between calls."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendUnavailable("onnxruntime is not installed: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def infer(inputs: list[np.ndarray]) -> list[np.ndarray]:
        return list(session.run(None, dict(zip(names, inputs, strict=True))))

    return infer


def _inputs(model: Path) -> list[list[np.ndarray]]:
    """`INPUTS` random batches of the shapes the network declares, one where it declares any size."""
    import onnxruntime

    shapes = []
    for value in onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).get_inputs():
        if value.type != "tensor(float)":
            raise AssetError(f"{model}: input {value.name} is {value.type}; give a network with float32 inputs")
        shapes.append([size if isinstance(size, int) else 1 for size in value.shape])
    rng = np.random.default_rng(0)
    return [[rng.uniform(0, 1, shape).astype(np.float32) for shape in shapes] for _ in range(INPUTS)]


def measure(settings: Settings, progress: Progress | None = None) -> Result:
    """Time both runtimes turn about. Raises AssetError where there is no such model, BackendUnavailable where a
    runtime is not installed."""
    model = settings.model or Path(str(resources.files("tracker.assets") / "student.onnx"))
    if not model.is_file():
        raise AssetError(f"no network at {model}; give --model FILE.onnx, or train one with `facewire distill train`")
    try:
        sides = {"OpenVINO": openvino_f32(model), "ONNX Runtime": onnxruntime_f32(model)}
        batches = _inputs(model)
    except FacewireError:
        raise
    except Exception as error:  # each has errors of its own
        raise AssetError(f"{model} is no network that both read ({said(error)}); give an ONNX file") from error
    difference = 0.0
    for batch in batches:
        pairs = zip(*(infer(batch) for infer in sides.values()), strict=True)
        difference = float(np.max([difference, *(np.abs(a - b).max() for a, b in pairs)]))  # NaN stays
    samples: dict[str, list[int]] = {name: [] for name in sides}
    for run in range(-WARM_UP, settings.runs):
        for name in sorted(sides, reverse=bool(run % 2)):
            time.sleep(settings.pause_ms / 1000)
            begin = monotonic_ns()
            sides[name](batches[run % INPUTS])
            if run >= 0:
                samples[name].append(monotonic_ns() - begin)
        if progress and run >= 0 and run % 200 == 0:
            progress(run, settings.runs, "runtimes")
    return Result(model.name, settings.pause_ms, {name: spread(taken) for name, taken in samples.items()}, difference)


def report(result: Result) -> str:
    """One row a runtime."""
    rows = [[name, *spread_cells(one)] for name, one in result.by_runtime.items()]
    title = f"{result.model}: one thread, one inference at a time, turn about, {result.pause_ms:g} ms of sleep before"
    shown = table(("runtime", *SPREAD_HEADERS), rows, title)
    return f"{shown}\nlargest difference of an output: {result.largest_difference:.2g}"

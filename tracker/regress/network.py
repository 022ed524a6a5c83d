"""A small network on the CPU: fixed input and output buffers around one OpenVINO request.

Given an `.onnx` file it compiles it for one thread and one input shape, checks what face model it was trained for, and
then only copies nothing: the caller writes into `input`, calls, and reads `output`. It does not know what either means.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np

from tracker.errors import AssetError

ONE_THREAD = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    # A pinned thread is not free to leave a busy core; a free one is steadier on a shared machine.
    "ENABLE_CPU_PINNING": False,
}


def asset_bytes(name: str, path: str | Path | None = None) -> bytes:
    """The shipped network `name`, or the file at `path`. Raises AssetError when there is none."""
    target = files("tracker.assets").joinpath(name) if path is None else Path(path)
    if not target.is_file():
        raise AssetError(f"no network at {target}; reinstall facewire, or give the path of a {name}")
    return target.read_bytes()


class Network:
    """One compiled network. `input` and `output` are float32 arrays owned by it."""

    def __init__(
        self, name: str, input_shape: tuple[int, ...], model_hash: bytes | None = None, path: str | Path | None = None
    ) -> None:
        """Raises AssetError for a file that is no network, or one trained for another face model."""
        import openvino

        content = asset_bytes(name, path)
        self.hash = hashlib.sha256(content).digest()[:8]
        shown = path or name
        try:
            core = openvino.Core()
            network = core.read_model(content)
            self.version, trained_for = _stamps(network)
            network.reshape(list(input_shape))
            self._compiled = core.compile_model(network, "CPU", ONE_THREAD)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise AssetError(f"{shown} is not a network for input {list(input_shape)}: {reason}") from error
        if model_hash is not None and trained_for != model_hash.hex():
            raise AssetError(
                f"{shown} was trained for face model {trained_for or 'unknown'}, but {model_hash.hex()} is loaded; "
                "give the pair that belongs together, or reinstall facewire"
            )
        self._request = self._compiled.create_infer_request()
        self.input = np.zeros(input_shape, np.float32)
        shape = tuple(self._compiled.output(0).shape)
        self.output = np.zeros(shape, np.float32)
        self._request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self.output, shared_memory=True))
        self.output.setflags(write=False)

    def __call__(self) -> np.ndarray:
        """Run on what stands in `input`; returns `output`, overwritten by the next call."""
        self._request.infer()
        return self.output


def _stamps(network: object) -> tuple[str, str]:
    """Version and face-model hash that the exporter wrote into the file; empty where it wrote none."""
    info = network.get_rt_info()  # type: ignore[attr-defined]

    def entry(key: str) -> str:
        try:
            return str(info["framework"][key].astype(str))
        except (KeyError, RuntimeError):
            return ""

    return entry("version"), entry("face_model")

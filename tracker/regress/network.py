"""A small network on the CPU: fixed input and output buffers around one ONNX Runtime session.

Given an `.onnx` file it prepares it for one thread and one input shape, of which any number of first rows can be run,
and checks what face model it was trained for; afterwards nothing is copied: the caller writes into `input`, calls, and
reads what it gets. It does not know what either means.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import AssetError


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
        import onnxruntime

        content = asset_bytes(name, path)
        self.hash = hashlib.sha256(content).digest()[:8]
        shown = path or name
        options = onnxruntime.SessionOptions()
        # The calling thread does the work itself: a second one would have to be woken for every frame.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            stamps = self._session.get_modelmeta().custom_metadata_map
            self.version = stamps.get("version", "")
            self.input = np.zeros(input_shape, np.float32)
            self.output = np.asarray(self._session.run(["y"], {"x": self.input})[0], np.float32).copy()
        except Exception as error:  # its own exception types are not public
            reason = str(error).strip().splitlines()[0]
            raise AssetError(f"{shown} is not a network for input {list(input_shape)}: {reason}") from error
        trained_for = stamps.get("face_model", "")
        if model_hash is not None and trained_for != model_hash.hex():
            raise AssetError(
                f"{shown} was trained for face model {trained_for or 'unknown'}, but {model_hash.hex()} is loaded; "
                "give the pair that belongs together, or reinstall facewire"
            )
        self._bindings = [self._bound(rows + 1) for rows in range(len(self.input))]
        self._written = self.output.view()
        self._written.setflags(write=False)

    def _bound(self, rows: int) -> Any:
        """A binding of the first rows of both buffers."""
        binding = self._session.io_binding()
        for bind, edge, array in (
            (binding.bind_input, "x", self.input[:rows]), (binding.bind_output, "y", self.output[:rows])
        ):  # fmt: skip
            bind(edge, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def __call__(self, rows: int | None = None) -> np.ndarray:
        """Run on the first `rows` rows of `input`, all by default; returns those of `output` as a view that cannot be
        written, overwritten next time."""
        self._session.run_with_iobinding(self._bindings[(rows or len(self.input)) - 1])
        return self._written[:rows]

"""Is there a CUDA device with all that the device's frame needs? If not, one line says what is missing and what to do.

Given nothing it looks for the packages and a driver, and returns the device, in whose context the caller's thread then
is. It starts no work there.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from tracker.errors import BackendUnavailable

PACKAGES = ("torch", "triton", "cupy", "onnx")
INSTALL = "pip install 'facewire[gpu]'"


def missing_packages() -> list[str]:
    """Those of the extra `gpu` that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def why_not_cuda() -> str | None:
    """What stands in the way of the device's frame, as one line; None where nothing does."""
    if missing := missing_packages():
        return f"without {', '.join(missing)}; {INSTALL}"
    return why_not_torch()


def why_not_torch() -> str | None:
    """The same for torch alone, which has to be installed."""
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; {INSTALL} in an environment without that build"
    if not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} finds no CUDA device; check that nvidia-smi lists one and that its driver "
            f"supports CUDA {torch.version.cuda}"
        )
    return None


def cuda_device() -> Any:
    """The current CUDA device, as torch names it. Raises BackendUnavailable with what is missing."""
    if (reason := why_not_cuda()) is not None:
        raise BackendUnavailable(f"device cuda: {reason}; or leave out --device, in Python device, for the processor")
    import torch

    torch.cuda.synchronize()  # makes the context with torch's own flags, before a decoder would with others
    return torch.device("cuda", torch.cuda.current_device())

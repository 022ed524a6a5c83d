"""Packaging: one import name, four top-level folders.

`kernels/`, `clients/` and `bench/` are imported as `tracker.kernels`, `tracker.clients` and `tracker.bench`, so that
one name lands in site-packages (docs/decisions/0001-one-import-name.md). What is static stands here too, beside the
mapping it belongs with; pyproject.toml holds the build system and the settings of the checkers.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "tracker" / "__init__.py").read_text(encoding="utf-8"))
MAPPED = ("kernels", "clients", "bench")

CORE = [
    "numpy>=2,<3",
    "av>=18,<19",
    "numba>=0.61",
    "pyzmq>=27",
    "msgspec>=0.19",
    "onnxruntime>=1.20",
    "click>=8.1",
]
EXTRAS = {
    "gpu": ["torch>=2.13", "triton>=3.7", "cupy-cuda13x>=14.2", "nvidia-cuda-nvrtc>=13.0,<14", "onnx>=1.19"],
    "train": ["torch>=2.13", "mediapipe>=1.2,<2", "onnx>=1.19", "scipy>=1.14"],
    "bench": ["mediapipe>=1.2,<2", "openvino>=2026.0", "hdrhistogram>=0.10.8"],
    "view": ["open3d>=0.20"],
    "test": [
        "pytest>=8",
        "scipy>=1.14",
        "onnx>=1.19",
        "hdrhistogram>=0.10.8",
        "nvidia-cuda-nvrtc>=13.0,<14; platform_system == 'Linux'",
        "triton>=3.7; platform_system == 'Linux'",
    ],  # fmt: skip
    "dev": ["ruff>=0.14", "mypy>=1.18", "setuptools>=80"],
}


def packages() -> list[str]:
    """Name every package: those under tracker/ as they stand, the others under their mapped name."""
    names = find_packages(include=["tracker", "tracker.*"])
    for folder in MAPPED:
        inner = find_packages(where=str(HERE / folder))
        names += [f"tracker.{folder}", *(f"tracker.{folder}.{name}" for name in inner)]
    return names


setup(
    name="facewire",
    version=VERSION.group(1),
    description="Live video in, 3D face parameters out on a ZeroMQ socket, on a plain CPU.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=packages(),
    package_dir={"tracker": "tracker", **{f"tracker.{folder}": folder for folder in MAPPED}},
    package_data={
        "tracker": ["py.typed"],
        "tracker.assets": ["*"],
        "tracker.bench": ["results/repeatability.json"],
        **{f"tracker.kernels.{name}": ["*.cu"] for name in find_packages(where=str(HERE / "kernels"))},
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["facewire = tracker.cli:main"]},
    zip_safe=False,
)

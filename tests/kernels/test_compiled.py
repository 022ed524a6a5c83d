"""Kept machine code: good until a source that may be part of it changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tracker.kernels import compiled

KERNEL = """
from numba import int64
from packed.compiled import compiled, was_compiled
from packed.scale import FACTOR


@compiled(int64(int64))
def scale(value):
    return FACTOR * value
"""


def test_machine_code_is_kept_until_what_became_part_of_it_changes(tmp_path: Path) -> None:
    kernel = tmp_path / "packed/scale"
    kernel.mkdir(parents=True)
    shutil.copy(compiled.__file__, kernel.parent / "compiled.py")
    (kernel.parent / "__init__.py").touch()
    (kernel / "_numba.py").write_text(KERNEL)

    def scaled() -> str:
        script = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            "from packed.scale._numba import scale, was_compiled; print(scale(21), was_compiled(scale))"
        )
        command = [sys.executable, "-B", "-c", script]  # sources of one size and second would pass for the same
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    said = []
    for factor, reference in ((2, "a"), (2, "a"), (3, "a"), (3, "b")):
        (kernel / "__init__.py").write_text(f"FACTOR = {factor}")
        (kernel / "reference.py").write_text(f"# {reference}")
        said.append(scaled())
    assert said == ["42 True", "42 False", "63 True", "63 False"]

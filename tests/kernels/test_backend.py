"""The table of backends: what is chosen and why, and where compiled code is kept when a folder cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tracker.kernels
from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels import backend


def test_auto_takes_numba_and_says_why() -> None:
    kernels = backend.choose("auto")
    assert [choice.row for choice in kernels.choices] == list(backend.ROWS)
    assert {choice.backend for choice in kernels.choices} == {"numba"}
    assert all("numba" in choice.reason for choice in kernels.choices)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"'cuda'; valid: auto, reference, numba"):
        backend.choose("cuda")


def test_only_auto_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backend._TABLE["morph"], "numba", ("morph._missing", "morph"))
    kernels = backend.choose("auto")
    taken = {choice.row: choice for choice in kernels.choices}
    assert taken["morph"].backend == "reference"
    assert "_missing" in taken["morph"].reason
    assert taken["project"].backend == "numba"
    with pytest.raises(BackendUnavailable, match="morph on numba"):
        backend.choose("numba")


def test_each_choice_owns_its_scratch() -> None:
    first, second = backend.choose("numba"), backend.choose("numba")
    assert first.crop_roi.implementation is not second.crop_roi.implementation


def test_one_operator_is_taken_by_name() -> None:
    found, choice = backend.operator("rasterize")
    assert (choice.row, choice.backend) == ("rasterize", "numba") and "numba" in choice.reason
    assert backend.operator("morph", "reference")[1].backend == "reference"
    assert backend.operator("rasterize")[0].implementation is not found.implementation


def test_a_column_that_a_row_lacks_is_named() -> None:
    with pytest.raises(BackendUnavailable, match="lift has no triton; it has reference, numba"):
        backend.operator("lift", "triton")
    with pytest.raises(SettingsError, match="'rasterise'; valid: project"):
        backend.operator("rasterise")
    with pytest.raises(SettingsError, match="'cuda'; valid: auto, reference, numba, triton"):
        backend.operator("rasterize", "cuda")


def test_what_is_tried_says_why_it_works_or_not_without_its_own_name() -> None:
    found, choice = backend.tried("morph", "numba")
    assert found and choice.backend == "numba" and choice.reason.startswith("numba ")
    nothing, choice = backend.tried("lift", "triton")
    assert nothing is None and choice == backend.Choice("lift", "triton", "lift has no triton; it has reference, numba")


def test_a_device_column_without_its_packages_names_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tracker.kernels.") and name.endswith("._triton")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    found, choice = backend.tried("morph", "triton")
    assert found is None and "pip install 'facewire[gpu]'" in choice.reason and "upgrade" not in choice.reason


def test_the_live_choice_loads_no_torch() -> None:
    script = (
        "from tracker.kernels.backend import choose, warmup; choose(); warmup(); import sys;"
        "print(*(n for n in sys.modules if n.split('.')[0] in ('torch', 'triton', 'cupy')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_warm_start_says_nothing() -> None:
    backend.warmup()
    script = "from tracker.kernels.backend import warmup; warmup(print)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    if backend.warmup().folders:
        assert result.stdout == ""


WARM = """
import sys
sys.path.insert(0, sys.argv[1])
from tracker.kernels import backend
assert backend.__file__.startswith(sys.argv[1]), backend.__file__
# Only the small kernels: the rule is the same for all and these compile in a second.
backend._COMPILED = backend._COMPILED[:2]
warmth = backend.warmup(print)
print(warmth.compiled, *warmth.folders)
"""


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A copy of the package where no folder for compiled code can be made: a file stands in its place.

    Permissions would not do, because root may write anywhere.
    """
    package = tmp_path / "site" / "tracker"
    source = Path(tracker.kernels.__path__[0])
    shutil.copytree(source, package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(sys.modules["tracker.errors"].__file__ or ""), package / "errors.py")
    (package / "__init__.py").write_text("")
    for folder in [package / "kernels", *(p.parent for p in package.glob("kernels/*/__init__.py"))]:
        (folder / "__pycache__").write_text("not a folder")
    return package.parent


def warm(site: Path, home: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA_", "XDG_"))}
    environment |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-S", "-c", _SITE + WARM, str(site)], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# Without `site` the installed (editable) package cannot shadow the copy; its dependencies are put back by hand.
_SITE = f"import sys; sys.path += {[p for p in sys.path if 'site-packages' in p]!r}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the user's cache folder is elsewhere")
def test_a_read_only_package_keeps_its_code_with_the_user(unwritable: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert f"2 {home}" in warm(unwritable, home)
    assert f"0 {home}" in warm(unwritable, home)


@pytest.mark.skipif(sys.platform != "linux", reason="the user's cache folder is elsewhere")
def test_where_nothing_can_be_kept_it_compiles_in_memory_and_says_so(unwritable: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("not a folder")
    said = warm(unwritable, home)
    assert "every start compiles anew" in said
    assert said.strip().endswith("\n2")

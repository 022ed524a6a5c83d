"""The table of who may import whom, read from the source, and what must stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"tracker": "tracker", "kernels": "tracker.kernels", "clients": "tracker.clients", "bench": "tracker.bench"}
STAGES = ("source", "detect", "regress", "refine", "smooth", "calibrate")
LIBRARIES = {"numba", "triton", "cupy", "torch"}
HEAVY = {"av", "numba", "llvmlite", "openvino", "onnxruntime", "mediapipe", "torch", "scipy", "cv2", "triton", "cupy"}

LETTERBOX = ("tracker.clients", "tracker.wire", "tracker.face", "tracker.errors", "tracker.clock")

# Room -> (what of ours it may import, which outside packages it may import; None: any). First match wins.
RULES: list[tuple[str, tuple[str, ...], set[str] | None]] = [
    (r"tracker\.errors", (), set()),
    (r"tracker\.clock", (), set()),
    (r"tracker\.kernels", ("tracker.kernels", "tracker.errors"), {"numpy", *LIBRARIES}),
    (r"tracker\.face", ("tracker.face", "tracker.errors", "tracker.assets"), {"numpy"}),
    (r"tracker\.wire", ("tracker.wire", "tracker.face", "tracker.errors"), {"numpy", "msgspec"}),
    (r"tracker\.control", ("tracker.wire", "tracker.errors", "tracker.clock"), {"zmq"}),
    (
        r"tracker\.publish",
        ("tracker.publish", "tracker.control", "tracker.wire", "tracker.face", "tracker.errors", "tracker.clock"),
        {"numpy", "zmq"},
    ),
    (
        r"tracker\.device",
        (
            "tracker.device",
            *(f"tracker.{room}" for room in STAGES),
            "tracker.face",
            "tracker.kernels",
            "tracker.errors",
        ),
        {"numpy", "torch", "triton", "cupy", "onnx"},
    ),
    (r"tracker\.distill", ("tracker",), None),
    (r"tracker\.bench", ("tracker",), None),
    # The demo starts the pipeline and the preview draws on its frames; no other client reaches the stages.
    (r"tracker\.clients\.demo", ("tracker",), None),
    (r"tracker\.clients\.(preview|overlay|picture)", (*LETTERBOX, "tracker.source.frame", "tracker.render"), None),
    (r"tracker\.clients", LETTERBOX, None),
]


def modules() -> dict[str, Path]:
    """Every module by the name it is imported under."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


def imports(name: str, path: Path, top_level_only: bool = False) -> list[str]:
    """Full dotted names of what the module imports; `from a import b` counts as `a.b` where that is a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(_at_import(tree)) if top_level_only else list(ast.walk(tree))
    known = MODULES
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} uses a relative import; write the full name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.append(inner if inner in known else str(node.module))
    return found


def _at_import(node: ast.AST):
    """Statements that run when the module is imported: not those in functions, nor under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _at_import(child)


def under(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


MODULES = modules()

# What runs against the current, each with its reason.
ARROWS = {
    ("detect", "tracker.refine.fit"),  # the only arrow that returns: the next square from the last raw fit
    ("detect", "tracker.regress.network"),  # one way to run a network, for detector and student alike
}


def stage_of(name: str) -> str | None:
    return next((stage for stage in STAGES if under(name, f"tracker.{stage}")), None)


def stage_complaint(stage: str, wanted: str) -> bool:
    """A stage may use the ground floor, public kernels and the data types of earlier stages."""
    if any(under(wanted, f"tracker.{room}") for room in ("face", "clock", "errors", "assets", stage)):
        return False
    if under(wanted, "tracker.kernels"):
        return any(part.startswith("_") or part == "reference" for part in wanted.split(".")[2:])
    if (stage, wanted) in ARROWS:
        return False
    other = stage_of(wanted)
    return other is None or STAGES.index(other) > STAGES.index(stage)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_follow_the_table(name: str) -> None:
    for wanted in imports(name, MODULES[name]):
        ours, outside = under(wanted, "tracker"), wanted.split(".")[0]
        if (stage := stage_of(name)) and ours:
            assert not stage_complaint(stage, wanted), f"stage {name} must not import {wanted}"
        for pattern, rooms, libraries in RULES:
            if re.match(rf"{pattern}(\.|$)", name):
                if ours:
                    assert any(under(wanted, room) for room in rooms), f"{name} must not import {wanted}"
                elif libraries is not None and outside not in sys.stdlib_module_names:
                    assert outside in libraries, f"{name} must not import {outside}"
                break


@pytest.mark.parametrize("name", sorted(MODULES))
def test_mapped_folders_go_by_their_full_name(name: str) -> None:
    """`import kernels` from the root of a clone would load a second copy."""
    for wanted in imports(name, MODULES[name]):
        assert wanted.split(".")[0] not in ("kernels", "clients", "bench"), f"{name} imports {wanted}"


def test_tests_go_by_the_full_name_too() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        for wanted in imports(path.name, path):
            assert wanted.split(".")[0] not in ("kernels", "clients", "bench"), f"{path} imports {wanted}"


def test_runtime_never_imports_the_offline_rooms_on_import() -> None:
    for name, path in MODULES.items():
        if any(under(name, f"tracker.{room}") for room in ("distill", "bench")):
            continue
        for wanted in imports(name, path, top_level_only=True):
            offline = any(under(wanted, f"tracker.{room}") for room in ("distill", "bench"))
            assert not offline, f"{name} imports {wanted} at its top; load it inside the command"
            asked_for = "kernels" in name or under(name, "tracker.device")
            assert wanted.split(".")[0] not in {"torch", "mediapipe", "cv2", "scipy"} or asked_for, name


def test_the_devices_room_is_entered_only_when_asked_for() -> None:
    for name, path in MODULES.items():
        if not any(under(name, f"tracker.{room}") for room in ("device", "bench")):
            for wanted in imports(name, path, top_level_only=True):
                assert not under(wanted, "tracker.device"), f"{name} imports {wanted} at its top"


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc", "types"}
    found = [str(path) for name, path in MODULES.items() if drawers & set(name.split("."))]
    assert not found, f"name the noun that is missing: {found}"


def test_every_module_says_what_it_does() -> None:
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{name} opens without a paragraph"


def test_environment_is_read_only_by_the_command_line() -> None:
    """Settings come from above. The teacher may quieten its own library before loading it, and Triton's interpreter can
    be asked for in no other way."""
    allowed = {"tracker.cli", "tracker.distill.teacher", "tracker.bench.peers", "tracker.bench.interpreted"}
    for name, path in MODULES.items():
        if name not in allowed and not under(name, "tracker.distill"):
            assert not re.search(r"os\.(environ|getenv)", path.read_text(encoding="utf-8")), name


def test_no_text_names_a_machine() -> None:
    machine = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm|home|root|Users)/")
    suffixes = {".py", ".md", ".toml", ".json", ".txt", ".yml"}
    looked = [ROOT / "Makefile", ROOT / ".ci" / "run"]
    for folder in [*FOLDERS, "tests", "docs"]:
        looked += [path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    looked += [path for path in ROOT.glob("*") if path.suffix in suffixes]
    for path in looked:
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not machine.search(line), f"{path.relative_to(ROOT)}:{number} names a machine's path"


@pytest.mark.parametrize(
    ("statement", "also_forbidden"),
    [
        ("import tracker", {"numpy", "zmq", "click"}),
        ("import tracker.cli", {"numpy", "zmq", "msgspec"}),
        ("from tracker.clients import subscribe", {"click"}),
        ("import tracker.kernels.crop_roi", {"zmq", "msgspec", "click"}),
    ],
)
def test_imports_stay_light(statement: str, also_forbidden: set[str]) -> None:
    program = f"{statement}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    forbidden = (HEAVY if "kernels" not in statement else HEAVY - LIBRARIES - {"llvmlite"}) | also_forbidden
    assert not forbidden & set(done.stdout.split())


def test_subscriber_loads_only_its_letterbox() -> None:
    program = (
        "from tracker.clients import subscribe; import sys; print(*(n for n in sys.modules if n[:7] == 'tracker'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    rooms = {".".join(name.split(".")[:2]) for name in done.stdout.split()}
    assert rooms <= {"tracker", "tracker.clients", "tracker.wire", "tracker.face", "tracker.errors", "tracker.clock"}


def test_packaging_names_every_package(tmp_path: Path) -> None:
    """A wheel built from the tree holds every module under its mapped name."""
    build = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, cwd=ROOT)
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed in this environment")
    assert done.returncode == 0, done.stderr
    built = {".".join(p.relative_to(tmp_path / "lib").with_suffix("").parts) for p in (tmp_path / "lib").rglob("*.py")}
    expected = {f"{name}.__init__" if path.name == "__init__.py" else name for name, path in MODULES.items()}
    assert expected == built
    sources = {path.relative_to(ROOT) for path in (ROOT / "kernels").rglob("*.cu")}
    assert (
        sources
        == {path.relative_to(tmp_path / "lib" / "tracker") for path in (tmp_path / "lib").rglob("*.cu")}
        != set()
    )

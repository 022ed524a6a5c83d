"""The JSON line that a bench ended in, read back from the file it was written to, and on what it was measured.

Given a file it sees to it that the line is of the bench it should be of, and has what is to be shown of it. It does not
know what that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tracker.errors import SourceError

_Shown = TypeVar("_Shown")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a line says of it."""

    name: str
    """Cores and processor, for a person."""
    python: str
    versions: dict[str, str]
    """Distribution -> version, of those installed."""


def shown(path: Path, bench: str, show: Callable[[dict[str, Any]], _Shown]) -> _Shown:
    """What `show` makes of the bench's line in the file. Raises SourceError for any other file, and for a line that
    lacks what is shown."""
    again = f"write it anew with facewire bench {bench.replace('_', '-')} and --out {path}"
    try:
        line = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is not the JSON line of a bench ({error}); {again}") from error
    if not isinstance(line, dict) or line.get("bench") != bench:
        found = line.get("bench") if isinstance(line, dict) else None
        raise SourceError(f"{path} is not of bench {bench!r}{f' but of {found!r}' if found else ''}; {again}")
    try:
        return show(line)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise SourceError(f"{path} lacks what is shown of it ({reason}); {again}") from error


def machine_of(line: dict[str, Any]) -> Machine:
    """On what a line was measured."""
    machine = line["machine"]
    versions = {str(library): str(version) for library, version in machine["versions"].items()}
    return Machine(f"{machine['cores']} cores of {machine['processor']}", str(machine["python"]), versions)


def measured_on(machines: dict[str, Machine]) -> str:
    """On what results were measured, in one sentence where that is the same for all; else which on which, with the
    versions that are not the same everywhere."""
    versions: dict[str, set[str]] = {}
    for machine in machines.values():
        for library, version in machine.versions.items():
            versions.setdefault(library, set()).add(version)
    groups: dict[str, list[str]] = {}
    for name, machine in machines.items():
        apart = [f"{library} {one}" for library, one in machine.versions.items() if len(versions[library]) > 1]
        groups.setdefault(", ".join([machine.name, f"Python {machine.python}", *apart]), []).append(name)
    peers = versions.get("mediapipe", set())
    peer = f"MediaPipe{''.join(f' {one}' for one in peers if len(peers) == 1)} as the peer on the same frames"
    if len(groups) == 1:
        return ", ".join([*groups, *([peer] if peers else [])]) + "."
    told = [f"{', '.join(names)}: {text}." for text, names in groups.items()]
    return " ".join(["Not all on one machine with the same versions.", *told, *([f"{peer}."] if peers else [])])

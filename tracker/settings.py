"""Settings as frozen dataclasses, and how they become command-line flags and a TOML file.

Given dataclasses, a `SettingsCommand` has one flag per field (its name, type, default and docstring) and
`--settings`, one optional TOML file whose sections are those dataclasses; `build` makes a dataclass from what was
parsed. A flag beats the file, the file beats the default. It holds no global state and starts nothing.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import tomllib
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click

from tracker.errors import SettingsError
from tracker.face.camera import DEFAULT_VERTICAL_FOV_DEG, require_fov

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5570"

T = TypeVar("T")
Sections = Callable[[], dict[str, type]]
"""Section of the settings file -> dataclass; called only when a command is asked for, because it may import much."""
TRACKING_SECTIONS = ("source", "find", "track", "refine", "smooth", "calibrate", "publish", "feed")
"""What a settings file can hold for the commands that track; a bench has a section of its name."""
LONGEST_SHOWN = 60
"""Characters of a wrong value."""
LARGEST_WHOLE = 2**63 - 1
"""What TOML promises to keep; its reader goes beyond."""


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """What the pipeline is built from, the stages' own settings apart."""

    vertical_fov_deg: float = DEFAULT_VERTICAL_FOV_DEG
    """The camera's vertical field of view in degrees, 5 to 150."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where faces are worked on: cuda is an NVIDIA GPU, and needs pip install 'facewire[gpu]'."""
    backend: str = "auto"
    """Kernel backend: auto, or one that has to work (see `facewire doctor`)."""
    face_model: Path | None = None
    """A face_model.npz instead of the shipped one."""
    student: Path | None = None
    """A student.onnx instead of the shipped one; it must have been trained for the face model."""
    detector: Path | None = None
    """A detector.onnx instead of the shipped one."""

    def __post_init__(self) -> None:
        require_fov(self.vertical_fov_deg)


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """Where and under which name the estimates are published."""

    bind: str = DEFAULT_ENDPOINT
    """ZeroMQ endpoint to bind; port 0 picks a free one. The default is seen by this machine only."""
    source_id: str = "camera0"
    """Name of this source in every message; subscribers can select by it."""
    mirror: bool = False
    """Publish as a mirror would show it: left and right swapped, and marked so."""

    def __post_init__(self) -> None:
        if not self.source_id or len(self.source_id.encode()) > 63 or not self.source_id.isprintable():
            raise SettingsError(f"source_id is {self.source_id!r}; give 1 to 63 printable characters, such as camera0")


class SettingsCommand(click.Command):
    """A command whose flags come from settings dataclasses.

    Flags of the sections in `prefixed` carry the section's name in front. With `argument`, the first field of the first
    dataclass is a positional argument instead of a flag. The flags named in `without` are left out: their fields keep
    the defaults. Of a settings file the sections in `foreign`, which are other commands', are passed over.
    """

    def __init__(
        self, *args: Any, sections: Sections, prefixed: Sequence[str] = (), argument: bool = False,
        without: Collection[str] = (), foreign: Sequence[str] = (), **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self._sections, self._prefixed, self._argument = sections, prefixed, argument
        self._without, self._foreign = without, foreign
        self._generated: list[click.Parameter] = []

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The declared parameters, those of the settings, `--settings FILE` and `--help`."""
        if not self._generated:
            made: list[click.Parameter] = []
            for name, section in self._sections().items():
                flags = options(section, name if name in self._prefixed else "")
                made += [flag for flag in flags if flag.name not in self._without]
            if self._argument:
                first = fields(next(iter(self._sections().values())))[0]
                made[0] = click.Argument([first.name], required=first.default is MISSING, type=made[0].type)
            self._generated = [*made, self._file_option()]
        return [*self.params, *self._generated, *filter(None, [self.get_help_option(ctx)])]

    def _file_option(self) -> click.Option:
        def read(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
            if path is not None:
                ctx.default_map = read_file(path, self._sections(), self._prefixed, self._foreign)

        sections = ", ".join(f"[{name}]" for name in self._sections())
        return click.Option(
            ["--settings"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=read,
            help=f"TOML file with {sections}; a flag beats it. Sections of other commands are passed over.",
        )


def options(settings: type, prefix: str = "") -> list[click.Parameter]:
    """One click option per field of the dataclass `settings`; its help is the field's docstring."""
    hints, docs = get_type_hints(settings), _field_docs(settings)
    return [
        _option(field, _parameter(field.name, prefix), _kind(hints[field.name]), docs.get(field.name, ""))
        for field in fields(settings)
    ]


def _parameter(field: str, prefix: str) -> str:
    """The name of a field's flag; under a prefix, `enabled` goes by the prefix alone (`--smooth/--no-smooth`)."""
    return field if not prefix else prefix if field == "enabled" else f"{prefix}_{field}"


def _option(field: Field[Any], name: str, kind: Any, text: str) -> click.Parameter:
    flag = name.replace("_", "-")
    required = field.default is MISSING
    # A None that is given counts as an answer with some versions of click.
    default: dict[str, Any] = {} if required else {"default": field.default}
    return click.Option(
        [f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}", name],
        type=None if kind is bool else kind,
        required=required,
        show_default=default.get("default") is not None,
        # Where the peer's model lies is asked for by several commands; a user should have to say it once.
        envvar="FACEWIRE_TEACHER" if field.name == "teacher" else None,
        show_envvar=True,
        help=text,
        **default,
    )


def build(settings: type[T], parsed: Mapping[str, Any], prefix: str = "") -> T:
    """The dataclass `settings` from the parsed values of its flags; a field without a flag keeps its default."""
    flags = {field.name: _parameter(field.name, prefix) for field in fields(settings)}  # type: ignore[arg-type]
    return settings(**{name: parsed[flag] for name, flag in flags.items() if flag in parsed})


def read_file(
    path: Path, sections: Mapping[str, type], prefixed: Sequence[str] = (), foreign: Sequence[str] = ()
) -> dict[str, Any]:
    """Read a TOML file into {flag: value}, ready for click's `default_map`; sections in `foreign` are passed over.

    Raises SettingsError naming the section or key that does not exist and those that do, or the value that is none of
    its key's and what would be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot read settings file {path}: {error.strerror}; give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}; write such as 'max_faces = 2' under [find]") from error
    values: dict[str, Any] = {}
    for section, table in tables.items():
        _known(f"section [{section}]", section, list(dict.fromkeys([*sections, *foreign])), path)
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {section} must be a section: [{section}]")
        for key, value in _values(path, section, table, sections[section]) if section in sections else ():
            values[_parameter(key, section if section in prefixed else "")] = value
    return values


def _values(path: Path, section: str, table: Mapping[str, Any], settings: type) -> list[tuple[str, Any]]:
    """The section's keys and values, if all are what the fields of `settings` take."""
    hints, names = get_type_hints(settings), [field.name for field in fields(settings)]
    for key, value in table.items():
        _known(f"key {key!r} in [{section}]", key, names, path)
        if not _fits(value, hints[key]):
            shown = json.dumps(value, default=str, ensure_ascii=False)
            shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
            raise SettingsError(f"{path}: {key} in [{section}] is {shown}; give {_wanted(hints[key])}")
    return list(table.items())


def _known(what: str, name: str, valid: Sequence[str], path: Path) -> None:
    if name not in valid:
        raise SettingsError(f"{path}: unknown {what}; valid: {', '.join(valid)}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a TOML value is one that a field of this type takes, as it is: nothing is rounded or read out of text."""
    kind = _kind(hint)
    if isinstance(kind, click.Choice):
        return isinstance(value, str) and value in kind.choices
    if isinstance(kind, click.Tuple):
        inner = get_args(_required(hint))
        return isinstance(value, list) and len(value) == len(inner) and all(map(_fits, value, inner))
    if isinstance(kind, click.Path) or kind is str:
        return isinstance(value, str) and "\0" not in value
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    whole = isinstance(value, int) and abs(value) <= LARGEST_WHOLE
    return whole or (kind is float and isinstance(value, float))


def _wanted(hint: Any) -> str:
    """What such a field takes, in words."""
    kind = _kind(hint)
    if isinstance(kind, click.Choice):
        return "one of " + ", ".join(f'"{choice}"' for choice in kind.choices)
    if isinstance(kind, click.Tuple):
        return "a list of " + ", ".join(_wanted(inner) for inner in get_args(_required(hint)))
    if isinstance(kind, click.Path):
        return "a path in quotes"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}[kind]


def _required(hint: Any) -> Any:
    """The type apart from None, of one that may be None."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [inner for inner in get_args(hint) if inner is not type(None)]
    return hint


def _kind(hint: Any) -> Any:
    """The click type for a type hint: a plain type, Path, Literal, a tuple of them, or any of these or None."""
    hint = _required(hint)
    if get_origin(hint) is Literal:
        return click.Choice(get_args(hint))
    if get_origin(hint) is tuple:
        return click.Tuple([_kind(inner) for inner in get_args(hint)])
    return click.Path(path_type=Path) if hint is Path else hint


def _field_docs(settings: type) -> dict[str, str]:
    """The string that stands under each field in the source: {field: text on one line}."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    docs: dict[str, str] = {}
    name = None
    for node in body.body if isinstance(body, ast.ClassDef) else []:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            continue
        if name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docs[name] = " ".join(str(node.value.value).split())
        name = None
    return docs

"""Dataclasses become flags and a TOML file: names, types, precedence and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from tracker.errors import SettingsError
from tracker.settings import PublishSettings, SettingsCommand, TrackSettings, build, read_file


@dataclass(frozen=True, slots=True)
class Kettle:
    """What the tests boil."""

    name: str
    """What to boil."""
    litres: float = 1.5
    """How much, over
    two lines."""
    whistle: bool = False
    """Sound when done."""
    colour: Literal["red", "blue"] = "red"
    """Of the lid."""
    cups: int | None = None
    """How many wait."""


@dataclass(frozen=True, slots=True)
class Stove:
    """Where it stands."""

    enabled: bool = True
    """Whether it is on."""
    heat: tuple[float, float] = (1.0, 2.0)
    """From and to."""


def boil(*arguments: str) -> tuple[Any, Any]:
    """The settings that a command with these arguments builds."""
    built = []

    def remember(**flags: Any) -> None:
        built.append((build(Kettle, flags), build(Stove, flags, "stove")))

    sections = {"kettle": Kettle, "stove": Stove}
    command = SettingsCommand("boil", sections=lambda: sections, prefixed=("stove",), argument=True, callback=remember)
    command.main(list(arguments), standalone_mode=False)
    return built[0]


def test_defaults_are_the_dataclass() -> None:
    assert boil("tea") == (Kettle("tea"), Stove())


def test_flags_by_type() -> None:
    kettle, stove = boil(
        "tea", "--litres", "2", "--whistle", "--colour", "blue", "--cups", "3", "--stove-heat", "3", "4"
    )
    assert kettle == Kettle("tea", 2.0, True, "blue", 3)
    assert stove == Stove(True, (3.0, 4.0))


def test_enabled_goes_by_the_prefix() -> None:
    assert boil("tea", "--no-stove")[1].enabled is False


def test_flag_beats_file_beats_default(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text("[kettle]\nlitres = 3.0\ncolour = 'blue'\n[stove]\nenabled = false\nheat = [5, 6]\n")
    kettle, stove = boil("tea", "--settings", str(path), "--colour", "red")
    assert kettle == Kettle("tea", 3.0, colour="red")
    assert stove == Stove(False, (5.0, 6.0))


@pytest.mark.parametrize("arguments", [(), ("tea", "--litres", "much"), ("tea", "--colour", "green"), ("tea", "--lid")])
def test_what_click_refuses(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        boil(*arguments)


@pytest.mark.parametrize("text", ["[pan]\n", "[kettle]\nlid = 1\n", "litres = 2\n", "[kettle", "\x00"])
def test_what_the_file_reader_refuses(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="kitchen.toml"):
        read_file(path, {"kettle": Kettle})


def test_help_is_the_fields_docstring() -> None:
    command = SettingsCommand("boil", sections=lambda: {"kettle": Kettle})
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "How much, over two lines." in shown and "[default: 1.5]" in shown
    assert "--whistle / --no-whistle" in shown


@pytest.mark.parametrize("angle", [0.0, 180.0, -5.0, float("nan")])
def test_field_of_view_has_bounds(angle: float) -> None:
    with pytest.raises(SettingsError, match="vertical_fov_deg"):
        TrackSettings(vertical_fov_deg=angle)


@pytest.mark.parametrize("name", ["", "a" * 64, "two\nlines"])
def test_source_id_has_bounds(name: str) -> None:
    with pytest.raises(SettingsError, match="source_id"):
        PublishSettings(source_id=name)

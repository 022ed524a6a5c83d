"""Dataclasses become flags and a TOML file: names, types, precedence and what is refused."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from tracker.errors import SettingsError
from tracker.settings import TRACKING_SECTIONS, PublishSettings, SettingsCommand, TrackSettings, build, read_file


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
    book: Path | None = None
    """Of recipes."""


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


def test_a_field_without_a_default_is_asked_for() -> None:
    command = SettingsCommand("boil", sections=lambda: {"kettle": Kettle}, callback=lambda **_: None)
    with pytest.raises(click.MissingParameter, match="name"):
        command.main(["--cups", "2"], standalone_mode=False)


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


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "kitchen.toml").write_text("[kettle]\nlitres = 3.0\n", encoding="utf-8-sig")
    assert read_file(tmp_path / "kitchen.toml", {"kettle": Kettle}) == {"litres": 3.0}


def test_help_is_the_fields_docstring() -> None:
    command = SettingsCommand("boil", sections=lambda: {"kettle": Kettle})
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "How much, over two lines." in shown and "[default: 1.5]" in shown
    assert "--whistle / --no-whistle" in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("name = 3", "name in [kettle] is 3; give text in quotes"),
        ("litres = '2'", 'litres in [kettle] is "2"; give a number'),
        ("litres = true", "litres in [kettle] is true; give a number"),
        ("litres = {a = 1}", 'litres in [kettle] is {"a": 1}; give a number'),
        ("whistle = 1", "whistle in [kettle] is 1; give true or false"),
        ("whistle = 'yes'", 'whistle in [kettle] is "yes"; give true or false'),
        ("colour = 'green'", 'colour in [kettle] is "green"; give one of "red", "blue"'),
        ("colour = []", 'colour in [kettle] is []; give one of "red", "blue"'),
        ("cups = 1.9", "cups in [kettle] is 1.9; give a whole number"),
        ("cups = true", "cups in [kettle] is true; give a whole number"),
        ("cups = [1, 2]", "cups in [kettle] is [1, 2]; give a whole number"),
        ("cups = 1979-05-27", 'cups in [kettle] is "1979-05-27"; give a whole number'),
        ("cups = 9223372036854775808", "give a whole number"),
        ("book = 3", "book in [kettle] is 3; give a path in quotes"),
        ('book = "a\\u0000"', "give a path in quotes"),
        ("name = ['" + "a" * 500 + "']", "aaa...; give text in quotes"),
        ("[stove]\nheat = [1]", "heat in [stove] is [1]; give a list of a number, a number"),
        ("[stove]\nheat = [1, 'hot']", "give a list of a number, a number"),
        ("[stove]\nheat = 1", "give a list of a number, a number"),
    ],
)
def test_a_value_of_another_type_is_neither_bent_nor_a_traceback(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text(f"[kettle]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        read_file(path, {"kettle": Kettle, "stove": Stove})
    assert str(caught.value).startswith(f"{path}: ") and says in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 200


def test_values_that_fit_arrive_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text("[kettle]\nlitres = 2\nwhistle = true\ncolour = 'blue'\ncups = 3\nbook = 'tea.txt'\n")
    assert boil("tea", "--settings", str(path))[0] == Kettle("tea", 2.0, True, "blue", 3, Path("tea.txt"))


def test_sections_of_other_commands_are_passed_over_and_unknown_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text("[oven]\nwhatever = 1\n[kettle]\ncups = 2\n")
    assert read_file(path, {"kettle": Kettle}, foreign=("oven", "kettle")) == {"cups": 2}
    path.write_text("[own]\nwhatever = 1\n")
    with pytest.raises(SettingsError, match=r"unknown section \[own\]; valid: kettle, oven$"):
        read_file(path, {"kettle": Kettle}, foreign=("oven", "kettle"))


def test_a_flag_that_is_left_out_keeps_its_default_whatever_a_file_says(tmp_path: Path) -> None:
    built, sections = [], {"kettle": Kettle, "stove": Stove}
    command = SettingsCommand(
        "boil", sections=lambda: sections, prefixed=("stove",), without=("cups", "stove_heat"),
        callback=lambda **flags: built.append((build(Kettle, flags), build(Stove, flags, "stove"))),
    )  # fmt: skip
    path = tmp_path / "kitchen.toml"
    path.write_text("[kettle]\nname = 'tea'\ncups = 3\n[stove]\nheat = [5, 6]\n")
    command.main(["--settings", str(path)], standalone_mode=False)
    assert built == [(Kettle("tea"), Stove())]
    with pytest.raises(click.UsageError, match="--cups"):
        command.main(["--name", "tea", "--cups", "3"], standalone_mode=False)


def test_the_readme_s_settings_file_is_one_for_every_command_that_tracks(tmp_path: Path) -> None:
    from tracker.cli import cli

    text = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"`--settings facewire.toml`\n\n((?:    .*\n)+)", text)
    assert block is not None
    path = tmp_path / "facewire.toml"
    path.write_text(textwrap.dedent(block[1]))
    for name in ("run", "calibrate"):
        command = cli.commands[name]
        context = command.make_context(name, ["talk.mp4", "--settings", str(path)])
        assert (context.params["max_faces"], context.params["smooth_calm"]) == (2, 1.5)


def test_sections_are_named_as_the_commands_have_them() -> None:
    from tracker.cli import _run_sections

    assert tuple(_run_sections()) == TRACKING_SECTIONS


def test_no_two_commands_have_different_settings_in_one_section(tmp_path: Path) -> None:
    from tracker.cli import cli
    from tracker.measuring import SECTIONS

    assert not set(SECTIONS.values()) & set(TRACKING_SECTIONS) and len(set(SECTIONS.values())) == len(SECTIONS)
    path = tmp_path / "facewire.toml"
    path.write_text("[refine]\nsteps = 2\n[bench-refine]\nsequences = 3\n")
    assert cli.commands["run"].make_context("run", ["a.mp4", "--settings", str(path)]).params["refine_steps"] == 2
    refine = cli.commands["bench"].commands["refine"]
    given = ["data", "--teacher", "a.task", "--settings", str(path)]
    assert refine.make_context("refine", given).params["sequences"] == 3


@pytest.mark.parametrize("angle", [4.9, 151.0, 0.0, 180.0, -5.0, float("nan")])
def test_field_of_view_has_bounds(angle: float) -> None:
    with pytest.raises(SettingsError, match="vertical_fov_deg"):
        TrackSettings(vertical_fov_deg=angle)


@pytest.mark.parametrize("name", ["", "a" * 64, "two\nlines"])
def test_source_id_has_bounds(name: str) -> None:
    with pytest.raises(SettingsError, match="source_id"):
        PublishSettings(source_id=name)

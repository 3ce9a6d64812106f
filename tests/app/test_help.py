"""The help of every command: it fits a terminal, says units, and its examples can be typed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector.app.commands import LISTED, group
from connector.app.naming import CHANNELS, EXCHANGES

COLUMNS = 80


def command_of(name: str) -> click.Command:
    command = group.get_command(click.Context(group), name) if name else group
    assert command is not None
    return command


COMMANDS = {name: command_of(name) for name in ("", *LISTED)}


def help_of(name: str) -> str:
    arguments = [name, "--help"] if name else ["--help"]
    done = CliRunner().invoke(group, arguments, terminal_width=COLUMNS)
    assert done.exit_code == 0
    return done.output


def options(command: click.Command) -> Iterator[click.Option]:
    return (each for each in command.params if isinstance(each, click.Option) and not each.hidden)


@pytest.mark.parametrize("name", COMMANDS)
def test_it_fits_80_columns(name: str) -> None:
    lines = help_of(name).splitlines()

    assert max(map(len, lines)) <= COLUMNS
    assert "Examples:" in help_of(name)
    assert not any(line.rstrip().endswith("...") for line in lines if not line.startswith("Usage"))


@pytest.mark.parametrize("name", LISTED)
def test_the_group_lists_a_command_with_its_own_words(name: str) -> None:
    assert COMMANDS[name].name == name
    assert COMMANDS[name].get_short_help_str(COLUMNS) == LISTED[name].help


def test_the_group_imports_no_command_to_list_them() -> None:
    code = "import sys, connector.app.commands as commands; {}; print(*sys.modules, sep='\\n')"
    listing = (
        "commands.group(['--help'], standalone_mode=False)",
        "commands.group.shell_complete(commands.click.Context(commands.group), '')",
    )
    ended = subprocess.run(
        [sys.executable, "-c", code.format("; ".join(listing))],
        capture_output=True,
        text=True,
        check=True,
    )

    modules = set(ended.stdout.splitlines())
    assert "connector.app.commands" in modules
    assert not modules & {each.place.partition(":")[0] for each in LISTED.values()}
    assert not modules & {"rich", "trustme", "pytest", "trio", "httpx2"}
    assert not modules & {"connector.adapter", "connector.exchanges", "connector.testing"}


@pytest.mark.parametrize("name", LISTED)
def test_every_option_says_what_it_takes(name: str) -> None:
    for option in options(COMMANDS[name]):
        assert option.help, option.name
        if not option.is_flag:
            assert option.metavar, option.name


def test_one_flag_has_one_meaning() -> None:
    meanings: dict[str, set[str | None]] = {}
    for command in COMMANDS.values():
        for option in options(command):
            for flag in option.opts:
                meanings.setdefault(flag, set()).add(option.metavar)

    several = {flag for flag, found in meanings.items() if len(found) > 1}
    assert several <= {"--out"}  # a folder of several files, or one picture
    assert {"--seconds", "--minutes", "--simulate", "--exchange", "--json"} <= set(meanings)
    assert not {"--duration", "--venue", "--plot", "--picture"} & set(meanings)


@pytest.mark.parametrize("name", ["record", "channels"])
def test_it_names_the_exchanges_and_the_channels(name: str) -> None:
    words = set(help_of(name).replace(",", " ").split())

    assert set(EXCHANGES) <= words
    assert set(CHANNELS) <= words


def examples() -> Iterator[tuple[str, str]]:
    for name, command in COMMANDS.items():
        for line in (command.epilog or "").splitlines():
            if line.startswith("  connector "):
                yield name, line.strip().partition(">")[0].removeprefix("connector ")


@pytest.mark.parametrize(("name", "line"), [*examples()])
def test_an_example_can_be_typed(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *arguments = shlex.split(line)
    for each in arguments:
        if each.endswith(".toml"):
            Path(each).touch()

    assert command == name or not name
    if "--help" not in arguments:
        COMMANDS[command].make_context(command, arguments)


def test_the_page_of_the_reference_has_every_command_and_every_common_flag() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/command-line.md").read_text()
    common = ["--seconds", "--minutes", "--simulate", "--live", "--break-every", "--seed", "--out"]

    assert all(f"`connector {name}" in page for name in LISTED)
    assert all(f"`{flag}" in page for flag in common)

"""What a configuration needs of the machine: folders and extras, reported with their lines."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.app.commands import group
from connector.app.running.configuration import Misconfigured, read_configuration
from connector.app.running.surroundings import missing_folders

HEAD = """
[adapters.a]
exchange = "binance_usdm"
[groups.trades]
adapter = "a"
channels = ["trades:ETHUSDC"]
[[sinks]]
"""


def troubles(sink: str) -> list[str]:
    text = HEAD + sink
    return [str(each) for each in missing_folders(read_configuration(text), text)]


def test_a_file_needs_its_folder(tmp_path: Path) -> None:
    missing = tmp_path / "there" / "events.jsonl"

    (said,) = troubles(f'kind = "jsonl"\npath = "{missing}"')

    assert said == (
        f"line 9: sinks[0].path: the folder {missing.parent} does not exist; create it, or write "
        "another path"
    )
    assert troubles(f'kind = "jsonl"\npath = "{tmp_path / "events.jsonl"}"') == []
    assert troubles('kind = "jsonl"') == []


def test_the_folder_of_a_recording_is_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert troubles(f'kind = "recording"\npath = "{tmp_path / "a" / "b"}"') == []
    (said,) = troubles(f'kind = "recording"\npath = "{tmp_path / "file" / "b"}"')
    assert "is not a folder" in said


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="who may write everywhere cannot be refused",
)
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    (said,) = troubles(f'kind = "jsonl"\npath = "{tmp_path / "events.jsonl"}"')

    assert "cannot be written by this user" in said


@pytest.mark.parametrize(
    ("sink", "module", "extra"),
    [
        ('kind = "recording"\npath = "x"', "zstandard", "capture"),
        ('kind = "redis"\nurl = "redis://localhost"', "coredis", "redis"),
    ],
)
def test_an_extra_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, sink: str, module: str, extra: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else found(name)
    )

    with pytest.raises(Misconfigured, match=rf"line 7: .*{module}.*\[{extra}\]"):
        read_configuration(HEAD + sink)


def test_check_reports_a_folder(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(HEAD + f'kind = "jsonl"\npath = "{tmp_path}/no/events.jsonl"')

    done = CliRunner().invoke(group, ["check", str(config)])

    assert done.exit_code == 1
    assert "does not exist; create it" in done.output
    assert done.output.endswith("1 mistake\n")

"""``import connector`` imports its names when they are used, and any module may come first."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import connector

FIRST = (
    *("import connector.events", "import connector.channels", "import connector.exchanges"),
    *("import connector.testing", "import connector.recording", "import connector.metrics"),
    *("import connector.account", "import connector.book"),
    "from connector import open_adapter",
    "from connector import *; merge",
    "from connector import errors; errors.ConfigError",
    "import connector; connector.events.Trade",
    "import connector; assert connector.ConfigError is connector.errors.ConfigError",
    "import connector; assert not hasattr(connector, 'nothing')",
)
"""What programs begin with, each in a process of its own."""
EACH_ALONE = """
import os, sys
import httpx2, trio, trio_websocket

for statement in sys.argv[1:]:
    child = os.fork()
    if not child:
        exec(statement)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(statement)
"""


def test_every_public_name_exists() -> None:
    assert [name for name in connector.__all__ if getattr(connector, name, None) is None] == []
    assert set(connector.__all__) <= set(dir(connector))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'open_adaptor'"):
        connector.open_adaptor  # type: ignore[attr-defined]  # noqa: B018


def test_a_class_that_was_imported_late_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(connector.Reconnect)) is connector.Reconnect


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_a_program_may_begin_with_any_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EACH_ALONE, *FIRST], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("", "")

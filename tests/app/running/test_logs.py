"""The log: a line per record, for people or for machines."""

from __future__ import annotations

import io
import json
import logging

from connector import lifecycle
from connector.app.running import logs
from connector.app.running.configuration import LogTable
from connector.lifecycle import Connected

LOG = logging.getLogger("connector")


def test_plain_lines_are_for_people() -> None:
    out = io.StringIO()
    logs.configure(LogTable(), out)

    lifecycle.log(Connected(link="a/b", session=3, time_ns=5))
    LOG.debug("not at this level")

    (line,) = out.getvalue().splitlines()
    shown = "connected link=a/b session=3 time=1970-01-01T00:00:00.000Z"
    assert line.endswith(f"Z INFO    connector.lifecycle: {shown}")


def test_json_lines_have_the_fields_as_keys() -> None:
    out = io.StringIO()
    logs.configure(LogTable(format="json", level="debug"), out)

    lifecycle.log(Connected(link="a/b", session=3, time_ns=5))
    LOG.info("channels changed group=x", extra={"fields": {"group": "x"}})
    LOG.info("started")
    about = {"key": "sinks[0].path", "line": 3}
    LOG.error("configuration not reloaded: line 3: write path = 'a'", extra={"fields": about})
    try:
        raise ValueError("why")
    except ValueError:
        LOG.exception("failed")

    first, second, third, told, fourth = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["link"], first["session"]) == ("connected", "a/b", 3)
    assert (first["level"], first["logger"]) == ("info", "connector.lifecycle")
    assert (second["event"], second["group"]) == ("channels changed", "x")
    assert third["event"] == "started"
    assert told["event"] == "configuration not reloaded: line 3: write path = 'a'"
    assert (told["key"], told["line"]) == ("sinks[0].path", 3)
    assert "ValueError: why" in fourth["error"]


def test_configured_again_it_writes_each_line_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure(LogTable(), first)
    logs.configure(LogTable(level="warning"), second)

    LOG.warning("one")
    LOG.info("two")

    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1
